"""Lines of print on a plain page: where they are, and how many signs each has."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from phosphene.pack import Unreadable
from phosphene.puzzles._picture import away, page_colour

# Levels of 255 that ink must differ from the page by.
_CONTRAST = 60
# Of the tallest signs' height: what may lie between two signs of a line, and how far a sign may be
# above or below the middle of its line.
_GAP, _DRIFT = 2.4, 0.7


@dataclass(frozen=True)
class Sign:
    """Parts of ink one above another: a digit, or an operator with all its strokes.

    Args:
        left, top, right, bottom: its box in pixels, right and bottom exclusive.
        parts: the boxes of its unconnected parts, from top to bottom, as above.
        ink: bool, its pixels within its box.
    """

    left: int
    top: int
    right: int
    bottom: int
    parts: tuple[tuple[int, int, int, int], ...]
    ink: np.ndarray


@dataclass(frozen=True)
class TextLine:
    """Signs from left to right, and the height of a digit in pixels."""

    signs: tuple[Sign, ...]
    height: float

    @property
    def box(self) -> tuple[int, int, int, int]:
        """Left, top, right, bottom in pixels, right and bottom exclusive."""
        return (
            min(s.left for s in self.signs),
            min(s.top for s in self.signs),
            max(s.right for s in self.signs),
            max(s.bottom for s in self.signs),
        )


def find_text(picture: np.ndarray) -> list[TextLine]:
    """The lines of print on a plain page, top to bottom, then left to right.

    Args:
        picture: uint8 `(h, w, 3)`.

    Raises:
        Unreadable: nothing there, or something that is no print.
    """
    from scipy import ndimage

    distance = away(picture, page_colour(picture))
    most = float(distance.max())
    if most < _CONTRAST:
        raise Unreadable("the page is blank")
    ink = distance > max(_CONTRAST, 0.4 * most)
    if ink.mean() > 0.3:
        raise Unreadable("no plain page: too much of it is ink")
    found: Any = ndimage.label(ink, np.ones((3, 3)))
    labels, count = found
    if count > 2000:
        raise Unreadable(f"no print: {count} spots")
    boxes = [(s[1].start, s[0].start, s[1].stop, s[0].stop) for s in ndimage.find_objects(labels)]
    heights = sorted(bottom - top for _, top, _, bottom in boxes)
    height = float(heights[round(0.75 * (len(heights) - 1))])
    if heights[-1] > 2.2 * height or height < 6:
        raise Unreadable(f"no print: marks of {heights[0]} to {heights[-1]} pixels in height")
    speck = (0.08 * height) ** 2
    parts = [
        (box, i + 1)
        for i, box in enumerate(boxes)
        if (box[2] - box[0]) * (box[3] - box[1]) > max(1.0, speck)
    ]
    return [_line(row, labels, height) for row in _rows(parts, height)]


Part = tuple[tuple[int, int, int, int], int]


def _rows(parts: list[Part], height: float) -> list[list[Part]]:
    """Parts by line of print."""
    rows: list[list[Part]] = []
    # The tall signs say where the lines are; dots and dashes join the nearest.
    for part in sorted(parts, key=lambda p: p[0][1] - p[0][3]):
        middle = (part[0][1] + part[0][3]) / 2
        near = [row for row in rows if abs(_middle(row) - middle) < _DRIFT * height]
        if near:
            min(near, key=lambda row: abs(_middle(row) - middle)).append(part)
        else:
            rows.append([part])
    lines = []
    for row in sorted(rows, key=_middle):
        row.sort()
        line = [row[0]]
        for part in row[1:]:
            if part[0][0] - max(p[0][2] for p in line) > _GAP * height:
                lines.append(line)
                line = []
            line.append(part)
        lines.append(line)
    return lines


def _middle(row: list[Part]) -> float:
    """Of the row's first, tallest sign."""
    _, top, _, bottom = max((box for box, _ in row), key=lambda b: b[3] - b[1])
    return (top + bottom) / 2


def _line(parts: list[Part], labels: np.ndarray, height: float) -> TextLine:
    groups: list[list[Part]] = []
    for part in sorted(parts):
        # Strokes of one operator lie over each other; neighbours may only just overlap.
        if groups:
            right = max(p[0][2] for p in groups[-1])
            narrow = min(part[0][2] - part[0][0], right - min(p[0][0] for p in groups[-1]))
            if right - part[0][0] > 0.4 * narrow:
                groups[-1].append(part)
                continue
        groups.append([part])
    return TextLine(tuple(_sign(group, labels) for group in groups), height)


def _sign(group: list[Part], labels: np.ndarray) -> Sign:
    left, top = min(b[0] for b, _ in group), min(b[1] for b, _ in group)
    right, bottom = max(b[2] for b, _ in group), max(b[3] for b, _ in group)
    ink = np.isin(labels[top:bottom, left:right], [label for _, label in group])
    boxes = tuple(sorted((b for b, _ in group), key=lambda b: b[1]))
    return Sign(left, top, right, bottom, boxes, ink)
