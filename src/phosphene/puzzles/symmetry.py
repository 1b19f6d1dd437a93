"""Symmetry: half of a grid of coloured cells is given; the other half is its mirror image."""

from __future__ import annotations

import abc
from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._grid import Grid, find_grid
from phosphene.puzzles._judging import outside, remembered, sides, steady
from phosphene.puzzles._picture import change, shrink
from phosphene.verdict import Verdict

# Colours up to SAME levels apart are one, and from DIFFERENT on they're two.
SAME, DIFFERENT = 20, 34
LARGEST = 64
# Which cells (row, column of rows x columns) each way of giving a half leaves empty.
_EMPTY: dict[str, Callable[[int, int, int, int], bool]] = {
    "left": lambda r, c, rows, columns: c >= (columns + 1) // 2,
    "right": lambda r, c, rows, columns: c < columns // 2,
    "top": lambda r, c, rows, columns: r >= (rows + 1) // 2,
    "bottom": lambda r, c, rows, columns: r < rows // 2,
    "lower left": lambda r, c, rows, columns: c > r,
    "upper right": lambda r, c, rows, columns: c < r,
    "upper left": lambda r, c, rows, columns: r + c > rows - 1,
    "lower right": lambda r, c, rows, columns: r + c < rows - 1,
}
_AXES = {
    "left": "vertical",
    "right": "vertical",
    "top": "horizontal",
    "bottom": "horizontal",
    "lower left": "diagonal",
    "upper right": "diagonal",
    "upper left": "antidiagonal",
    "lower right": "antidiagonal",
}


class HalfGrid(Puzzle):
    """A grid of coloured cells, one half of which is empty.

    Read: `cells`, rows of indices into `palette` (`#rrggbb`, 0 is the empty cell's colour);
    `given`, the half that is there; `axis` of the mirror. Solved: `cells` of the whole.

    Judged: the last frame's cells must all have the solution's colours (answer); the given half's
    must stay (givens); they and the surroundings must hold still (stability).
    """

    @abc.abstractmethod
    def source(self, parsed: Mapping[str, Any], row: int, column: int) -> tuple[int, int]:
        """The given cell that an empty one takes its colour from."""

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1000)
        grid = find_grid(small)
        cells, palette = _cells(small, grid)
        half, empty = _half(cells)
        order = [empty, *(i for i in range(len(palette)) if i != empty)]
        return {
            "rows": grid.rows,
            "columns": grid.columns,
            "cells": [[order.index(cell) for cell in row] for row in cells.tolist()],
            "palette": [_hex(palette[i]) for i in order],
            "given": half,
            "axis": _AXES[half],
            "lines": grid.shares(small),
        }

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        cells = np.array(parsed["cells"])
        whole = cells.copy()
        for row, column in empty_cells(parsed):
            whole[row, column] = cells[self.source(parsed, row, column)]
        return {"cells": whole.tolist()}

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        parsed = remembered(self, picture)
        both = sides(picture, clip)
        if isinstance(both, Verdict):
            return both
        beside, frames = both
        grid = Grid.placed(parsed["lines"], beside)
        target, apart = _painted(beside, grid, parsed, self.solve(parsed)["cells"])
        off = change(frames[-1], target) > apart
        free = set(empty_cells(parsed))
        wrong = [
            (row, column)
            for row in range(grid.rows)
            for column in range(grid.columns)
            if off[grid.cell(row, column, 0.22)].mean() > 0.2
        ]
        missed = [cell for cell in wrong if cell in free]
        spoilt = [cell for cell in wrong if cell not in free]
        return Verdict(
            answer="failed" if missed else "passed",
            givens="failed" if spoilt else "passed",
            stability=steady(frames, beside, outside(grid, beside.shape, free)),
            reason=f"{len(missed)} of {len(free)} cells to fill are wrong, "
            f"{len(spoilt)} given ones changed",
            evidence={"wrong": [list(cell) for cell in wrong]},
        )


class Symmetry(HalfGrid):
    """The empty half is the mirror image of the given one."""

    name: ClassVar[str] = "symmetry"

    def source(self, parsed: Mapping[str, Any], row: int, column: int) -> tuple[int, int]:
        rows, columns = parsed["rows"], parsed["columns"]
        return {
            "vertical": (row, columns - 1 - column),
            "horizontal": (rows - 1 - row, column),
            "diagonal": (column, row),
            "antidiagonal": (rows - 1 - column, columns - 1 - row),
        }[parsed["axis"]]


def empty_cells(parsed: Mapping[str, Any]) -> list[tuple[int, int]]:
    """The cells to fill, row by row."""
    rows, columns = parsed["rows"], parsed["columns"]
    empty = _EMPTY[parsed["given"]]
    return [(r, c) for r in range(rows) for c in range(columns) if empty(r, c, rows, columns)]


def _cells(picture: np.ndarray, grid: Grid) -> tuple[np.ndarray, list[np.ndarray]]:
    """Indices `(rows, columns)` into the palette, and the palette's colours."""
    if not 2 <= min(grid.rows, grid.columns) <= max(grid.rows, grid.columns) <= LARGEST:
        raise Unreadable(f"a grid of {grid.rows} x {grid.columns} cells")
    palette: list[np.ndarray] = []
    cells = np.zeros((grid.rows, grid.columns), int)
    for row in range(grid.rows):
        for column in range(grid.columns):
            core = picture[grid.cell(row, column, 0.25)].reshape(-1, 3).astype(np.float32)
            colour = np.median(core, 0)
            if (np.abs(core - colour).max(1) > 48).mean() > 0.1:
                raise Unreadable(f"the cell in row {row}, column {column} isn't of one colour")
            apart = [float(np.abs(colour - known).max()) for known in palette]
            nearest = int(np.argmin(apart)) if apart else -1
            if nearest >= 0 and apart[nearest] <= SAME:
                cells[row, column] = nearest
            elif nearest >= 0 and apart[nearest] < DIFFERENT:
                raise Unreadable(f"the cell in row {row}, column {column} has an unclear colour")
            else:
                cells[row, column] = len(palette)
                palette.append(colour)
    return cells, palette


def _half(cells: np.ndarray) -> tuple[str, int]:
    """Which half is given, and the index of the colour that the other is empty in."""
    rows, columns = cells.shape
    row, column = np.indices(cells.shape)
    found = []
    for half, empty in _EMPTY.items():
        if "er " in half and rows != columns:
            continue
        blank = np.vectorize(empty)(row, column, rows, columns)
        colours = np.unique(cells[blank])
        if len(colours) == 1 and (cells[~blank] != colours[0]).any():
            found.append((half, int(colours[0])))
    if len(found) != 1:
        halves = ", ".join(half for half, _ in found) or "none"
        raise Unreadable(f"one half must be empty and the other not; halves that fit: {halves}")
    return found[0]


def _painted(
    picture: np.ndarray, grid: Grid, parsed: Mapping[str, Any], cells: list[list[int]]
) -> tuple[np.ndarray, float]:
    """The picture with the solution's cells, and how far off a pixel is another colour."""
    palette = np.array([[int(p[i : i + 2], 16) for i in (1, 3, 5)] for p in parsed["palette"]])
    target = picture.copy()
    for row, column in empty_cells(parsed):
        target[grid.cell(row, column)] = palette[cells[row][column]]
    gaps = np.abs(palette[:, None] - palette[None]).max(-1)
    return target, float(np.clip(gaps[gaps > 0].min() / 2, 16, 64))


def _hex(colour: np.ndarray) -> str:
    return "#" + "".join(f"{round(float(v)):02x}" for v in colour)


COMPONENT = Symmetry
