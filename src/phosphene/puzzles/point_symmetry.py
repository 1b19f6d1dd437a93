"""Point symmetry: half of a grid of coloured cells is given; half a turn makes the rest."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

from phosphene.puzzles.symmetry import HalfGrid


class PointSymmetry(HalfGrid):
    """As `symmetry`, but the empty half is the given one turned by 180 degrees about the centre."""

    name: ClassVar[str] = "point_symmetry"

    def source(self, parsed: Mapping[str, Any], row: int, column: int) -> tuple[int, int]:
        return parsed["rows"] - 1 - row, parsed["columns"] - 1 - column


COMPONENT = PointSymmetry
