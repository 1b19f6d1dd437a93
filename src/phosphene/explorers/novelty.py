"""Novelty search: whatever is unlike all that was seen; good or bad."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.breeding import bred, fresh


@dataclass
class Novelty(Explorer):
    """Parents are the most novel of the newest; children by any operator that is able.

        rho(x) = mean distance from x to its k nearest in the archive

    Novelty wears off as the archive fills, so it is measured again for those that still compete:
    the last `pool` that were admitted.

    Args:
        neighbours: k.
        pool: how many compete to be parents.
        fresh: share of independent draws; they are hard to beat at this.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Abandoning Objectives: Evolution through the Search for Novelty Alone (Lehman and Stanley,
        2011), section 4, https://doi.org/10.1162/EVCO_a_00025
    """

    name = "novelty"

    neighbours: int = 15
    pool: int = 128
    fresh: float = 0.2
    _pool: list[str] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if min(self.neighbours, self.pool) < 1 or not 0 <= self.fresh <= 1:
            raise PhospheneError(
                f"novelty: neighbours and pool must be at least 1 and fresh in 0..1; got "
                f"{self.neighbours}, {self.pool}, {self.fresh}"
            )

    def ask(self, count: int, view: View) -> list[Proposal]:
        operators = [o for o in view.operators.values() if o.parents]
        if not operators or not self._pool:
            return [fresh(view) for _ in range(count)]
        vectors = np.stack([view.archive[id].vector for id in self._pool])
        novelty = view.archive.novelty(vectors, self.neighbours, itself=True)
        order = [self._pool[i] for i in np.argsort(-novelty, kind="stable")]
        parent = lambda: order[int(view.rng.integers(len(order), size=2).min())]  # noqa: E731
        return [
            fresh(view)
            if view.rng.random() < self.fresh
            else bred(operators[view.rng.integers(len(operators))], parent, view)
            for _ in range(count)
        ]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        admitted = [c.id for c in candidates if c.id in view.archive]
        self._pool = [*self._pool, *admitted][-self.pool :]


COMPONENT = Novelty
