"""Cells: descriptors sorted into niches that are fixed once the warm-up is known."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.archive import Archive
from phosphene.candidate import Candidate

_SPREAD = 1.5  # standard deviations of the warm-up: a search goes farther than chance does
_REFERENCE = 4096  # points that centroids are fitted to
_ROUNDS = 15


@dataclass(frozen=True, eq=False)
class Plane:
    """The first principal components of a set of descriptors, each at unit deviation.

    Args:
        mean: `(d,)`.
        axes: `(d, dims)`, scaled by the inverse deviations.
    """

    mean: np.ndarray
    axes: np.ndarray

    @classmethod
    def of(cls, vectors: np.ndarray, dims: int) -> Plane:
        """Fitted to vectors `(n, d)`; fewer than `dims` axes where they span fewer.

        Axes point to where their largest entry is positive, so that the plane is the same on every
        machine.
        """
        mean = vectors.mean(0, dtype=np.float64)
        _, sizes, rows = np.linalg.svd(vectors - mean, full_matrices=False)
        kept = min(dims, int((sizes > 1e-6 * max(float(sizes[0]), 1e-6)).sum()))
        rows = rows[:kept]
        signs = np.sign(rows[np.arange(kept), np.abs(rows).argmax(1)])
        deviations = sizes[:kept] / np.sqrt(len(vectors))
        return cls(mean, (rows * signs[:, None] / deviations[:, None]).T)

    def points(self, vectors: np.ndarray) -> np.ndarray:
        """Coordinates `(n, dims)`."""
        return (vectors - self.mean) @ self.axes


class Cells(abc.ABC):
    """Which niche a descriptor belongs to."""

    @abc.abstractmethod
    def assign(self, vectors: np.ndarray) -> np.ndarray:
        """Numbers of the niches of vectors `(n, d)`: int `(n,)`."""


@dataclass(frozen=True, eq=False)
class Grid(Cells):
    """Equal boxes of a plane; whatever lies outside belongs to the outermost ones.

    Args:
        plane: where the boxes are.
        bins: boxes along each axis.
        reach: the grid goes from -reach to reach deviations.
    """

    plane: Plane
    bins: int
    reach: float = 2.5

    def assign(self, vectors: np.ndarray) -> np.ndarray:
        points = self.plane.points(vectors)
        places = np.floor((points / self.reach + 1) / 2 * self.bins).clip(0, self.bins - 1)
        out = np.zeros(len(vectors), int)
        for column in places.T.astype(int):
            out = out * self.bins + column
        return out


@dataclass(frozen=True, eq=False)
class Tessellation(Cells):
    """What lies nearest to the same centroid is of one niche.

    Args:
        plane: where the centroids are.
        centroids: `(cells, dims)`.

    References:
        Using Centroidal Voronoi Tessellations to Scale Up the Multidimensional Archive of
        Phenotypic Elites Algorithm (Vassiliades et al., 2018), https://arxiv.org/abs/1610.05729
    """

    plane: Plane
    centroids: np.ndarray

    @classmethod
    def of(
        cls, vectors: np.ndarray, cells: int, dims: int, rng: np.random.Generator
    ) -> Tessellation:
        """Fitted to vectors `(n, d)`, few as they may be: the centroids are those of a normal
        distribution as wide as `_SPREAD` of their deviations."""
        plane = Plane.of(vectors, dims)
        points = _SPREAD * rng.standard_normal((max(_REFERENCE, 4 * cells), plane.axes.shape[1]))
        return cls(plane, _centroids(points, cells))

    def assign(self, vectors: np.ndarray) -> np.ndarray:
        return _nearest(self.plane.points(vectors), self.centroids)


def _nearest(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    return (2 * points @ centroids.T - (centroids**2).sum(1)).argmax(1)


def _centroids(points: np.ndarray, count: int) -> np.ndarray:
    """Lloyd's algorithm from the first points; a centroid that loses all its points stays."""
    centroids = points[:count].copy()
    for _ in range(_ROUNDS):
        owner = _nearest(points, centroids)
        sizes = np.bincount(owner, minlength=len(centroids))
        sums = (
            np.stack(
                [np.bincount(owner, column, minlength=len(centroids)) for column in points.T], 1
            )
            if points.shape[1]
            else centroids
        )
        centroids = np.where(sizes[:, None] > 0, sums / sizes.clip(1)[:, None], centroids)
    return centroids


@dataclass
class Niches:
    """The fittest candidate of each cell.

    Args:
        cells: which cell a candidate is of.

    Attributes:
        best: cell -> id.
    """

    cells: Cells
    best: dict[int, str] = field(default_factory=dict)
    _fitness: dict[int, float] = field(default_factory=dict)

    def refresh(self, archive: Archive) -> None:
        """Take over what people think of the elites by now."""
        for cell, id in self.best.items():
            self._fitness[cell] = float(archive.fitness[archive.place(id)])

    def admit(self, candidates: Sequence[Candidate], archive: Archive) -> list[float]:
        """Put each where it belongs if it is fitter than what is there.

        Returns:
            For each candidate, by how much it raised the sum of the elites' fitness (the QD
            score); 0 for what the archive does not hold.
        """
        known = [(i, c) for i, c in enumerate(candidates) if c.id in archive]
        gains = [0.0] * len(candidates)
        if not known:
            return gains
        cells = self.cells.assign(np.stack([c.vector for _, c in known]))
        for (i, candidate), cell in zip(known, cells.tolist(), strict=True):
            fitness = float(archive.fitness[archive.place(candidate.id)])
            gain = fitness - self._fitness.get(cell, 0.0)
            if cell not in self.best or gain > 0:
                self.best[cell], self._fitness[cell] = candidate.id, fitness
                gains[i] = max(0.0, gain)
        return gains

    @property
    def score(self) -> float:
        """Sum of the elites' fitness: the QD score."""
        return sum(self._fitness.values())
