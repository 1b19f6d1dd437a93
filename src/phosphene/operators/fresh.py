"""fresh: an independent draw, as random search makes them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class Fresh(Operator):
    """Everything new: prompt, picture, noise."""

    name: ClassVar[str] = "fresh"
    parents: ClassVar[int] = 0

    def able(self, space: Space) -> bool:
        return True

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        return space.random(rng)


COMPONENT = Fresh
