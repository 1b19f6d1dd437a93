"""pcn: a norm-preserving step of the noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.exploring.mutation import moved
from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class Pcn(Operator):
    """x' = sqrt(1 - b^2) x + b e in every stream; prompt and the rest are kept.

    Args:
        b: 0 (the parent) to 1 (nothing left of its noise).

    References:
        MCMC Methods for Functions (Cotter et al., 2013), https://arxiv.org/abs/1202.0709
    """

    b: float = 0.7
    name: ClassVar[str] = "pcn"

    def __post_init__(self) -> None:
        if not 0 < self.b <= 1:
            raise PhospheneError(f"pcn steps by b in 0..1, and not by 0; got {self.b}")

    def able(self, space: Space) -> bool:
        return bool(space.streams)

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        return moved(parents[0], rng, self.b)


COMPONENT = Pcn
