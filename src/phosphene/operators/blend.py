"""blend: noise between that of two parents."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.genome import Genome
from phosphene.operator import Operator, new_seed
from phosphene.space import Space


@dataclass(frozen=True)
class Blend(Operator):
    """A point on the great circle between two noises, the same share in every stream; prompt and
    the rest come from one of the two.

    Two parents of one noise have nothing between them: their child takes a step of `step` instead.

    Args:
        low, high: the second parent's share lies between them, evenly.
        step: b of that step, see `pcn`.
    """

    low: float = 0.3
    high: float = 0.7
    step: float = 0.7
    name: ClassVar[str] = "blend"
    parents: ClassVar[int] = 2

    def __post_init__(self) -> None:
        if not 0 <= self.low <= self.high <= 1 or not 0 < self.step <= 1:
            raise PhospheneError(
                f"blend wants 0 <= low <= high <= 1 and a step in 0..1; got {self.low}, "
                f"{self.high}, {self.step}"
            )

    def able(self, space: Space) -> bool:
        return bool(space.streams)

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        one, other = parents[0], parents[-1]
        share = float(rng.uniform(self.low, self.high))
        body = parents[-1] if rng.random() < 0.5 else one
        noise = dict(body.noise)
        for stream in (s for s in one.noise if s in other.noise):
            a, b = one.noise[stream], other.noise[stream]
            noise[stream] = a.moved(new_seed(rng), self.step) if a == b else a.blended(b, share)
        return replace(body, noise=noise)


COMPONENT = Blend
