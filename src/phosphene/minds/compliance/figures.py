"""Figures of the bench: how often is accepted, by family and arm."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phosphene.minds.compliance.arms import ARMS
from phosphene.minds.compliance.asking import Reply
from phosphene.minds.compliance.requests import FAMILIES
from phosphene.minds.compliance.rules import decision
from phosphene.probe import Figure, Heat
from phosphene.statistics import wilson

_PANEL = {
    ("against", False): "what it minds",
    ("against", True): "what it minds, scratchpad",
    ("glad", False): "what it likes",
    ("glad", True): "what it likes, scratchpad",
}


def accepted(replies: Sequence[Reply]) -> dict[str, Figure]:
    """Share of accepted queries, a panel for each way of asking."""
    kinds = [k for k in _PANEL if any((r.prompt.stance, r.prompt.pad) == k for r in replies)]
    rows = [f for f in FAMILIES if any(r.prompt.query.family == f for r in replies)]
    values = np.full((3, len(kinds), len(rows), len(ARMS)), np.nan)
    for i, kind in enumerate(kinds):
        here = [r for r in replies if (r.prompt.stance, r.prompt.pad) == kind]
        for j, family in enumerate(rows):
            for k, arm in enumerate(ARMS):
                cell = [
                    decision(r.said) == "accept"
                    for r in here
                    if r.prompt.query.family == family and r.prompt.arm == arm
                ]
                if cell:
                    values[:, i, j, k] = wilson(sum(cell), len(cell))[:3]
    heat = Heat(
        "Share of requests that are accepted",
        "what the conversation is said to be",
        "scenario family",
        ARMS,
        rows,
        values[0],
        [_PANEL[k] for k in kinds],
        values[1],
        values[2],
        null=0.5,
        unit="share",
    )
    return {"accepted": heat}
