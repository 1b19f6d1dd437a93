"""Dominated Novelty Search: a candidate counts by how far it is from all that are better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.breeding import bred, fresh, stepping
from phosphene.exploring.dominated import Elite


@dataclass
class Dominated(Explorer):
    """A genetic algorithm whose survivors are those of most dominated novelty.

        s_i = mean distance to the 3 nearest of {j: f_j > f_i},  infinite if there are none
        keep the top C;  parents win a tournament of two on s;  children step by pCN

    Args:
        capacity: C.
        b: length of a step of noise, 0..1: large steps, as small ones lose to chance.
        fresh: share of independent draws.
        neighbours: how many of the nearest count.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Dominated Novelty Search: Rethinking Local Competition in Quality-Diversity (Bahlous-Boldi
        et al., 2025), https://arxiv.org/abs/2502.00593
    """

    name = "dominated"

    capacity: int = 256
    b: float = 0.7
    fresh: float = 0.1
    neighbours: int = 3
    _elite: Elite = field(init=False)

    def __post_init__(self) -> None:
        if self.capacity < 1 or self.neighbours < 1:
            raise PhospheneError(
                f"dominated: capacity and neighbours must be at least 1; got {self.capacity}, "
                f"{self.neighbours}"
            )
        if not 0 < self.b <= 1 or not 0 <= self.fresh <= 1:
            raise PhospheneError(
                f"dominated: b lies in 0..1 and is not 0, fresh in 0..1; got {self.b}, {self.fresh}"
            )
        self._elite = Elite(self.capacity, self.neighbours)

    def ask(self, count: int, view: View) -> list[Proposal]:
        self._elite.update(view.archive)
        operator = stepping(view.operators, self.b).get("pcn")
        return [
            fresh(view)
            if operator is None or not self._elite.ids or view.rng.random() < self.fresh
            else bred(operator, lambda: self._elite.tournament(view.rng), view)
            for _ in range(count)
        ]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        self._elite.update(view.archive, candidates)


COMPONENT = Dominated
