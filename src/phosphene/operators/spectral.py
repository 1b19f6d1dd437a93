"""spectral: the layout of the noise kept and its texture drawn anew, or the other way round."""

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
class Spectral(Operator):
    """A norm-preserving step in one band of frequencies alone.

    Args:
        keep: `low` or `high` frequencies; either, by chance, if None.
        b: step of the other band; 1 leaves nothing of it.
    """

    keep: str | None = None
    b: float = 1.0
    name: ClassVar[str] = "spectral"

    def __post_init__(self) -> None:
        if self.keep not in (None, "low", "high"):
            raise PhospheneError(f"spectral keeps 'low' or 'high' frequencies; got {self.keep!r}")
        if not 0 < self.b <= 1:
            raise PhospheneError(f"spectral steps by b in 0..1, and not by 0; got {self.b}")

    def able(self, space: Space) -> bool:
        return bool(space.streams)

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        keep = self.keep or ("low", "high")[rng.integers(2)]
        low, high = (0.0, self.b) if keep == "low" else (self.b, 0.0)
        parent = parents[0]
        moved = {s: noise.moved(new_seed(rng), low, high) for s, noise in parent.noise.items()}
        return replace(parent, noise=moved)


COMPONENT = Spectral
