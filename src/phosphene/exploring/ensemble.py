"""Ensemble: several qualities as one number, so that none of them can be fooled alone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.errors import PhospheneError

Scores = Mapping[str, float | None]


@dataclass(frozen=True, eq=False)
class Ensemble:
    """Qualities by name, and one that is held out.

    Args:
        names: what good is measured by, two at least.
        judge: measured and never part of the quality: search doesn't follow it, so it tells whether
            search found what is good or what fools the rest.

    Raises:
        PhospheneError: fewer than two names, one of them twice, or the judge among them.

    References:
        Inference-time scaling for diffusion models beyond scaling denoising steps (Ma et al.,
        2025), section 5.1: ranks of several verifiers, https://arxiv.org/abs/2501.09732
    """

    names: tuple[str, ...]
    judge: str | None = None

    def __post_init__(self) -> None:
        if len(self.names) < 2:
            raise PhospheneError(
                f"one quality alone gets fooled; give two or more; got {', '.join(self.names)!r}"
            )
        if len(set(self.names)) < len(self.names):
            raise PhospheneError(f"a quality is named twice: {', '.join(self.names)}")
        if self.judge in self.names:
            raise PhospheneError(
                f"judge {self.judge} is one of the qualities that are searched for; take it out of "
                f"one of the two"
            )

    def calibrated(self, warmup: Sequence[Scores]) -> Ranks:
        """Ranks among the scores of the warm-up."""
        every = (*self.names, *([self.judge] if self.judge else []))
        held = {n: [s for w in warmup if (s := _finite(n, w.get(n))) is not None] for n in every}
        return Ranks(self, {n: np.sort(np.array(s, float)) for n, s in held.items()})


@dataclass(frozen=True, eq=False)
class Ranks:
    """An ensemble that knows what is ordinary.

    Args:
        ensemble: whose ranks they are.
        held: quality -> sorted scores of the warm-up.
    """

    ensemble: Ensemble
    held: Mapping[str, np.ndarray] = field(default_factory=dict)

    def rank(self, name: str, score: float | None) -> float | None:
        """Where a score stands among the warm-up's: 0..1, and 1 is never reached.

        The share of the warm-up below it, ties by half, with straight lines between. Beyond the
        best of n the rest, 1 / 2n, shrinks exponentially with the distance in deviations of the
        warm-up, so that a search goes on telling better from good; likewise below the worst.

        None where it could not be judged, or nothing of the warm-up could.

        Raises:
            PhospheneError: a score that is no number.
        """
        score = _finite(name, score)
        held = self.held[name]
        if score is None or not len(held):
            return None
        values = np.unique(held)
        below = np.searchsorted(held, values, "left") + np.searchsorted(held, values, "right")
        ranks = below / (2 * len(held))
        beyond = max(score - values[-1], values[0] - score, 0.0)
        fade = math.exp(-beyond / max(float(held.std()), 1e-12)) if beyond else 1.0
        if score < values[0]:
            return float(ranks[0] * fade)
        if score > values[-1]:
            return float(1 - (1 - ranks[-1]) * fade)
        return float(np.interp(score, values, ranks))

    def quality(self, scores: Scores) -> float:
        """Mean of the ranks there are, 0..1; 0 where nothing could be judged."""
        return _mean([self.rank(name, scores.get(name)) for name in self.ensemble.names])

    def verdict(self, scores: Scores) -> float | None:
        """The judge's rank; None without a judge or where it can't judge."""
        judge = self.ensemble.judge
        return None if judge is None else self.rank(judge, scores.get(judge))


def _mean(ranks: Sequence[float | None]) -> float:
    known = [r for r in ranks if r is not None]
    return sum(known) / len(known) if known else 0.0


def _finite(name: str, score: float | None) -> float | None:
    if score is not None and math.isnan(score):
        raise PhospheneError(f"quality {name} gave nan; a score is a number, or None")
    return score
