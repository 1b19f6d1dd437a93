"""Dominated novelty: how far a candidate is from those that are better than it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np

from phosphene.archive import Archive
from phosphene.candidate import Candidate


def dominated(vectors: np.ndarray, fitness: np.ndarray, nearest: int = 3) -> np.ndarray:
    """Mean cosine distance to the nearest of those that are fitter; inf where none is.

    Args:
        vectors: unit `(n, d)`.
        fitness: `(n,)`.
        nearest: how many count; fewer where fewer are fitter.

    Returns:
        Scores `(n,)`.

    References:
        Dominated Novelty Search: Rethinking Local Competition in Quality-Diversity (Bahlous-Boldi
        et al., 2025), equation 3, https://arxiv.org/abs/2502.00593
    """
    fitter = fitness[None] > fitness[:, None]
    far = np.where(fitter, 1 - vectors @ vectors.T, np.inf)
    k = min(nearest, len(vectors))
    near = np.partition(far, k - 1, 1)[:, :k] if k else far
    counted = np.isfinite(near)
    sums = np.where(counted, near, 0.0).sum(1)
    return np.where(counted.any(1), sums / counted.sum(1).clip(1), np.inf)


@dataclass
class Elite:
    """Those of most dominated novelty; who falls out does not come back.

    Args:
        capacity: how many are kept.
        nearest: see `dominated`.

    Attributes:
        ids: of those kept, best first.
        scores: theirs, `(len(ids),)`; stale once the archive's fitness has changed.
    """

    capacity: int = 256
    nearest: int = 3
    ids: list[str] = field(default_factory=list)
    scores: np.ndarray = field(default_factory=lambda: np.zeros(0))

    def update(self, archive: Archive, candidates: Iterable[Candidate] = ()) -> None:
        """Score all again, with those of `candidates` that the archive holds, and keep the best.

        The cost depends on the capacity, not on the archive.
        """
        held = set(self.ids)
        fresh = [c.id for c in candidates if c.id in archive and c.id not in held]
        ids = [*self.ids, *fresh]
        if not ids:
            return
        places = np.array([archive.place(id) for id in ids])
        fitness = archive.fitness[places]
        scores = dominated(archive.vectors[places], fitness, self.nearest)
        order = np.lexsort((places, -fitness, -scores))[: self.capacity]
        self.ids = [ids[i] for i in order]
        self.scores = scores[order]

    def tournament(self, rng: np.random.Generator, size: int = 2) -> str:
        """The best scored of a few drawn by chance."""
        return self.ids[int(rng.integers(len(self.ids), size=size).min())]

    def any(self, rng: np.random.Generator) -> str:
        """One by chance."""
        return self.ids[int(rng.integers(len(self.ids)))]
