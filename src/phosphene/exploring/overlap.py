"""Overlap: how a set of samples compares with another set."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.exploring.diversity import apart

_ROWS = 1024  # of a distance matrix at a time


@dataclass(frozen=True)
class Overlap:
    """Two sets compared, each 0..1 but for density.

    Args:
        precision: share of samples that lie among the reference.
        recall: share of the reference that lies among the samples.
        density: how many reference neighbourhoods hold a sample, over k; 1 for equal sets.
        coverage: share of reference neighbourhoods that hold a sample.
    """

    precision: float
    recall: float
    density: float
    coverage: float


def overlap(samples: np.ndarray, reference: np.ndarray, k: int = 5) -> Overlap:
    """Compare `(n, d)` with `(m, d)` by neighbourhoods that reach to the k-th nearest neighbour.

    Raises:
        PhospheneError: k or fewer vectors in one of the sets.

    References:
        Improved Precision and Recall Metric for Assessing Generative Models (Kynkaanniemi et al.,
        2019), https://arxiv.org/abs/1904.06991
        Reliable Fidelity and Diversity Metrics for Generative Models (Naeem et al., 2020),
        https://arxiv.org/abs/2002.09797
    """
    if min(len(samples), len(reference)) <= k:
        raise PhospheneError(
            f"neighbourhoods of {k} want more than {k} vectors in both sets; got {len(samples)} "
            f"and {len(reference)}"
        )
    around_reference, around_samples = _reach(reference, k), _reach(samples, k)
    held = np.zeros(len(samples), int)
    recalled = np.zeros(len(reference), bool)
    nearest = np.full(len(reference), np.inf)
    for start in range(0, len(samples), _ROWS):
        rows = slice(start, start + _ROWS)
        far = apart(samples[rows], reference)
        held[rows] = (far <= around_reference).sum(1)
        recalled |= (far <= around_samples[rows, None]).any(0)
        nearest = np.minimum(nearest, far.min(0))
    covered = float((nearest <= around_reference).mean())
    density = float(held.mean()) / k
    return Overlap(float((held > 0).mean()), float(recalled.mean()), density, covered)


def _reach(vectors: np.ndarray, k: int) -> np.ndarray:
    """Squared distance of each vector to its k-th nearest other, `(n,)`."""
    out = np.zeros(len(vectors), vectors.dtype)
    for start in range(0, len(vectors), _ROWS):
        far = apart(vectors[start : start + _ROWS], vectors)
        far[np.arange(len(far)), start + np.arange(len(far))] = np.inf
        out[start : start + _ROWS] = np.partition(far, k - 1, 1)[:, k - 1]
    return out
