"""MAP-Elites on a grid."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.breeding import Breeding
from phosphene.exploring.cells import Grid, Plane
from phosphene.exploring.illuminating import Illuminating


@dataclass
class MapElites(Explorer):
    """The fittest of every box of a grid over the first two principal components of the warm-up's
    descriptors; parents are drawn evenly from them. The grid stays as the warm-up made it.

    Args:
        bins: boxes along each axis.
        b, words, fresh: see `Breeding`.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Illuminating search spaces by mapping elites (Mouret and Clune, 2015), figure 2,
        https://arxiv.org/abs/1504.04909
    """

    name = "map_elites"

    bins: int = 16
    b: float = 0.7
    words: float = 0.2
    fresh: float = 0.1
    _elites: Illuminating = field(init=False)

    def __post_init__(self) -> None:
        if self.bins < 1:
            raise PhospheneError(f"map_elites: bins must be at least 1; got {self.bins}")
        self._elites = Illuminating(
            Breeding(self.b, self.words, self.fresh),
            lambda vectors, rng: Grid(Plane.of(vectors, 2), self.bins),
        )

    def ask(self, count: int, view: View) -> list[Proposal]:
        return self._elites.propose(count, view)

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        self._elites.admit(candidates, view)


COMPONENT = MapElites
