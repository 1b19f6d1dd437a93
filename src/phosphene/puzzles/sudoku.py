"""Sudoku: 4x4, 6x6 or 9x9; every row, column and box holds each digit once."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._grid import Grid, find_grid
from phosphene.puzzles._judging import outside, remembered, sides, steady
from phosphene.puzzles._picture import away, change, shrink
from phosphene.readers.ocr import read_lines
from phosphene.verdict import Part, Verdict

# Rows and columns of a box, by the sudoku's side.
BOXES = {4: (2, 2), 6: (2, 3), 9: (3, 3)}
DIGITS = "0123456789"
SURE = 0.7
CONTRAST = 70
# Pixels of a cell's side below which its digit would be lost in a coarser picture.
_SMALL = 44
Cells = list[list[int]]


class Sudoku(Puzzle):
    """Digits in a ruled grid.

    Read: `size`; `cells`, rows of digits with 0 for an empty cell. Solved: `cells`, and whether
    they're the only solution (`unique`).

    Judged: every cell of the last frame must hold a digit, and they must solve the sudoku; where it
    has several solutions any will do (answer). The given digits must be there (givens); all but the
    empty cells must hold still (stability).
    """

    name: ClassVar[str] = "sudoku"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1200)
        grid = _ruled(small)
        cells: Cells = []
        for row, seen in enumerate(_digits(small, grid)):
            for column, digit in enumerate(seen):
                if digit is None:
                    raise Unreadable(f"the cell in row {row}, column {column} can't be read")
            cells.append([digit for digit in seen if digit is not None])
        if not any(any(row) for row in cells):
            raise Unreadable("an empty grid: no digits are given")
        if grid.rows == 9 and not any(
            digit and (r % 3 != 1 or c % 3 != 1)
            for r, row in enumerate(cells)
            for c, digit in enumerate(row)
        ):
            raise Unreadable("digits in the middle of boxes alone: a 3x3 grid is no sudoku")
        _refuse_clash(cells)
        return {
            "size": grid.rows,
            "cells": cells,
            "lines": grid.shares(small),
        }

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        found = []
        for solution in _solutions([list(row) for row in parsed["cells"]]):
            found.append(solution)
            if len(found) == 2:
                break
        if not found:
            raise Unreadable("the digits contradict one another: there is no solution")
        return {"cells": found[0], "unique": len(found) == 1}

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        parsed = remembered(self, picture)
        solved = self.solve(parsed)
        both = sides(picture, clip)
        if isinstance(both, Verdict):
            return both
        beside, frames = both
        grid = Grid.placed(parsed["lines"], beside)
        seen = _digits(frames[-1], grid)
        places = [(r, c) for r in range(grid.rows) for c in range(grid.columns)]
        given = [(r, c) for r, c in places if parsed["cells"][r][c]]
        free = [place for place in places if place not in given]
        off = change(frames[-1], beside) > 80
        answer, told = _answer(parsed["cells"], seen, free, solved)
        return Verdict(
            answer=answer,
            givens=_givens(parsed["cells"], seen, given, off, grid),
            stability=steady(frames, beside, outside(grid, beside.shape, free)),
            reason=told,
            evidence={"cells": seen, "solution": solved["cells"]},
        )


def _answer(
    cells: Cells, seen: list[list[int | None]], free: list[tuple[int, int]], solved: dict[str, Any]
) -> tuple[Part, str]:
    blank = [place for place in free if seen[place[0]][place[1]] == 0]
    unclear = [place for place in free if seen[place[0]][place[1]] is None]
    filled = [list(row) for row in cells]
    for r, c in free:
        filled[r][c] = seen[r][c] or 0
    if solved["unique"]:
        wrong = [(r, c) for r, c in free if filled[r][c] not in (0, solved["cells"][r][c])]
    else:
        wrong = [(r, c) for r, c in free if filled[r][c] and _clashes(filled, r, c)]
    told = f"of {len(free)} cells to fill {len(blank)} are empty, {len(wrong)} wrong, "
    told += f"{len(unclear)} can't be read"
    if blank or wrong:
        return "failed", told
    return ("unreadable" if unclear else "passed"), told


def _givens(
    cells: Cells,
    seen: list[list[int | None]],
    given: list[tuple[int, int]],
    off: np.ndarray,
    grid: Grid,
) -> Part:
    """By what is read; a given that can't be read passes where its pixels are the picture's."""
    if any(seen[r][c] not in (None, cells[r][c]) for r, c in given):
        return "failed"
    unclear = [place for place in given if seen[place[0]][place[1]] is None]
    kept = all(off[grid.cell(r, c, 0.1)].mean() < 0.02 for r, c in unclear)
    return "passed" if kept else "unreadable"


def _ruled(picture: np.ndarray) -> Grid:
    """The grid with all its cells, where only the boxes' lines can be seen as well."""
    try:
        grid = find_grid(picture)
    except Unreadable:
        # Small pictures lose some of the pale lines between cells.
        grid = find_grid(picture, strong=True)
    if grid.rows == grid.columns and grid.rows in (2, 3):
        n = grid.rows
        return Grid(_split(grid.xs, n), _split(grid.ys, n))
    if grid.rows != grid.columns or grid.rows not in BOXES:
        raise Unreadable(f"a grid of {grid.rows} x {grid.columns} cells is no sudoku")
    return grid


def _split(lines: tuple[float, ...], n: int) -> tuple[float, ...]:
    return tuple(float(v) for v in np.linspace(lines[0], lines[-1], n * n + 1))


def _digits(picture: np.ndarray, grid: Grid) -> list[list[int | None]]:
    """The digit in each cell, 0 for an empty one, None for one that can't be told.

    A digit counts where two crops of the cell read the same, both surely, and it's in 1..size.
    """
    crops: list[np.ndarray] = []
    places: list[tuple[int, int]] = []
    seen: list[list[int | None]] = [[0] * grid.columns for _ in range(grid.rows)]
    for row in range(grid.rows):
        for column in range(grid.columns):
            crop = picture[grid.cell(row, column, 0.1)]
            filled = _filled(crop)
            if filled is None:
                seen[row][column] = None
            elif filled:
                places.append((row, column))
                crops += [crop, _again(crop)]
    read = read_lines(crops, DIGITS)
    for i, (row, column) in enumerate(places):
        (one, sure), (two, also) = read[2 * i], read[2 * i + 1]
        clear = one == two and min(sure, also) >= SURE and len(one) == 1
        digit = int(one) if clear else 0
        seen[row][column] = digit if 1 <= digit <= grid.rows else None
    return seen


def _filled(crop: np.ndarray) -> bool | None:
    """Whether there is a mark of a digit's size; None for one that is smaller or a smear."""
    if min(crop.shape[:2]) < 8:
        return None
    edge = np.concatenate([crop[0], crop[-1], crop[:, 0], crop[:, -1]])
    ink = away(crop, np.median(edge, 0)) > CONTRAST
    share = float(ink.mean())
    if share < 0.004:
        return False
    rows = np.flatnonzero(ink.any(1))
    tall = (rows[-1] + 1 - rows[0]) / len(ink)
    return None if share > 0.6 or tall < 0.2 else True


def _again(crop: np.ndarray) -> np.ndarray:
    """A second look, which must say the same: coarser, or finer where coarser couldn't be read."""
    from PIL import Image

    h, w = crop.shape[:2]
    image = Image.fromarray(crop)
    if h < _SMALL:
        return np.asarray(image.resize((2 * w, 2 * h), Image.Resampling.BICUBIC))
    small = image.resize((round(w * 0.7), round(h * 0.7)), Image.Resampling.BOX)
    return np.asarray(small.resize((w, h), Image.Resampling.BICUBIC))


def _clashes(cells: Cells, row: int, column: int) -> bool:
    """Whether another cell of the row, column or box holds the same digit."""
    n, digit = len(cells), cells[row][column]
    tall, wide = BOXES[n]
    for r in range(n):
        for c in range(n):
            boxed = r // tall == row // tall and c // wide == column // wide
            seen = r == row or c == column or boxed
            if seen and (r, c) != (row, column) and cells[r][c] == digit:
                return True
    return False


def _refuse_clash(cells: Cells) -> None:
    for r, row in enumerate(cells):
        for c, digit in enumerate(row):
            if digit and _clashes(cells, r, c):
                raise Unreadable(
                    f"a second {digit} in the row, column or box of row {r}, column {c}"
                )


def _solutions(cells: Cells) -> Iterator[Cells]:
    """Every solution, by trying the cell with the fewest choices first; bits are free digits."""
    n = len(cells)
    tall, wide = BOXES[n]
    places = [(r, c) for r in range(n) for c in range(n)]
    box = {(r, c): r // tall * (n // wide) + c // wide for r, c in places}
    rows, columns, boxes = ([(1 << n) - 1] * n for _ in range(3))

    def put(place: tuple[int, int], bit: int) -> None:
        rows[place[0]] ^= bit
        columns[place[1]] ^= bit
        boxes[box[place]] ^= bit

    free = []
    for place in places:
        digit = cells[place[0]][place[1]]
        put(place, 1 << digit - 1) if digit else free.append(place)

    def fill() -> Iterator[Cells]:
        if not free:
            yield [list(row) for row in cells]
            return
        choices = {p: rows[p[0]] & columns[p[1]] & boxes[box[p]] for p in free}
        place = min(free, key=lambda p: choices[p].bit_count())
        free.remove(place)
        for digit in range(1, n + 1):
            bit = 1 << digit - 1
            if choices[place] & bit:
                put(place, bit)
                cells[place[0]][place[1]] = digit
                yield from fill()
                put(place, bit)
        cells[place[0]][place[1]] = 0
        free.append(place)

    yield from fill()


COMPONENT = Sudoku
