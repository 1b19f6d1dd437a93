"""Diversity: how much of a space a set of samples covers.

Vectors are unit vectors, rows of a float32 matrix, unless said otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.errors import PhospheneError

_ROWS = 1024  # of a distance matrix at a time


@dataclass(frozen=True, eq=False)
class Cells:
    """A frozen division of a space: what falls nearest to one centre is one cell.

    Args:
        mean: float32 `(d,)`.
        axes: principal axes over their deviations, float32 `(d, dims)`.
        centres: float32 `(cells, dims)`.
    """

    mean: np.ndarray
    axes: np.ndarray
    centres: np.ndarray

    def __len__(self) -> int:
        return len(self.centres)

    def assign(self, vectors: np.ndarray) -> np.ndarray:
        """Cell of each vector, int64 `(n,)`."""
        return _nearest((vectors - self.mean) @ self.axes, self.centres)[0]

    def coverage(self, vectors: np.ndarray) -> float:
        """Share of cells that hold something, 0..1."""
        return len(np.unique(self.assign(vectors))) / len(self)

    def qd_score(self, vectors: np.ndarray, quality: np.ndarray) -> float:
        """Sum over cells of the best quality in each; qualities 0 or more.

        References:
            Quality Diversity: A New Frontier for Evolutionary Computation (Pugh et al., 2016),
            https://doi.org/10.3389/frobt.2016.00040
        """
        best = np.zeros(len(self))
        np.maximum.at(best, self.assign(vectors), quality)
        return float(best.sum())


def tessellate(vectors: np.ndarray, cells: int, dims: int = 8, seed: int = 0) -> Cells:
    """Cells of about equal weight in `vectors`, float `(n, d)`: whitened PCA, then k-means.

    The same vectors and seed give the same cells.

    Raises:
        PhospheneError: fewer vectors than cells.

    References:
        Using Centroidal Voronoi Tessellations to Scale Up MAP-Elites (Vassiliades et al., 2018),
        https://arxiv.org/abs/1610.05729
    """
    if not 1 <= cells <= len(vectors):
        raise PhospheneError(
            f"{cells} cells want {cells} vectors or more to be laid by; got {len(vectors)}"
        )
    mean = vectors.mean(0)
    axes = principal(vectors - mean, dims)
    points = (vectors - mean) @ axes
    centres = _means(points, cells, np.random.default_rng(seed))
    return Cells(mean.astype(np.float32), axes.astype(np.float32), centres.astype(np.float32))


def principal(centred: np.ndarray, dims: int) -> np.ndarray:
    """Principal axes over their deviations `(d, dims)`, fewer where nothing more varies.

    Each axis points to where its largest entry is positive, so that the same data give the same
    axes.
    """
    spread, axes = np.linalg.eigh(centred.T.astype(np.float64) @ centred / max(len(centred), 1))
    order = np.argsort(-spread)[:dims]
    kept = [i for i in order if spread[i] > 1e-9 * max(float(spread[-1]), 1e-30)]
    axes = axes[:, kept]
    signs = np.sign(axes[np.abs(axes).argmax(0), np.arange(len(kept))])
    return axes * signs / np.sqrt(spread[kept])


def _means(points: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """Centres by k-means, begun by k-means++; an emptied cell moves to the worst served point."""
    centres = points[[int(rng.integers(len(points)))]]
    far = _nearest(points, centres)[1]
    while len(centres) < count:
        total = far.sum()
        chosen = rng.choice(len(points), p=far / total) if total else rng.integers(len(points))
        centres = np.concatenate([centres, points[[int(chosen)]]])
        far = np.minimum(far, np.square(points - centres[-1]).sum(1))
    for _ in range(50):
        cell, far = _nearest(points, centres)
        sums = np.zeros_like(centres)
        np.add.at(sums, cell, points)
        held = np.bincount(cell, minlength=count)
        moved = sums / held.clip(1)[:, None]
        empty = np.flatnonzero(held == 0)
        moved[empty] = points[np.argsort(-far, kind="stable")[: len(empty)]]
        if np.allclose(moved, centres, atol=1e-6):
            break
        centres = moved
    return centres


def vendi(vectors: np.ndarray) -> float:
    """Effective number of distinct items: exp of the entropy of the eigenvalues of K / n.

    K holds cosines. n equal items make 1, n orthogonal ones n.

    References:
        The Vendi Score: A Diversity Evaluation Metric for Machine Learning (Friedman, Dieng, 2022),
        https://arxiv.org/abs/2210.02410
    """
    values = np.linalg.eigvalsh(_kernel(vectors)).clip(0)
    values = values[values > 1e-12]
    return float(np.exp(-(values * np.log(values)).sum()))


def rke(vectors: np.ndarray) -> float:
    """The same of order 2, 1 / |K / n|_F^2: how many modes weigh something.

    References:
        An Information-Theoretic Evaluation of Generative Models in Learning Multi-modal
        Distributions (Jalali et al., 2023), https://openreview.net/forum?id=PdZhf6PiAb
    """
    return float(1 / np.square(_kernel(vectors)).sum())


def _kernel(vectors: np.ndarray) -> np.ndarray:
    """K / n, or the smaller matrix with the same eigenvalues beside zeros."""
    x = vectors.astype(np.float64)
    return (x.T @ x if len(x) > x.shape[1] else x @ x.T) / len(x)


def novelty(vectors: np.ndarray, k: int = 3) -> np.ndarray:
    """Mean cosine distance of each vector to its k nearest others, `(n,)`, 0..2.

    Raises:
        PhospheneError: fewer than two vectors.
    """
    if len(vectors) < 2:
        raise PhospheneError(f"novelty wants two vectors or more; got {len(vectors)}")
    k = min(k, len(vectors) - 1)
    out = np.zeros(len(vectors))
    for start in range(0, len(vectors), _ROWS):
        far = 1 - vectors[start : start + _ROWS] @ vectors.T
        far[np.arange(len(far)), start + np.arange(len(far))] = np.inf
        out[start : start + _ROWS] = np.partition(far, k - 1, 1)[:, :k].mean(1)
    return out.clip(0)


def stream_novelty(streams: dict[str, np.ndarray], k: int = 3) -> dict[str, float]:
    """Mean novelty in each stream, and in the pair where there are several: vectors joined.

    Args:
        streams: `video`, `audio` -> unit vectors `(n, d)` of the same items.
    """
    out = {name: float(novelty(vectors, k).mean()) for name, vectors in streams.items()}
    if len(streams) > 1:
        joined = np.concatenate(list(streams.values()), 1) / np.sqrt(len(streams))
        out["pair"] = float(novelty(joined, k).mean())
    return out


def covering_radius(vectors: np.ndarray, centres: int = 100) -> float:
    """Cosine distance within which `centres` of the vectors reach all of them, at most twice the
    least possible: each centre in turn is the vector farthest from those before, the first first.
    0 where there are no more vectors than centres.

    References:
        Clustering to minimize the maximum intercluster distance (Gonzalez, 1985),
        https://doi.org/10.1016/0304-3975(85)90224-5
    """
    far = 1 - vectors @ vectors[0]
    for _ in range(min(centres, len(vectors)) - 1):
        far = np.minimum(far, 1 - vectors @ vectors[int(far.argmax())])
    return float(far.max().clip(0)) if len(vectors) > centres else 0.0


def apart(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Squared distances `(n, m)`."""
    return (np.square(a).sum(1)[:, None] + np.square(b).sum(1) - 2 * a @ b.T).clip(0)


def _nearest(points: np.ndarray, centres: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Nearest centre of each point, and the squared distance to it."""
    cell, far = np.zeros(len(points), np.int64), np.zeros(len(points))
    for start in range(0, len(points), _ROWS):
        rows = slice(start, start + _ROWS)
        found = apart(points[rows], centres)
        cell[rows] = found.argmin(1)
        far[rows] = found.min(1)
    return cell, far
