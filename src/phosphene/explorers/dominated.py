"""Dominated Novelty Search: a candidate counts by how far it is from all that are better."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.breeding import Breeding
from phosphene.exploring.dominated import Elite


@dataclass
class Dominated(Explorer):
    """A genetic algorithm whose survivors are those of most dominated novelty.

        s_i = mean distance to the 3 nearest of {j: f_j > f_i},  infinite if there are none
        keep the top C;  parents win a tournament on s;  children step by pCN

    Args:
        capacity: C.
        tournament: how many compete for each parenthood.
        neighbours: how many of the nearest count in s.
        b, words, fresh: see `Breeding`; steps are large, as small ones lose to chance.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Dominated Novelty Search: Rethinking Local Competition in Quality-Diversity (Bahlous-Boldi
        et al., 2025), https://arxiv.org/abs/2502.00593
    """

    name = "dominated"

    capacity: int = 96
    tournament: int = 4
    neighbours: int = 3
    b: float = 0.7
    words: float = 0.2
    fresh: float = 0.1
    _breeding: Breeding = field(init=False)
    _elite: Elite = field(init=False)

    def __post_init__(self) -> None:
        if min(self.capacity, self.tournament, self.neighbours) < 1:
            raise PhospheneError(
                f"dominated: capacity, tournament and neighbours must be at least 1; got "
                f"{self.capacity}, {self.tournament}, {self.neighbours}"
            )
        self._breeding = Breeding(self.b, self.words, self.fresh)
        self._elite = Elite(self.capacity, self.neighbours)

    def ask(self, count: int, view: View) -> list[Proposal]:
        self._elite.update(view.archive)
        parent = lambda: self._elite.tournament(view.rng, self.tournament)  # noqa: E731
        return self._breeding.propose(count, parent if self._elite.ids else None, view)

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        self._elite.update(view.archive, candidates)


COMPONENT = Dominated
