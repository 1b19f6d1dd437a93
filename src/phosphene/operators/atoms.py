"""atoms: one word of the prompt exchanged."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.exploring.mutation import reworded
from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class Atoms(Operator):
    """One choice of the prompt's grammar becomes another; noise and the rest are kept.

    A prompt that a person wrote has no atoms: it gives way to a derivation of the grammar.
    """

    name: ClassVar[str] = "atoms"

    def able(self, space: Space) -> bool:
        return space.speaks and space.grammar.size > 1

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        return reworded(parents[0], space, rng)


COMPONENT = Atoms
