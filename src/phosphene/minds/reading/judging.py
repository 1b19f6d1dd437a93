"""Judging: is a value read at a place oftener than chance and than its twin's would have it?

Two controls, and both have to be cleared. Shuffled instances: the values of other problems of the
same length, read in this one's thoughts. The twin: what the task's own counterfactual of the same
question would have had in that role, so that words that are merely often mentioned, or stand where
values stand, score alike.

References:
    Permutation tests with max statistics (Westfall, Young, 1993).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phosphene.probe import ALPHA
from phosphene.probing.effect import step_down
from phosphene.statistics import Interval, wilson


@dataclass(frozen=True, eq=False)
class Judged:
    """Everything `(values, cells)`.

    Args:
        hit, low, high: share of problems in which the true value is read, Wilson's interval.
        null: the same for shuffled instances.
        twin: the same for the twin's value.
        p: the larger one of both controls' p-values, each corrected by the maximum over all
            values and cells.
        n: problems that have the value.
    """

    hit: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: np.ndarray
    twin: np.ndarray
    p: np.ndarray
    n: np.ndarray

    @property
    def stands(self) -> np.ndarray:
        """bool: the interval lies above both controls, and p is below alpha."""
        return (self.low > np.maximum(self.null, self.twin)) & (self.p < ALPHA)


def judge(
    hits: np.ndarray, truth: np.ndarray, twin: np.ndarray, permutations: int, seed: int = 0
) -> Judged:
    """Compare hits on true values with both controls.

    Args:
        hits: bool `(items, values, cells, candidates)`: whether the candidate is read there; one
            value long where all values are read in the same way.
        truth: int `(items, values)`, places among the candidates; -1 for none.
        twin: the same for the twin's values.
        permutations: orders of shuffled instances.
        seed: of the orders.
    """
    own, other = taken(hits, truth), taken(hits, twin)
    n = np.isfinite(own).sum(0)
    seen = _mean(own)
    draws = np.stack([_mean(taken(hits, truth[o])) for o in orders(truth, permutations, seed)])
    bounds = [_bounds(own[:, v, c]) for v, c in np.ndindex(*seen.shape)]
    low, high = (np.array([b[i] for b in bounds]).reshape(seen.shape) for i in (1, 2))
    gaps = (own - other).reshape(len(own), -1)
    p = np.maximum(_corrected(seen, draws, n), step_down(gaps, seed).reshape(seen.shape))
    return Judged(seen, low, high, draws.mean(0), _mean(other), p, n)


def taken(hits: np.ndarray, truth: np.ndarray) -> np.ndarray:
    """Hits of each problem's own values, `(items, values, cells)`; nan where it has none."""
    items, values = np.arange(len(truth))[:, None], np.arange(truth.shape[1])[None]
    found = hits[items, values % hits.shape[1], :, np.maximum(truth, 0)].astype(float)
    found[truth < 0] = np.nan
    return found


def orders(truth: np.ndarray, permutations: int, seed: int) -> Iterator[np.ndarray]:
    """Orders of the problems `(items,)`, shuffled among those that have the same values."""
    rng = np.random.default_rng(seed)
    _, kinds = np.unique(truth >= 0, axis=0, return_inverse=True)
    groups = [np.flatnonzero(kinds.ravel() == k) for k in range(kinds.max() + 1)]
    for _ in range(permutations):
        order = np.arange(len(truth))
        for group in groups:
            order[group] = group[rng.permutation(len(group))]
        yield order


def crossed(scores: np.ndarray) -> tuple[int, Interval]:
    """The best cell, and its hit rate without the optimism of having been picked.

    Each half of the problems is scored in the cell that the other half picks.

    Args:
        scores: `(items, cells)` of one value; nan rows are left out.

    Returns:
        the cell that all problems pick, and the share of hits with Wilson's interval.
    """
    there = scores[np.isfinite(scores).all(1)]
    if len(there) < 2:
        raise ValueError(f"need two problems that have the value; got {len(there)}")
    halves = there[::2], there[1::2]
    found = [half[:, int(other.mean(0).argmax())] for half, other in (halves, halves[::-1])]
    return int(there.mean(0).argmax()), wilson(int(sum(f.sum() for f in found)), len(there))


def _corrected(seen: np.ndarray, draws: np.ndarray, n: np.ndarray) -> np.ndarray:
    """p-values of each place against the largest deviation over all places in each draw."""
    everything = np.concatenate([seen[None], draws])
    # Less than the spread of one rare hit would make it look as if it came from afar.
    floor = np.sqrt(0.05 * 0.95 / np.maximum(n, 1))
    middle, spread = everything.mean(0), np.maximum(everything.std(0), floor)
    peaks = ((draws - middle) / spread).reshape(len(draws), -1).max(1)
    z = (seen - middle) / spread
    return (1 + (peaks[:, None, None] >= z[None] - 1e-9).sum(0)) / (1 + len(draws))


def _mean(values: np.ndarray) -> np.ndarray:
    there = np.isfinite(values)
    return np.where(there, values, 0.0).sum(0) / np.maximum(there.sum(0), 1)


def _bounds(flags: np.ndarray) -> Interval:
    held = flags[np.isfinite(flags)]
    return wilson(int(held.sum()), len(held)) if len(held) else Interval(0.0, 0.0, 1.0, 0)
