"""guidance: another strength of guidance."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class Guidance(Operator):
    """A Gaussian step inside the space's range, reflected at its ends; the noise is kept.

    Args:
        jitter: standard deviation, as a share of the range.
    """

    jitter: float = 0.3
    name: ClassVar[str] = "guidance"

    def __post_init__(self) -> None:
        if not self.jitter > 0:
            raise PhospheneError(f"guidance wants a jitter above 0; got {self.jitter}")

    def able(self, space: Space) -> bool:
        return space.guidance is not None

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        if space.guidance is None:
            raise PhospheneError("this space leaves guidance alone; give it a guidance range")
        low, high = space.guidance
        held = parents[0].guidance
        held = space.base.guidance if held is None else held
        place = 0.5 if held is None else (held - low) / (high - low)
        moved = (min(max(place, 0.0), 1.0) + rng.normal(0, self.jitter)) % 2
        place = moved if moved <= 1 else 2 - moved
        return replace(parents[0], guidance=round(float(low + (high - low) * place), 3))


COMPONENT = Guidance
