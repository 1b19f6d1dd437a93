"""Two runs on the same items: how far apart, how sure, and how many items would settle it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import asin, ceil, comb, sqrt
from statistics import NormalDist
from typing import Any

import numpy as np

from phosphene.statistics.intervals import Interval, Z, bootstrap, share

ALPHA = 0.05
POWER = 0.8
SUMS = 20_000  # distinct sums of flipped differences up to which all flips are counted
FEWEST = 6  # items that differ, all one way, before an exact test reaches alpha: 2 / 2^6
FLIPS = 10_000  # flips drawn beyond that


@dataclass(frozen=True)
class Paired:
    """A against B on the same items.

    Args:
        a: share of A, each item weighing the same.
        b: share of B.
        difference: A - B in -1..1, by the clustered bootstrap over items; its made-up items differ
            as much as the item that differs most. It covers 92 % to 100 %, and may hold nought
            where p is small: the test decides, the interval says how far.
        p: two-sided, by `sign_flip`: McNemar's exact test where items have one sample.
        odds: odds ratio of the two shares, half a sample added to each count.
        h: Cohen's h, 2 asin sqrt(a) - 2 asin sqrt(b): 0.2 is small, 0.5 medium, 0.8 large.
        power: chance that this many items show a difference like the one seen, at alpha 0.05.
        detectable: the least difference that this many items show with 80 % power.
        needed: items that show the difference seen with 80 % power; None where none was seen.
        more: how many more than there are.
        swing: mean square of the items' differences: the share of discordant pairs, for K = 1.
    """

    a: Interval
    b: Interval
    difference: Interval
    p: float
    odds: float
    h: float
    power: float
    detectable: float
    needed: int | None
    more: int | None
    swing: float

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {k: v._asdict() if isinstance(v, Interval) else v for k, v in vars(self).items()}


def compare(a: Sequence[Sequence[bool]], b: Sequence[Sequence[bool]], seed: int = 0) -> Paired:
    """Compare two runs on shared items.

    Args:
        a: for each item, whether A's samples passed.
        b: the same items in the same order, as many samples each.
        seed: of resampling.

    Raises:
        ValueError: no items, or items that don't match.
    """
    if not a or [len(s) for s in a] != [len(s) for s in b]:
        raise ValueError("a paired comparison needs the same items and samples on both sides")
    d = np.array([(sum(x) - sum(y)) / len(x) for x, y in zip(a, b, strict=True)])
    shares = share(a, seed), share(b, seed)
    reach = max(float(np.abs(d).max()), 1 / max(map(len, a)))
    delta, swing, n = float(d.mean()), float((d**2).mean()), len(d)
    needed = items_needed(delta, swing, float((d != 0).mean()))
    return Paired(
        *shares,
        bootstrap(d, -reach, reach, seed),
        sign_flip(d, seed),
        _odds(a) / _odds(b),
        2 * asin(sqrt(shares[0].share)) - 2 * asin(sqrt(shares[1].share)),
        power(delta, swing, n),
        detectable(swing, n),
        needed,
        None if needed is None else max(0, needed - n),
        swing,
    )


def mcnemar(only_a: int, only_b: int) -> float:
    """Exact two-sided p-value of McNemar's test: are discordant pairs a fair coin?

    Args:
        only_a: pairs that A passes and B doesn't.
        only_b: pairs that B passes and A doesn't.

    References:
        Note on the Sampling Error of the Difference Between Correlated Proportions (McNemar, 1947).
    """
    n, few = only_a + only_b, min(only_a, only_b)
    return min(1.0, 2 * sum(comb(n, i) for i in range(few + 1)) / 2**n)


def sign_flip(differences: np.ndarray, seed: int = 0) -> float:
    """Two-sided p-value that the items' differences are centred at nought.

    Under the null each item's difference may as well have had the other sign. Exact, over all 2^n
    flips, wherever few distinct sums can come out, as with shares of K samples; it is McNemar's
    exact test for K = 1. Else 10,000 flips are drawn.

    Args:
        differences: `(n,)`, A's share less B's for each item.
        seed: of the flips that are drawn.
    """
    d = np.asarray(differences, float)
    sizes, counts = np.unique(np.abs(d[d != 0]), return_counts=True)
    seen = abs(d.sum()) - 1e-9
    sums, chances = np.zeros(1), np.ones(1)
    for size, n in zip(sizes.tolist(), counts.tolist(), strict=True):
        here = np.array([comb(n, kept) / 2**n for kept in range(n + 1)])
        sums = np.add.outer(sums, size * np.arange(-n, n + 1, 2)).round(9)
        sums, same = np.unique(sums, return_inverse=True)
        chances = np.bincount(same.ravel(), np.multiply.outer(chances, here).ravel())
        if len(sums) > SUMS:
            kept = np.random.default_rng(seed).binomial(counts, 0.5, (FLIPS, len(counts)))
            hits = int((np.abs((2 * kept - counts) @ sizes) >= seen).sum())
            return (hits + 1) / (FLIPS + 1)
    return min(1.0, float(chances[np.abs(sums) >= seen].sum()))


def power(delta: float, swing: float, n: int) -> float:
    """Chance that n items show a true difference at alpha 0.05, two-sided.

        Phi((sqrt(n) |delta| - z sqrt(swing)) / sqrt(swing - delta^2))

    Below six items it is nought: no exact test can reach alpha.

    Args:
        delta: the true mean difference.
        swing: the mean square of the items' differences; for K = 1 the share of discordant pairs.
        n: items.

    References:
        Sample Size for Testing Differences in Proportions for the Paired-Sample Design (Connor,
        1987).
    """
    if swing == 0 or n < FEWEST:
        return 0.0
    spread = sqrt(max(swing - delta**2, 1e-12))
    over = (sqrt(n) * abs(delta) - Z * sqrt(swing)) / spread
    under = (-sqrt(n) * abs(delta) - Z * sqrt(swing)) / spread
    return float(NormalDist().cdf(over) + NormalDist().cdf(under))


def items_needed(delta: float, swing: float, differing: float) -> int | None:
    """Items that show a true difference with 80 % power; None where there is none to show.

        n = ((z_(1-alpha/2) sqrt(swing) + z_power sqrt(swing - delta^2)) / delta)^2

    Never so few that the exact test can't reach alpha: six items must differ, all one way.

    Args:
        delta: the true mean difference.
        swing: the mean square of the items' differences.
        differing: the share of items that differ.

    References:
        Connor (1987), as in `power`.
    """
    if delta == 0:
        return None
    top = Z * sqrt(swing) + NormalDist().inv_cdf(POWER) * sqrt(max(swing - delta**2, 0.0))
    return max(ceil((top / delta) ** 2), ceil(FEWEST / differing))


def detectable(swing: float, n: int) -> float:
    """The least difference that n items show with 80 % power at this swing, at most 1.

    A difference can't be larger than the swing where items have one sample; a swing too small for
    a difference is taken to be as large as it.
    """
    low, high = 0.0, 1.0
    for _ in range(40):
        middle = (low + high) / 2
        enough = power(middle, max(swing, middle), n) >= POWER
        low, high = (low, middle) if enough else (middle, high)
    return high


def _odds(items: Sequence[Sequence[bool]]) -> float:
    passed, n = sum(sum(samples) for samples in items), sum(len(samples) for samples in items)
    return (passed + 0.5) / (n - passed + 0.5)
