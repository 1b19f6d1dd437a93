"""Credit: what a candidate adds to what was there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.archive import Archive
from phosphene.candidate import Candidate


@dataclass
class Credit:
    """By how much a candidate raises the QD score of its own neighbourhood.

        credit_i = max(0, f_i - max {f_j : j before i, d_ij < r})

    This is the gain in QD score of a cell that is a ball around the candidate. Cells that were
    fitted to a short warm-up are too coarse to tell one step of a search from another; the ball's
    radius is all that has to be known, and it stays as the warm-up set it.

    Args:
        radius: r in units of the median distance between nearest neighbours in the warm-up.
    """

    radius: float
    _r: float | None = field(default=None, init=False)

    @property
    def ready(self) -> bool:
        """Whether the radius is known."""
        return self._r is not None

    def calibrate(self, archive: Archive) -> None:
        """Set the radius by the candidates of the warm-up; wait if there are fewer than two."""
        nearest = archive.novelty(archive.vectors, 1, itself=True)
        if len(archive) > 1:
            self._r = self.radius * float(np.median(nearest))

    def gains(self, candidates: Sequence[Candidate], archive: Archive) -> list[float]:
        """The credit of each; 0 for what the archive does not hold, and while the radius is not
        known."""
        known = [(i, archive.place(c.id)) for i, c in enumerate(candidates) if c.id in archive]
        gains = [0.0] * len(candidates)
        if self._r is None or not known:
            return gains
        places = np.array([p for _, p in known])
        fitness = archive.fitness
        near = archive.distances(archive.vectors[places]) < self._r
        near &= np.arange(len(archive)) < places[:, None]
        before = np.where(near, fitness, 0).max(1)
        for (i, place), rival in zip(known, before, strict=True):
            gains[i] = max(0.0, float(fitness[place] - rival))
        return gains
