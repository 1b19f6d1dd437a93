"""A herd: the fittest so far, from which the next ones are bred."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.exploring.mutation import mutated
from phosphene.space import Space


@dataclass
class Herd:
    """A (mu + lambda) genetic algorithm over genomes.

    Args:
        size: mu, how many are kept.
        b: length of a step of noise, 0..1.
        words: share of children whose prompt changes instead, where it can.
        fresh: share of the proposals that are independent draws.

    Attributes:
        members: those kept, with their scores, best first.

    Raises:
        PhospheneError: a setting out of its range.
    """

    size: int
    b: float
    words: float
    fresh: float
    members: list[tuple[float, Candidate]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.size < 1:
            raise PhospheneError(f"size must be at least 1; got {self.size}")
        for name in ("b", "words", "fresh"):
            if not 0 <= getattr(self, name) <= 1:
                raise PhospheneError(f"{name} lies in 0..1; got {getattr(self, name)}")

    def propose(self, count: int, space: Space, rng: np.random.Generator) -> list[Proposal]:
        """Children of parents that won a tournament of two; fresh draws while there is none."""
        proposals = []
        for _ in range(count):
            if not self.members or rng.random() < self.fresh:
                proposals.append(Proposal(space.random(rng), "fresh"))
                continue
            place = int(rng.integers(len(self.members), size=2).min())
            parent = self.members[place][1]
            genome, operator = mutated(parent.genome, space, rng, self.b, self.words)
            proposals.append(Proposal(genome, operator, (parent.id,)))
        return proposals

    def admit(self, scored: Sequence[tuple[float, Candidate]]) -> None:
        """Keep the fittest of those here and those that come."""
        ranked = sorted([*self.members, *scored], key=lambda m: (-m[0], m[1].id))
        self.members = ranked[: self.size]
