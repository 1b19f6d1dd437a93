"""CMA-MAE over a few numbers that hold a genome: quality and variety by evolution strategies."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.handle import Handle, check_seeds
from phosphene.exploring.merit import best, merit

_EDGE = 0.1  # of the warm-up's extent, added on either side of the grid
_LEAST = -1e-3  # threshold of an empty cell: fitness 0 passes it


@dataclass
class _Generation:
    """What one emitter asked for: its coordinates, and what came of them by place."""

    emitter: int
    x: np.ndarray
    told: dict[int, Candidate | None] = field(default_factory=dict)


@dataclass
class CmaMae(Explorer):
    """Covariance matrix adaptation MAP-annealing, with `ribs`.

        improvement of x in cell e:  f(x) - t_e;   where it is positive:  t_e += alpha (f - t_e)
        each emitter is a CMA-ES that climbs the improvement

    Cells divide the plane of the first two principal components of the descriptors seen before it
    was first asked, the warm-up's; it draws independently until there are three. alpha = 1 is
    CMA-ME, alpha = 0 plain CMA-ES. What x holds is in `phosphene.exploring.handle`; words and
    picture are those of the best of the warm-up, and what was found is read from the session's own
    archive.

    Args:
        seeds: draws of each stream, 2..24.
        bins: cells along each side of the grid.
        alpha: the archive's learning rate, 0..1.
        sigma: of the steps at the start.
        generation: candidates that an emitter asks for at a time, at least 4; as many emitters run
            side by side as fill the first batch.

    Raises:
        PhospheneError: a setting out of its range; when asked, the package is missing.

    References:
        Covariance Matrix Adaptation MAP-Annealing (Fontaine and Nikolaidis, 2023), algorithm 1,
        https://arxiv.org/abs/2205.10752
    """

    name = "cma_mae"

    seeds: int = 16
    bins: int = 16
    alpha: float = 0.1
    sigma: float = 1.0
    generation: int = 16
    _handle: Handle | None = field(default=None, init=False)
    _plane: tuple[np.ndarray, np.ndarray] | None = field(default=None, init=False)
    _grid: Any = field(default=None, init=False)
    _emitters: list[Any] = field(default_factory=list, init=False)
    _open: list[_Generation] = field(default_factory=list, init=False)
    _waiting: list[Proposal] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        check_seeds(self.seeds, self.name)
        if self.bins < 2 or self.generation < 4:
            raise PhospheneError(
                f"cma_mae: bins must be at least 2 and generation at least 4; got {self.bins}, "
                f"{self.generation}"
            )
        if not 0 <= self.alpha <= 1 or not self.sigma > 0:
            raise PhospheneError(
                f"cma_mae: alpha lies in 0..1 and sigma above 0; got {self.alpha}, {self.sigma}"
            )

    def ask(self, count: int, view: View) -> list[Proposal]:
        if self._handle is None and len(view.archive) < 3:
            return [Proposal(view.space.random(view.rng), "fresh") for _ in range(count)]
        if self._handle is None:
            self._begin(count, view)
        self._learn(view)
        if not self._waiting:
            self._waiting = self._breed()
        proposals, self._waiting = self._waiting[:count], self._waiting[count:]
        return proposals

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        for candidate in candidates:
            note = candidate.proposal.note
            for generation in self._open:
                if note.get("emitter") == generation.emitter:
                    made = candidate if candidate.finished else None
                    generation.told[note["place"]] = made

    def _begin(self, count: int, view: View) -> None:
        try:
            from ribs.archives import GridArchive
            from ribs.emitters import EvolutionStrategyEmitter
        except ImportError:
            raise PhospheneError(
                "explorer cma_mae needs the package ribs; pip install 'phosphene[search]'"
            ) from None
        start = best(view.archive, view.archive)
        self._handle = Handle.around(start.genome, self.seeds, view.space, view.rng)
        self._plane = plane(view.archive.vectors)
        seen = self._seen(view.archive.vectors)
        edge = _EDGE * np.ptp(seen, 0) + 1e-3
        ranges = list(zip(seen.min(0) - edge, seen.max(0) + edge, strict=True))
        self._grid = GridArchive(
            solution_dim=self._handle.size,
            dims=(self.bins, self.bins),
            ranges=ranges,
            learning_rate=self.alpha,
            threshold_min=_LEAST,
            seed=int(view.rng.integers(2**31)),
        )
        self._emitters = [
            EvolutionStrategyEmitter(
                self._grid,
                x0=np.zeros(self._handle.size),
                sigma0=self.sigma,
                ranker="imp",
                selection_rule="mu",
                restart_rule="basic",
                batch_size=self.generation,
                seed=int(view.rng.integers(2**31)),
            )
            for _ in range(max(1, count // self.generation))
        ]

    def _breed(self) -> list[Proposal]:
        """Every emitter's next generation."""
        assert self._handle is not None
        self._open = [_Generation(i, e.ask()) for i, e in enumerate(self._emitters)]
        return [
            Proposal(self._handle.genome(x), "cma", note={"emitter": g.emitter, "place": place})
            for g in self._open
            for place, x in enumerate(g.x)
        ]

    def _learn(self, view: View) -> None:
        """Whole generations are learnt from when the next is asked for, when what people think of
        them is known."""
        for generation in [g for g in self._open if len(g.told) == len(g.x)]:
            self._open.remove(generation)
            made = [generation.told[i] for i in range(len(generation.x))]
            if not any(made):
                continue  # ranks of nothing teach nothing
            # What failed is worse than anything, so that it is admitted to no cell.
            objective = np.array([-1.0 if c is None else merit(c, view.archive) for c in made])
            width = view.archive.vectors.shape[1]
            empty = np.zeros(width, np.float32)
            measures = self._seen(np.stack([empty if c is None else c.vector for c in made]))
            info = self._grid.add(generation.x, objective, measures)
            emitter = self._emitters[generation.emitter]
            emitter.tell(generation.x, objective, measures, info)

    def _seen(self, vectors: np.ndarray) -> np.ndarray:
        assert self._plane is not None
        return (vectors.astype(np.float64) - self._plane[0]) @ self._plane[1].T


def plane(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean `(d,)` and first two principal directions `(2, d)` of descriptors `(n, d)`, float64.

    Directions point where their largest number is positive, on every machine.
    """
    mean = vectors.mean(0, dtype=np.float64)
    axes = np.linalg.svd(vectors - mean, full_matrices=False)[2][:2]
    largest = np.take_along_axis(axes, np.abs(axes).argmax(1)[:, None], 1)
    return mean, axes * np.sign(largest)


COMPONENT = CmaMae
