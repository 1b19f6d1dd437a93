"""Finder: which thought of a chain that went wrong broke it?

The chain b_1 .. b_T is given, as it was fed; which of its thoughts is to blame is not. With M the
answer's lead, b_<t the chain replayed up to t and free running thoughts after what is put:

    repair_t   = M(b_<t, good thought) - M(b_<=t)    a repaired twin's thought in its place
    clean_t    = the same with the undisturbed run's own thought
    gradient_t = (good - b_t) . dM(b_<=t) / db_t     its first-order estimate
    blank_t    = M(b_<t, mean thought) - M(b_<=t)    what it costs to have it at all
    rerun_t    = M(b_<t) - M(b_<=t)                  against what the mind thinks there by itself

A repair may work at every thought behind the bad one too, where each is made from the one before:
the earliest thought with half of the largest score is named. `clean` and `rerun` know the
undisturbed run, which an error that the mind makes by itself doesn't leave: they are ceilings.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Literal

import numpy as np
import torch

from phosphene.minds.causal.chain import follow, put, replayed
from phosphene.minds.causal.stakes import Stakes
from phosphene.minds.subject import MindSubject
from phosphene.minds.thinking import State

Method = Literal["repair", "gradient", "blank", "clean", "rerun"]
METHODS: tuple[Method, ...] = ("repair", "gradient", "blank", "clean", "rerun")
CEILINGS: tuple[Method, ...] = ("clean", "rerun")
SAID = {
    "repair": "margin restored by a repaired twin's thought",
    "gradient": "its estimate by gradient",
    "blank": "margin gained by the mean thought",
    "clean": "margin restored by the undisturbed run's thought",
    "rerun": "margin lost by replaying the thought",
}
ENOUGH = 0.5  # of the largest score
NONE = -1  # no thought is named


def scores(
    subject: MindSubject,
    state: State,
    bad: torch.Tensor,
    good: Mapping[Literal["repair", "blank", "clean"], torch.Tensor],
    measure: Stakes,
) -> dict[Method, np.ndarray]:
    """A score a thought, `(b, thoughts)`, by each method.

    Args:
        state: of `opened`.
        bad: `(thoughts, b, d)`, the chain that went wrong.
        good: what is put in place of its thoughts, like `bad`.
    """
    count = len(bad)
    with torch.no_grad():
        kept = [_lead(subject, state, replayed(bad, t), measure) for t in range(count + 1)]
        out: dict[Method, list[torch.Tensor]] = {
            name: [
                _lead(subject, state, {**replayed(bad, t), t: values[t]}, measure) - kept[t + 1]
                for t in range(count)
            ]
            for name, values in good.items()
        }
    out["rerun"] = [kept[t] - kept[t + 1] for t in range(count)]
    out["gradient"] = [
        ((good["repair"][t] - bad[t]) * _slope(subject, state, bad, t, measure)).sum(-1)
        for t in range(count)
    ]
    return {m: torch.stack(out[m], 1).float().cpu().numpy() for m in METHODS}


def named(score: np.ndarray) -> np.ndarray:
    """The thought that is blamed, int `(b,)`; NONE where nothing is restored.

    Args:
        score: `(b, thoughts)`.
    """
    most = score.max(1, keepdims=True)
    first = (score >= ENOUGH * most).argmax(1)
    return np.where(most[:, 0] > 1e-6, first, NONE)


def _lead(
    subject: MindSubject, state: State, values: Mapping[int, torch.Tensor], measure: Stakes
) -> torch.Tensor:
    return measure.lead(follow(subject, state, put(values)).answer)


def _slope(
    subject: MindSubject, state: State, bad: torch.Tensor, t: int, measure: Stakes
) -> torch.Tensor:
    """Gradient of the lead by a thought, through all that runs freely after it, `(b, d)`."""
    here = bad[t].detach().clone().requires_grad_()
    with torch.enable_grad():
        lead = _lead(subject, state, {**replayed(bad, t), t: here}, measure)
        return torch.autograd.grad(lead.nansum(), here)[0]
