"""adapters: other strengths of the LoRA weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.exploring.steering import resteered, steer_of
from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class Adapters(Operator):
    """A Gaussian step of every strength, held inside a range; the noise is kept.

    Args:
        jitter: standard deviation of the step.
        low, high: the range; 1 is the strength that the weights were loaded with.
    """

    jitter: float = 0.3
    low: float = 0.0
    high: float = 1.5
    name: ClassVar[str] = "adapters"

    def __post_init__(self) -> None:
        if not self.jitter > 0 or not self.low < self.high:
            raise PhospheneError(
                f"adapters wants a jitter above 0 and low < high; got {self.jitter}, {self.low}, "
                f"{self.high}"
            )

    def able(self, space: Space) -> bool:
        return bool(space.adapters) and "steering" in space.accepts

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        steer = steer_of(parents[0], "adapters")
        held = {} if steer is None else steer["weights"]
        weights = {
            name: round(float(np.clip(held.get(name, 1.0) + step, self.low, self.high)), 3)
            for name, step in zip(
                space.adapters, rng.normal(0, self.jitter, len(space.adapters)), strict=True
            )
        }
        return resteered(parents[0], "adapters", weights=weights)


COMPONENT = Adapters
