"""Difference: do the sides of pairs differ? Signs are flipped within pairs, for all places at once.

Under the null a and b of each pair could as well have been named the other way round. That keeps
what the prompts are about, which any router reacts to, out of the answer.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from phosphene.statistics import benjamini_hochberg

ALL = 13  # groups up to which every pattern of signs is counted
FEWEST = 10_000  # patterns drawn beyond that
DRAWS = 2000
BLOCK = 1 << 22  # numbers held at once


@dataclass(frozen=True, eq=False)
class Differences:
    """Mean differences, everything `(places,)`.

    Args:
        mean, low, high: with the 95 % interval of each place by itself, over groups.
        p: two-sided, of the sign flips.
        q: p adjusted so that the share of false alarms among all places is bounded.
        chance: mean over flips of the largest absolute difference of any place.
        n: groups.
    """

    mean: np.ndarray
    low: np.ndarray
    high: np.ndarray
    p: np.ndarray
    q: np.ndarray
    chance: float
    n: int


def differences(values: np.ndarray, seed: int = 0) -> Differences:
    """Test the means of paired differences.

    Args:
        values: `(groups, places)`, a less b.
        seed: of flips and resamples; the more places, the more flips are drawn, so that the
            smallest p can survive the adjustment.
    """
    n, places = values.shape
    signs = flips(n, max(FEWEST, 40 * places), seed)
    seen = values.sum(0)
    slack = 1e-9 * (np.abs(values).sum(0) + 1e-30)
    hits, peaks = np.zeros(places), 0.0
    step = max(1, BLOCK // places)
    for i in range(0, len(signs), step):
        sums = np.abs(signs[i : i + step] @ values)
        hits += (sums >= np.abs(seen) - slack).sum(0)
        peaks += sums.max(1).sum()
    p = hits / len(signs)
    low, high = resampled(values, seed)
    q = np.array(benjamini_hochberg(p.tolist()))
    return Differences(values.mean(0), low, high, p, q, peaks / len(signs) / n, n)


def flips(n: int, draws: int, seed: int) -> np.ndarray:
    """Patterns of signs `(patterns, n)`, the one that was seen among them."""
    if n <= ALL:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    drawn = np.random.default_rng(seed).integers(0, 2, (draws - 1, n))
    return np.vstack([np.ones(n), 1.0 - 2.0 * drawn])


def resampled(values: np.ndarray, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    """95 % bounds of means over groups, by the percentile bootstrap, widened by sqrt(n / (n - 1)):
    groups of a resample are that much too alike.

    Args:
        values: `(groups, places)`.
    """
    n = len(values)
    mean = values.mean(0)
    draws = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS) / n
    spread = (draws @ values - mean) * np.sqrt(n / max(1, n - 1))
    low, high = np.quantile(spread, (0.025, 0.975), axis=0)
    return mean + np.minimum(low, 0), mean + np.maximum(high, 0)


@dataclass(frozen=True, eq=False)
class Divergence:
    """Of how two sides spread over experts, everything `(layers,)`.

    Args:
        value, low, high: Jensen-Shannon divergence in bits with its 95 % interval.
        null: its mean with sides swapped at random.
        p: one-sided, of the swaps.
        q: p adjusted for the layers.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: np.ndarray
    p: np.ndarray
    q: np.ndarray


def diverge(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Divergence:
    """Jensen-Shannon divergence of two sides' use of experts, against swapped sides.

    It is never below nought, so noise alone makes some: the null says how much. Intervals are of
    the basic bootstrap over groups, which takes that bias off.

    Args:
        a, b: `(groups, layers, experts)`, use of experts; each row is brought to the sum one.

    References:
        Divergence Measures Based on the Shannon Entropy (Lin, 1991).
    """
    n = len(a)
    middle, half = (a + b) / 2, (a - b) / 2
    value = jensen_shannon(a.mean(0), b.mean(0))

    def at(weights: np.ndarray, signs: np.ndarray) -> np.ndarray:
        base = np.tensordot(weights, middle, 1)
        moved = np.tensordot(weights * signs, half, 1)
        return jensen_shannon(base + moved, base - moved)

    null = _blocks(lambda s: at(np.full(s.shape, 1 / n), s), flips(n, DRAWS, seed), a[0].size)
    p = (null >= value - 1e-12).mean(0)
    drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS) / n
    boot = _blocks(lambda w: at(w, np.ones_like(w)), drawn, a[0].size)
    low, high = np.quantile(boot, (0.025, 0.975), axis=0)
    bounds = np.clip(2 * value - high, 0, 1), np.clip(2 * value - low, 0, 1)
    low, high = np.minimum(bounds[0], value), np.maximum(bounds[1], value)
    q = np.array(benjamini_hochberg(p.tolist()))
    return Divergence(value, low, high, null.mean(0), p, q)


def jensen_shannon(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Bits, 0..1, over the last axis; rows are brought to the sum one."""
    a = a / a.sum(-1, keepdims=True)
    b = b / b.sum(-1, keepdims=True)
    return np.maximum(entropy((a + b) / 2) - (entropy(a) + entropy(b)) / 2, 0)


def entropy(shares: np.ndarray) -> np.ndarray:
    """Bits, over the last axis, of shares that sum to one."""
    logs = np.log2(shares, out=np.zeros_like(shares), where=shares > 0)
    return -(shares * logs).sum(-1)


def _blocks(make: Callable[[np.ndarray], np.ndarray], rows: np.ndarray, size: int) -> np.ndarray:
    step = max(1, BLOCK // max(1, size))
    return np.concatenate([make(rows[i : i + step]) for i in range(0, len(rows), step)])
