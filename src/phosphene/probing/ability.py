"""Ability: does a subject do the task at all? What it can't do, no probe can explain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.statistics import Interval
from phosphene.statistics.intervals import share
from phosphene.subject import Subject

GUESSES = 200


@dataclass(frozen=True)
class Ability:
    """How many answers are right, and how many would be by guessing.

    Args:
        right: share of right answers over items, with its interval.
        chance: share of right answers among random guesses of the right form.
    """

    right: Interval
    chance: float

    @property
    def does(self) -> bool:
        """Whether the interval clears chance."""
        return self.right.low > self.chance

    def __str__(self) -> str:
        return f"{self.right.brief()} of answers are right, {self.chance:.0%} by guessing"


def ability(subject: Subject, outcomes: Sequence[Sequence[bool]]) -> Ability:
    """What the unperturbed runs came to.

    Args:
        outcomes: for each problem, whether each of its samples was right.
    """
    return Ability(share(outcomes), chance(subject))


def chance(subject: Subject) -> float:
    """Share of random guesses that are right, over the subject's problems in turn."""
    rng = np.random.default_rng(0)
    task, problems = subject.task, subject.problems
    dealt = [problems[i % len(problems)] for i in range(GUESSES)]
    return sum(task.right(p, task.guess(p, rng)) for p in dealt) / GUESSES
