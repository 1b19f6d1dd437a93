"""Grids: the family of rules that turn one small grid of colours into another, as in ARC."""

from __future__ import annotations

from functools import cache
from itertools import combinations, permutations
from typing import Any

import numpy as np

COLOURS = 5  # inks 1..5; 0 is paper
KINDS = ("recolour", "swap", "keep", "mirror", "rotate", "shift", "gravity", "extend", "outline")
Rule = tuple[Any, ...]  # kind and parameters


@cache
def rules() -> list[Rule]:
    """The family: every rule there is."""
    inked = range(1, COLOURS + 1)
    return [
        *(("recolour", a, b) for a, b in permutations(inked, 2)),
        *(("swap", a, b) for a, b in combinations(inked, 2)),
        *(("keep", a) for a in inked),
        *(("mirror", axis) for axis in ("left-right", "top-down", "diagonal", "other diagonal")),
        *(("rotate", quarters) for quarters in (1, 2, 3)),
        *((kind, way) for kind in ("shift", "gravity") for way in ("down", "left", "up", "right")),
        *(("extend", along) for along in ("rows", "columns")),
        *(("outline", a) for a in inked),
    ]


def applied(rule: Rule, grid: np.ndarray) -> np.ndarray:
    """What a rule makes of a grid `(n, n)`.

    recolour: cells of colour a take colour b. swap: a and b change places. keep: all but a are
    wiped. mirror, rotate (clockwise): the whole grid. shift: by one cell, what leaves is gone.
    gravity: cells fall as far as they can. extend: empty cells of a row (column) that holds a
    single colour take it. outline: empty cells beside a coloured one take colour a.
    """
    kind, by = rule[0], rule[1]
    if kind == "recolour":
        return np.where(grid == by, rule[2], grid)
    if kind == "swap":
        return np.select([grid == by, grid == rule[2]], [rule[2], by], grid)
    if kind == "keep":
        return np.where(grid == by, grid, 0)
    if kind == "mirror":
        turned = {"left-right": grid[:, ::-1], "top-down": grid[::-1], "diagonal": grid.T}
        return turned.get(by, grid[::-1, ::-1].T)
    if kind == "rotate":
        return np.rot90(grid, -by)
    if kind in ("shift", "gravity"):
        # Turned until the way leads down, and back again.
        quarters = ("down", "left", "up", "right").index(by)
        turned = np.rot90(grid, quarters)
        moved = _shifted(turned) if kind == "shift" else _fallen(turned)
        return np.rot90(moved, -quarters)
    if kind == "extend":
        return _extended(grid) if by == "rows" else _extended(grid.T).T
    padded = np.pad(grid > 0, 1)
    beside = padded[:-2, 1:-1] | padded[2:, 1:-1] | padded[1:-1, :-2] | padded[1:-1, 2:]
    return np.where((grid == 0) & beside, by, grid)


def _shifted(grid: np.ndarray) -> np.ndarray:
    return np.concatenate([np.zeros_like(grid[:1]), grid[:-1]])


def _fallen(grid: np.ndarray) -> np.ndarray:
    order = np.argsort(grid > 0, 0, kind="stable")
    return np.take_along_axis(grid, order, 0)


def _extended(grid: np.ndarray) -> np.ndarray:
    out = grid.copy()
    for row in out:
        if len(found := set(row[row > 0].tolist())) == 1:
            row[:] = found.pop()
    return out


def outcomes(pairs: list[tuple[np.ndarray, np.ndarray]], test: np.ndarray) -> set[Any]:
    """What the rules that explain all pairs make of the last grid, as nested tuples."""
    fits = [r for r in rules() if all((applied(r, a) == b).all() for a, b in pairs)]
    return {tuple(map(tuple, applied(r, test).tolist())) for r in fits}
