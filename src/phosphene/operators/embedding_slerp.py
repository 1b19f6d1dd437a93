"""embedding_slerp: a prompt between two prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.exploring.steering import resteered
from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class EmbeddingSlerp(Operator):
    """The first parent, its prompt's embedding moved towards that of the second one's prompt.

    Parents of one prompt get another derivation of the grammar for the second prompt.

    Args:
        low, high: the second prompt's share lies between them, evenly.
    """

    low: float = 0.3
    high: float = 0.7
    name: ClassVar[str] = "embedding_slerp"
    parents: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1:
            raise PhospheneError(
                f"embedding_slerp wants 0 <= low <= high <= 1; got {self.low}, {self.high}"
            )

    def able(self, space: Space) -> bool:
        return space.speaks and "steering" in space.accepts and space.grammar.size > 1

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        one, other = parents[0], parents[-1].prompt
        if other == one.prompt:
            other = space.grammar.mutate(one.atoms, rng)[0]
        share = round(float(rng.uniform(self.low, self.high)), 3)
        return resteered(one, "blend_prompt", prompt=other, share=share)


COMPONENT = EmbeddingSlerp
