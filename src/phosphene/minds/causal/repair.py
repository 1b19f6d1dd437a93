"""Repair: thoughts that are known to be good for a problem, from a run other than its own."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.minds.causal.chain import follow, opened
from phosphene.minds.causal.stakes import stakes, value_at
from phosphene.minds.causal.telling import retold
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem

# Tasks whose facts may be told in any order.
UNORDERED = ("chase", "prosqa", "prontoqa")


@dataclass(frozen=True, eq=False)
class Repaired:
    """Good thoughts for a batch.

    Args:
        thoughts: `(thoughts, b, d)`; nought where nothing was found.
        found: bool `(b,)`.
        how: in a few words.
    """

    thoughts: torch.Tensor
    found: np.ndarray
    how: str


def repaired(subject: MindSubject, problems: Sequence[TextProblem], tries: int = 6) -> Repaired:
    """Thoughts of a repaired twin: the same problem told anew and answered right.

    Where the facts of a task have no order they are told in another one, until the mind gets it
    right. Else the mean is taken of the same thought of other problems of the batch that are
    answered right and have the same intermediate there.

    Args:
        tries: other orders at most.
    """
    if subject.task.name in UNORDERED:
        return _retold(subject, problems, tries)
    return _kin(subject, problems)


@torch.no_grad()
def _retold(subject: MindSubject, problems: Sequence[TextProblem], tries: int) -> Repaired:
    width = subject.wires.width
    good = torch.zeros(subject.thoughts, len(problems), width, device=subject.mind.device)
    found = np.zeros(len(problems), bool)
    for attempt in range(tries):
        left = np.flatnonzero(~found)
        if not len(left):
            break
        asked = [retold(problems[i], attempt) for i in left.tolist()]
        run = follow(subject, opened(subject, asked))
        right = stakes(subject, asked).right(run.answer).cpu().numpy()
        good[:, left[right]] = run.fed[:, np.flatnonzero(right)].to(good)
        found[left[right]] = True
    return Repaired(good, found, "the same question, its facts in another order, answered right")


@torch.no_grad()
def _kin(subject: MindSubject, problems: Sequence[TextProblem]) -> Repaired:
    run = follow(subject, opened(subject, problems))
    right = stakes(subject, problems).right(run.answer).cpu().numpy()
    good = torch.zeros_like(run.fed)
    found = np.ones(len(problems), bool)
    for t in range(subject.thoughts):
        values = [value_at(p, t, subject.thoughts) or p.answer for p in problems]
        for i, value in enumerate(values):
            alike = [k for k, v in enumerate(values) if k != i and right[k] and v == value]
            if alike:
                good[t, i] = run.fed[t, alike].mean(0)
            else:
                found[i] = False
    return Repaired(good, found, "mean thought of other right problems with the same intermediate")
