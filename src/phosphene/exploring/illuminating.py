"""MAP-Elites: the fittest of every cell breed, each as often as any other."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.explorer import View
from phosphene.exploring.breeding import Breeding
from phosphene.exploring.cells import Cells, Niches


@dataclass
class Illuminating:
    """Elites over cells that are fitted to the warm-up.

    Args:
        breeding: how children come about.
        fit: lays the cells, from the warm-up's descriptors `(n, d)` and the round's generator.

    Attributes:
        niches: the elites; None before the warm-up.
    """

    breeding: Breeding
    fit: Callable[[np.ndarray, np.random.Generator], Cells]
    niches: Niches | None = field(default=None, init=False)

    def propose(self, count: int, view: View) -> list[Proposal]:
        """Children of elites drawn evenly."""
        ids = list(self.niches.best.values()) if self.niches else []
        parent = lambda: ids[int(view.rng.integers(len(ids)))]  # noqa: E731
        return self.breeding.propose(count, parent if ids else None, view)

    def admit(self, candidates: Sequence[Candidate], view: View) -> None:
        """Take in what came of a round; the first one lays the cells."""
        vectors = finished(candidates)
        if self.niches is None and vectors is not None:
            self.niches = Niches(self.fit(vectors, view.rng))
        if self.niches is not None:
            self.niches.refresh(view.archive)
            self.niches.admit(candidates, view.archive)


def finished(candidates: Sequence[Candidate]) -> np.ndarray | None:
    """Descriptors `(n, d)` of those that were made to the end; None where none was."""
    vectors = [c.vector for c in candidates if c.finished]
    return np.stack(vectors) if vectors else None
