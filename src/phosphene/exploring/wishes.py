"""Wishes: what people ask for directly, and what they turn out to like."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from phosphene.candidate import Proposal
from phosphene.errors import PhospheneError
from phosphene.exploring.mutation import moved
from phosphene.operator import Operator
from phosphene.session import Session
from phosphene.space import Space

_CHILDREN = 3  # of an item that more is wanted of
_BLENDS = 2


def wishes(
    events: Sequence[Mapping[str, Any]],
    session: Session,
    operators: Mapping[str, Operator],
    space: Space,
    rng: np.random.Generator,
) -> list[Proposal]:
    """Proposals that answer what people asked for; what can't be answered is passed over."""
    out: list[Proposal] = []
    for event in events:
        try:
            out += _answer(event, session, operators, space, rng)
        except PhospheneError:
            continue  # an item of another session, or one that failed
    return out


def _answer(
    event: Mapping[str, Any],
    session: Session,
    operators: Mapping[str, Operator],
    space: Space,
    rng: np.random.Generator,
) -> list[Proposal]:
    kind = event["kind"]
    if kind == "more":
        genome = session.proposal(event["id"]).genome
        near = (0.3, 0.5, 0.7)[:_CHILDREN]
        return [Proposal(moved(genome, rng, step), "asked-more", (event["id"],)) for step in near]
    if kind == "blend":
        first, second = event["ids"]
        parents = [session.proposal(id).genome for id in (first, second)]
        return [
            Proposal(operators["blend"].breed(order, space, rng), "asked-blend", (first, second))
            for order in (parents, parents[::-1])[:_BLENDS]
            if "blend" in operators
        ]
    if kind == "prompt" and space.speaks:
        genome = session.proposal(event["id"]).genome
        spoken = replace(genome, prompt=event["prompt"], atoms={})
        return [
            Proposal(spoken, "asked-prompt", (event["id"],)),
            Proposal(moved(spoken, rng, 0.5), "asked-prompt", (event["id"],)),
        ]
    return []
