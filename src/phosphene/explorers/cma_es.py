"""CMA-ES over a few numbers that hold a genome."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.handle import Handle, check_seeds
from phosphene.exploring.merit import merit


@dataclass
class CmaEs(Explorer):
    """Evolution strategy with an adapted covariance, maximising fitness for one prompt.

        x_i ~ m + s N(0, C);  m, s, C follow from the ranks of the x_i  (Hansen's update)

    x holds the weights of `seeds` fixed draws of noise, and guidance and LoRA strengths where they
    may vary (see `phosphene.exploring.handle`); never the noise itself, which has too many numbers
    for a covariance and would leave the sphere. It starts at m = 0, s = 1, C = I: the first
    generation is independent draws from the sphere. Words and picture are those of the best
    candidate so far; a run that has converged is followed by one around the best that no run began
    from.

    Args:
        seeds: draws of each stream, 2..24.
        separable: adapt the diagonal of C alone, for dozens of coordinates.

    Raises:
        PhospheneError: a setting out of its range; when asked, the package is missing.

    References:
        The CMA Evolution Strategy: A Tutorial (Hansen, 2016), https://arxiv.org/abs/1604.00772
        A Simple Modification in CMA-ES Achieving Linear Time and Space Complexity (Ros and Hansen,
        2008), https://doi.org/10.1007/978-3-540-87700-4_30
    """

    name = "cma_es"

    seeds: int = 16
    separable: bool = False
    _handle: Handle | None = field(default=None, init=False)
    _optimiser: Any = field(default=None, init=False)
    _asked: dict[int, np.ndarray] = field(default_factory=dict, init=False)
    _told: list[tuple[np.ndarray, Candidate]] = field(default_factory=list, init=False)
    _base: str | None = field(default=None, init=False)
    _used: set[str] = field(default_factory=set, init=False)
    _count: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        check_seeds(self.seeds, self.name)

    def ask(self, count: int, view: View) -> list[Proposal]:
        self._learn(view)
        if self._handle is None or self._optimiser.should_stop():
            self._begin(count, view)
        assert self._handle is not None
        proposals, self._asked = [], {}
        for _ in range(count):
            x = self._optimiser.ask()
            self._asked[self._count] = x
            parents = (self._base,) if self._base else ()
            note = {"place": self._count}
            proposals.append(Proposal(self._handle.genome(x), "cma", parents, note=note))
            self._count += 1
        return proposals

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        for candidate in candidates:
            x = self._asked.get(candidate.proposal.note.get("place", -1))
            if candidate.finished and x is not None:
                self._told.append((x, candidate))

    def _learn(self, view: View) -> None:
        """Whole generations are learnt from when the next is asked for, when what people think of
        them is known; a rest waits."""
        size = self._optimiser.population_size if self._told else 0
        while size and len(self._told) >= size:
            generation, self._told = self._told[:size], self._told[size:]
            self._optimiser.tell([(x, -merit(c, view.archive)) for x, c in generation])

    def _begin(self, count: int, view: View) -> None:
        order = np.argsort(-view.archive.fitness, kind="stable")
        unused = [c for i in order if (c := view.archive.candidates[i]).id not in self._used]
        base = unused[0].genome if unused else view.space.random(view.rng)
        self._base = unused[0].id if unused else None
        self._used.update(c.id for c in unused[:1])
        self._handle = Handle.around(base, self.seeds, view.space, view.rng)
        self._optimiser = _optimiser(self._handle.size, self.separable, count, view.rng)
        self._told = []


def _optimiser(size: int, separable: bool, count: int, rng: np.random.Generator) -> Any:
    """With a population near the usual 4 + 3 ln n that divides the batch."""
    try:
        import cmaes
    except ImportError:
        raise PhospheneError(
            "explorer cma_es needs the package cmaes; pip install 'phosphene[search]'"
        ) from None
    usual = 4 + int(3 * np.log(size))
    population = max(4, count // max(1, count // usual))
    kind = cmaes.SepCMA if separable else cmaes.CMA
    seed = int(rng.integers(2**31))
    return kind(mean=np.zeros(size), sigma=1.0, seed=seed, population_size=population)


COMPONENT = CmaEs
