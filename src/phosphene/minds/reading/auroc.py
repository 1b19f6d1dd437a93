"""AUROC: how well a score tells right answers from wrong ones, with interval and null."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy.stats import rankdata

DRAWS = 1000


class Auroc(NamedTuple):
    """The area, its 95 % interval, and its p-value against shuffled answers, one-sided."""

    area: float
    low: float
    high: float
    p: float


def area(scores: np.ndarray, right: np.ndarray) -> float:
    """Chance that a right one scores above a wrong one, ties counting half.

    Args:
        scores: `(items,)`; -inf is lowest.
        right: bool `(items,)`, some of either.
    """
    ranks, n = rankdata(scores), int(right.sum())
    return float((ranks[right].sum() - n * (n + 1) / 2) / (n * (len(right) - n)))


def auroc(scores: np.ndarray, right: np.ndarray, seed: int = 0) -> Auroc:
    """The area by problems; resampled within right and wrong ones, so that both stay.

    Two made-up problems, a right one and a wrong one in the wrong order, join those that are drawn
    from: without them the interval is empty where the score is faultless.

    Raises:
        ValueError: all answers are right, or all wrong.
    """
    right = np.asarray(right, bool)
    if right.all() or not right.any():
        raise ValueError("an AUROC needs right and wrong answers")
    rng = np.random.default_rng(seed)
    seen = area(scores, right)
    null = [area(scores, rng.permutation(right)) for _ in range(DRAWS)]
    p = (1 + sum(n >= seen - 1e-12 for n in null)) / (1 + DRAWS)
    ranks = rankdata(scores)
    good = np.append(ranks[right], ranks.min() - 1)
    bad = np.append(ranks[~right], ranks.max() + 1)
    draws = [_drawn(rng, good, bad) for _ in range(DRAWS)]
    low, high = np.quantile(draws, (0.025, 0.975))
    return Auroc(seen, min(float(low), seen), max(float(high), seen), p)


def lead(a: np.ndarray, b: np.ndarray, right: np.ndarray, seed: int = 0) -> Auroc:
    """Area of score `a` less that of `b` on the same problems, by paired bootstrap.

    `p` is the one-sided share of resamples in which `a` does not lead.
    """
    rng = np.random.default_rng(seed)
    good, bad = np.flatnonzero(right), np.flatnonzero(~np.asarray(right, bool))
    gaps = []
    for _ in range(DRAWS):
        drawn = np.concatenate([rng.choice(good, len(good)), rng.choice(bad, len(bad))])
        gaps.append(area(a[drawn], right[drawn]) - area(b[drawn], right[drawn]))
    seen = area(a, right) - area(b, right)
    low, high = np.quantile(gaps, (0.025, 0.975))
    p = (1 + sum(g <= 0 for g in gaps)) / (1 + DRAWS)
    return Auroc(seen, min(float(low), seen), max(float(high), seen), p)


def _drawn(rng: np.random.Generator, good: np.ndarray, bad: np.ndarray) -> float:
    a, b = rng.choice(good, len(good)), rng.choice(bad, len(bad))
    scores = np.concatenate([a, b])
    return area(scores, np.arange(len(scores)) < len(a))
