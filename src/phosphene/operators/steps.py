"""steps: another number of denoising steps."""

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
class Steps(Operator):
    """Any other number inside the space's range, near the parent's; the noise is kept.

    Args:
        reach: farthest step, as a share of the range; one step at least.
    """

    reach: float = 0.5
    name: ClassVar[str] = "steps"

    def __post_init__(self) -> None:
        if not 0 < self.reach <= 1:
            raise PhospheneError(f"steps wants a reach in 0..1, and not 0; got {self.reach}")

    def able(self, space: Space) -> bool:
        return space.step_range is not None

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        if space.step_range is None:
            raise PhospheneError("this space leaves steps alone; give it a step range")
        low, high = space.step_range
        held = min(max(space.steps_of(parents[0]), low), high)
        far = max(1, round(self.reach * (high - low)))
        near = range(max(low, held - far), min(high, held + far) + 1)
        others = [n for n in near if n != space.steps_of(parents[0])]
        return replace(parents[0], steps=int(others[rng.integers(len(others))]))


COMPONENT = Steps
