"""streams: the sound of one with the picture of another."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from phosphene.genome import Genome
from phosphene.noise import Noise
from phosphene.operator import Operator, new_seed
from phosphene.space import Space


@dataclass(frozen=True)
class Streams(Operator):
    """One stream's noise is exchanged for the second parent's; the rest is the first parent's.

    Where both have the same noise there, or there is one parent, that stream is drawn anew.

    Args:
        stream: which one is exchanged; any, by chance, if None.

    References:
        MEliTA (Zammit et al., 2024): quality diversity that exchanges one modality of two.
    """

    stream: str | None = None
    name: ClassVar[str] = "streams"
    parents: ClassVar[int] = 2

    def able(self, space: Space) -> bool:
        known = self.stream is None or self.stream in space.streams
        return len(space.streams) > 1 and known

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        one, other = parents[0], parents[-1]
        stream = self.stream or space.streams[rng.integers(len(space.streams))]
        given = other.noise.get(stream)
        if given is None or given == one.noise.get(stream):
            given = Noise.fresh(new_seed(rng))
        return replace(one, noise={**one.noise, stream: given})


COMPONENT = Streams
