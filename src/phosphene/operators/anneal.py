"""anneal: noise on the condition while the sample takes shape (CADS)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.exploring.steering import resteered
from phosphene.genome import Genome
from phosphene.operator import Operator, new_seed
from phosphene.space import Space


@dataclass(frozen=True)
class Anneal(Operator):
    """The prompt's embedding is noisy early on and clean at the end; the noise is kept.

    Args:
        low, high: the noise's scale lies between them, evenly.
        start, stop: times between which it fades, 1 at the first step and 0 after the last: full
            before `start`, none after `stop`.
        mix: how far the embedding's mean and deviation are restored, 0..1.

    References:
        CADS: Unleashing the Diversity of Diffusion Models through Condition-Annealed Sampling
        (Sadat et al., 2024), algorithm 1, https://arxiv.org/abs/2310.17347
    """

    low: float = 0.05
    high: float = 0.4
    start: float = 0.9
    stop: float = 0.6
    mix: float = 1.0
    name: ClassVar[str] = "anneal"

    def __post_init__(self) -> None:
        if not 0 < self.low <= self.high:
            raise PhospheneError(f"anneal wants 0 < low <= high; got {self.low}, {self.high}")
        if not 0 <= self.stop < self.start <= 1 or not 0 <= self.mix <= 1:
            raise PhospheneError(
                f"anneal wants 0 <= stop < start <= 1 and a mix in 0..1; got {self.start}, "
                f"{self.stop}, {self.mix}"
            )

    def able(self, space: Space) -> bool:
        return space.speaks and "steering" in space.accepts

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        return resteered(
            parents[0],
            "anneal",
            scale=round(float(rng.uniform(self.low, self.high)), 3),
            start=self.start,
            stop=self.stop,
            mix=self.mix,
            seed=new_seed(rng),
        )


COMPONENT = Anneal
