"""MAP-Elites on a centroidal Voronoi tessellation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.breeding import Breeding
from phosphene.exploring.cells import Tessellation
from phosphene.exploring.illuminating import Illuminating


@dataclass
class CvtMapElites(Explorer):
    """MAP-Elites whose cells are those of a tessellation: their number does not grow with the
    dimensions, so more components than two can count.

    Args:
        cells: how many.
        dims: principal components of the warm-up's descriptors.
        b, words, fresh: see `Breeding`.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Using Centroidal Voronoi Tessellations to Scale Up the Multidimensional Archive of
        Phenotypic Elites Algorithm (Vassiliades et al., 2018), https://arxiv.org/abs/1610.05729
    """

    name = "cvt_map_elites"

    cells: int = 256
    dims: int = 6
    b: float = 0.7
    words: float = 0.2
    fresh: float = 0.1
    _elites: Illuminating = field(init=False)

    def __post_init__(self) -> None:
        if min(self.cells, self.dims) < 1:
            raise PhospheneError(
                f"cvt_map_elites: cells and dims must be at least 1; got {self.cells}, {self.dims}"
            )
        self._elites = Illuminating(
            Breeding(self.b, self.words, self.fresh),
            lambda vectors, rng: Tessellation.of(vectors, self.cells, self.dims, rng),
        )

    def ask(self, count: int, view: View) -> list[Proposal]:
        return self._elites.propose(count, view)

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        self._elites.admit(candidates, view)


COMPONENT = CvtMapElites
