"""Breeding: proposals from parents, by the operators that a space allows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from phosphene.candidate import Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import View
from phosphene.operator import Operator

FRESH = "fresh"


def fresh(view: View) -> Proposal:
    """An independent draw."""
    return Proposal(view.space.random(view.rng), FRESH)


def bred(operator: Operator, parent: Callable[[], str], view: View) -> Proposal:
    """A child of parents that `parent` draws by id, as many as the operator takes."""
    ids = [parent() for _ in range(operator.parents)]
    genomes = [view.archive[id].genome for id in ids]
    genome = operator.breed(genomes, view.space, view.rng)
    return Proposal(genome, operator.name, tuple(dict.fromkeys(ids)))


def stepping(operator: Operator, b: float) -> Operator:
    """A `pcn` operator set to steps of b."""
    return replace(operator, b=b)  # type: ignore[type-var]


@dataclass(frozen=True)
class Breeding:
    """How children come about: by a step of the noise, an exchanged word, or from nothing.

    Where people left `pcn` out, any operator that they allow takes its place.

    Args:
        b: length of a step of noise, 0..1.
        words: share of children whose prompt changes by a word instead, where it can.
        fresh: share of independent draws.

    Raises:
        PhospheneError: a setting out of its range.
    """

    b: float
    words: float
    fresh: float

    def __post_init__(self) -> None:
        shares = (self.words, self.fresh)
        if not 0 < self.b <= 1 or not all(0 <= s <= 1 for s in shares):
            raise PhospheneError(
                f"b, words and fresh lie in 0..1, and b is not 0; got {self.b}, {self.words}, "
                f"{self.fresh}"
            )

    def propose(self, count: int, parent: Callable[[], str] | None, view: View) -> list[Proposal]:
        """Proposals; `parent` draws the id of one, None while there is none."""
        return [self._one(parent, view) for _ in range(count)]

    def _one(self, parent: Callable[[], str] | None, view: View) -> Proposal:
        known = view.operators
        others = [n for n, o in known.items() if o.parents]
        if parent is None or not others or view.rng.random() < self.fresh:
            return fresh(view)
        if "atoms" in known and view.rng.random() < self.words:
            return bred(known["atoms"], parent, view)
        if "pcn" in known:
            return bred(stepping(known["pcn"], self.b), parent, view)
        return bred(known[others[view.rng.integers(len(others))]], parent, view)
