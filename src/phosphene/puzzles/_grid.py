"""Ruled grids: where the lines of a drawn grid are, found by their shape and not by their place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.pack import Unreadable

# Levels of 255 by which a line differs from what is on both of its sides.
_CONTRAST = 18
# How far a line may be from its place in the lattice, as a share of the pitch.
_SLACK = 0.14


@dataclass(frozen=True)
class Grid:
    """A grid's lines in pixels of the picture it was found in.

    Args:
        xs, ys: places of the vertical and horizontal lines, outer ones included, ascending.
    """

    xs: tuple[float, ...]
    ys: tuple[float, ...]

    @property
    def columns(self) -> int:
        return len(self.xs) - 1

    @property
    def rows(self) -> int:
        return len(self.ys) - 1

    def cell(self, row: int, column: int, inset: float = 0.0) -> tuple[slice, slice]:
        """Rows and columns of pixels of a cell, `inset` (share of a side) from its lines."""
        top, bottom = self.ys[row], self.ys[row + 1]
        left, right = self.xs[column], self.xs[column + 1]
        dy, dx = (bottom - top) * inset, (right - left) * inset
        return _span(top + dy, bottom - dy), _span(left + dx, right - dx)

    def shares(self, picture: np.ndarray) -> dict[str, list[float]]:
        """The lines as shares of the picture `(h, w, 3)` they were found in, JSON-able."""
        h, w = picture.shape[:2]
        return {"x": [round(x / w, 5) for x in self.xs], "y": [round(y / h, 5) for y in self.ys]}

    @classmethod
    def placed(cls, lines: Mapping[str, Sequence[float]], picture: np.ndarray) -> Grid:
        """The grid whose `shares` are `lines`, in a picture `(h, w, 3)` of any size."""
        h, w = picture.shape[:2]
        return cls(tuple(x * w for x in lines["x"]), tuple(y * h for y in lines["y"]))

    def scaled(self, factor_x: float, factor_y: float) -> Grid:
        """The same grid in a picture of another size."""
        return Grid(tuple(x * factor_x for x in self.xs), tuple(y * factor_y for y in self.ys))


def _span(start: float, stop: float) -> slice:
    first = round(start)
    return slice(first, max(first + 1, round(stop)))


@dataclass(frozen=True)
class Line:
    """A straight line along an axis.

    Args:
        at: its place across, in pixels.
        start, end: where it runs, in pixels.
        contrast: how far it differs from its sides, in levels of 255.
    """

    at: float
    start: float
    end: float
    contrast: float


def find_lines(picture: np.ndarray, least: float = 0.25) -> tuple[list[Line], list[Line]]:
    """Straight lines, vertical and horizontal, darker or lighter than both of their sides.

    Args:
        picture: uint8 `(h, w, 3)`.
        least: shortest length, as a share of the picture's shorter side.

    Returns:
        Vertical and horizontal lines, of the polarity (dark or light) that has more of them.
    """
    values = picture.astype(np.int16)
    shorter = min(picture.shape[:2])
    reach = max(3, round(shorter / 90))
    found = []
    for signed in (values, -values):
        upright = _ridges(signed, reach)
        lying = _ridges(signed.transpose(1, 0, 2), reach)
        found.append((_runs(upright, least * shorter), _runs(lying, least * shorter)))
    return max(found, key=lambda pair: (min(map(len, pair)), sum(map(len, pair))))


def _ridges(values: np.ndarray, reach: int) -> np.ndarray:
    """How much darker each pixel is than the pixels `reach` to its left and right, `(h, w)`."""
    padded = np.pad(values, ((0, 0), (reach, reach), (0, 0)), mode="edge")
    sides = np.minimum(padded[:, : -2 * reach], padded[:, 2 * reach :])
    return (sides - values).max(2)


def _runs(ridges: np.ndarray, least: float) -> list[Line]:
    """Vertical lines in a map of ridges: columns with a run of at least `least` pixels."""
    mask = ridges > _CONTRAST
    h, w = mask.shape
    # A crossing, a digit or noise may break a line for a few pixels.
    bridge = max(2, h // 80)
    run = np.zeros(w, int)
    gap = np.zeros(w, int)
    start = np.zeros(w, int)
    best = np.zeros(w, int)
    where = np.zeros((2, w), int)
    for y in range(h):
        on = mask[y]
        fresh = on & (run == 0)
        start[fresh] = y
        run[on] = y - start[on] + 1
        gap = np.where(on, 0, gap + 1)
        run[gap > bridge] = 0
        longer = on & (run > best)
        best[longer] = run[longer]
        where[0, longer], where[1, longer] = start[longer], y + 1
    lines = []
    columns = np.flatnonzero(best >= least)
    for group in (
        np.split(columns, np.flatnonzero(np.diff(columns) > 1) + 1) if len(columns) else []
    ):
        starts, ends = where[0, group], where[1, group]
        top, bottom = int(np.median(starts)), int(np.median(ends))
        weight = ridges[top:bottom, group].mean(0).clip(0)
        at = float((weight * group).sum() / weight.sum()) + 0.5
        lines.append(Line(at, top, bottom, float(weight.max())))
    return lines


def lattice(places: list[float], least: int = 2) -> list[float] | None:
    """The evenly spaced places that these lines mark, gaps filled; None where they aren't even.

    At most one line in seven may be missing, never an outer one.
    """
    if len(places) < least:
        return None
    places = sorted(places)
    whole = places[-1] - places[0]
    pitch = float(np.median(np.diff(places)))
    n = round(whole / pitch)
    if n < 1 or n + 1 - len(places) > (n + 1) / 7:
        return None
    pitch = whole / n
    steps = [(p - places[0]) / pitch for p in places]
    if any(abs(s - round(s)) > _SLACK for s in steps) or len({round(s) for s in steps}) != len(
        steps
    ):
        return None
    return [places[0] + i * pitch for i in range(n + 1)]


def find_grid(picture: np.ndarray, least: float = 0.25, strong: bool = False) -> Grid:
    """The grid of evenly spaced lines in a picture, with or without its outer frame.

    Args:
        picture: uint8 `(h, w, 3)`.
        least: shortest length of a line, as a share of the picture's shorter side.
        strong: look at those lines alone that have half the strongest one's contrast.

    Raises:
        Unreadable: no such grid, lines that aren't evenly spaced, or that don't meet.
    """
    upright, lying = (_long(lines) for lines in find_lines(picture, least))
    if strong:
        most = max((line.contrast for line in (*upright, *lying)), default=0.0)
        upright = [line for line in upright if line.contrast >= most / 2]
        lying = [line for line in lying if line.contrast >= most / 2]
    if not upright or not lying:
        raise Unreadable(f"no grid: {len(upright)} upright and {len(lying)} lying lines")
    xs = _framed(lattice([line.at for line in upright]), lying)
    ys = _framed(lattice([line.at for line in lying]), upright)
    if xs is None or ys is None:
        raise Unreadable(
            f"no even grid: {len(upright)} upright and {len(lying)} lying lines were found"
        )
    return Grid(tuple(xs), tuple(ys))


def _long(lines: list[Line]) -> list[Line]:
    most = max((line.end - line.start for line in lines), default=0.0)
    return [line for line in lines if line.end - line.start >= 0.3 * most]


def _framed(places: list[float] | None, across: list[Line]) -> list[float] | None:
    """The places with the outer frame, which the lines across must reach; None where they don't."""
    if places is None:
        return None
    pitch = places[1] - places[0]
    start, end = min(line.start for line in across), max(line.end for line in across)
    before, after = (places[0] - start) / pitch, (end - places[-1]) / pitch
    # Either the outermost line is the frame, or the frame is missing and a whole cell sticks out.
    if not all(abs(out) < 0.3 or 0.7 < out < 1.3 for out in (before, after)):
        return None
    left = [places[0] - pitch] if before > 0.5 else []
    right = [places[-1] + pitch] if after > 0.5 else []
    return [*left, *places, *right]
