"""grammar: other words for the same noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space

_TRIES = 8


@dataclass(frozen=True)
class NewDerivation(Operator):
    """The prompt is derived anew; noise and the rest are kept.

    A small grammar often derives the parent's prompt again: that is tried once more, a few times.
    """

    name: ClassVar[str] = "grammar"

    def able(self, space: Space) -> bool:
        return space.speaks and space.grammar.size > 1

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        prompt, atoms = space.grammar.derive(rng)
        for _ in range(_TRIES):
            if prompt != parents[0].prompt:
                break
            prompt, atoms = space.grammar.derive(rng)
        return replace(parents[0], prompt=prompt, atoms=atoms)


COMPONENT = NewDerivation
