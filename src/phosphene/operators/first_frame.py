"""first_frame: another picture to begin from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np

from phosphene.genome import Genome
from phosphene.operator import Operator
from phosphene.space import Space


@dataclass(frozen=True)
class FirstFrame(Operator):
    """The first frame exchanged, added or taken away; the noise is kept."""

    name: ClassVar[str] = "first_frame"

    def able(self, space: Space) -> bool:
        return len(_choices(space)) > 1

    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        others = [c for c in _choices(space) if c != parents[0].frame]
        return replace(parents[0], frame=others[rng.integers(len(others))])


def _choices(space: Space) -> list[str | None]:
    """The pictures, and none where a candidate may do without one."""
    bare: list[str | None] = [] if "first_frame" in space.base_requires else [None]
    return [*bare, *space.pictures] if space.pictures else []


COMPONENT = FirstFrame
