"""Intervals: of a share, of a mean over items whose samples move together, of a difference."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

Z = 1.959963984540054  # the normal's 97.5 % point
DRAWS = 4000  # resamples of a bootstrap


class Interval(NamedTuple):
    """A share with its 95 % interval, all in 0..1; differences of shares lie in -1..1.

    `n` counts what was drawn independently: items, where an item has several samples.
    """

    share: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.share:.0%} [{self.low:.0%}, {self.high:.0%}], n = {self.n}"

    def brief(self) -> str:
        """As tables have it: `84 % [76, 90]`."""
        return f"{_whole(self.share)} % [{_whole(self.low)}, {_whole(self.high)}]"

    def points(self) -> str:
        """A difference as tables have it, in percentage points: `+12 [-3, +27]`."""
        return f"{_signed(self.share)} [{_signed(self.low)}, {_signed(self.high)}]"


def _whole(share: float) -> str:
    """Percent, with a decimal near the ends; only nothing is 0 and only everything is 100."""
    tiny = 1e-9  # what rounding leaves of nothing
    if tiny < share < 0.0005:
        return "<0.1"
    if 0.9995 <= share < 1 - tiny:
        return ">99.9"
    places = 1 if tiny < share < 0.01 - tiny or 0.99 + tiny < share < 1 - tiny else 0
    return f"{100 * share:.{places}f}"


def _signed(difference: float) -> str:
    text = f"{100 * difference:+.0f}"
    return "0" if text in ("+0", "-0") else text


def wilson(passed: int, n: int) -> Interval:
    """Wilson score interval of a binomial share.

    Raises:
        ValueError: n < 1 or passed outside 0..n.

    References:
        Probable Inference, the Law of Succession, and Statistical Inference (Wilson, 1927).
    """
    if n < 1 or not 0 <= passed <= n:
        raise ValueError(f"need 0 <= passed <= n and n >= 1; got {passed} of {n}")
    share = passed / n
    middle = (share + Z * Z / (2 * n)) / (1 + Z * Z / n)
    half = Z / (1 + Z * Z / n) * (share * (1 - share) / n + Z * Z / (4 * n * n)) ** 0.5
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), n)


def bootstrap(
    values: Sequence[float] | np.ndarray, floor: float = 0.0, ceiling: float = 1.0, seed: int = 0
) -> Interval:
    """Clustered bootstrap of a mean over items: whole items are drawn anew, never single samples.

    Two made-up items, one at `floor` and one at `ceiling`, join those that are drawn from, as
    Agresti and Coull add successes and failures: without them the percentile interval is empty
    where all items agree and covers 89 % to 93 % near the ends; with them, 95 % to 98 %.

    Args:
        values: `(n,)`, one number an item, e.g. the share of its samples that passed.
        floor: the least a value can be.
        ceiling: the most.
        seed: of the resampling; the same values and seed give the same interval.

    Raises:
        ValueError: no values, or one outside floor..ceiling.

    References:
        An Introduction to the Bootstrap (Efron and Tibshirani, 1993), chapter 13; Approximate is
        Better than "Exact" for Interval Estimation of Binomial Proportions (Agresti, Coull, 1998).
    """
    given = np.asarray(values, float)
    if not given.size or not np.all((given >= floor) & (given <= ceiling)):
        raise ValueError(f"need values in {floor}..{ceiling}, at least one; got {given}")
    kinds, counts = np.unique(np.append(given, (floor, ceiling)), return_counts=True)
    n = int(counts.sum())
    means = np.random.default_rng(seed).multinomial(n, counts / n, DRAWS) @ kinds / n
    low, high = np.quantile(means, (0.025, 0.975))
    mean = float(given.mean())
    return Interval(mean, min(float(low), mean), max(float(high), mean), given.size)


def share(items: Sequence[Sequence[bool]], seed: int = 0) -> Interval:
    """Share of passed samples, each item weighing the same.

    Args:
        items: for each item, its samples.

    Returns:
        Wilson's interval where every item has one sample, else the clustered bootstrap's.

    Raises:
        ValueError: no items, or one without samples.
    """
    if not items or not all(len(samples) for samples in items):
        raise ValueError("a share needs items, and each item samples")
    if all(len(samples) == 1 for samples in items):
        return wilson(sum(bool(samples[0]) for samples in items), len(items))
    return bootstrap([sum(map(bool, samples)) / len(samples) for samples in items], seed=seed)


def apart(a: Interval, b: Interval) -> Interval:
    """Difference a - b of two independent shares, from their intervals; n is the smaller one.

    References:
        Interval Estimation for the Difference Between Independent Proportions (Newcombe, 1998),
        method 10.
    """
    d = a.share - b.share
    below = ((a.share - a.low) ** 2 + (b.high - b.share) ** 2) ** 0.5
    above = ((a.high - a.share) ** 2 + (b.share - b.low) ** 2) ** 0.5
    return Interval(d, max(-1.0, d - below), min(1.0, d + above), min(a.n, b.n))
