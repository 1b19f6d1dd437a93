"""Crosses and rings: is a mark drawn by hand an X or an O? By shape, whatever its colour.

An O is a closed line around an empty middle, be it round or rather square; an X is two crossing
strokes. Plus signs, single strokes, blots and the like are neither.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw
from scipy import ndimage

GRID = 24  # side of the raster on which marks are compared
FIT, CLEAR = 0.6, 0.06  # least likeness of a mark, and its lead over any other shape
HOLE = slice(10, 14)  # where on the raster a ring is empty and a cross is not
SPECK = 0.1  # share of a cell's ink below which a piece is a speck
LEAST = 0.05  # share of a cell's area that a mark must cover
SMALL, WIDE = 0.3, 1.25  # extent of a mark as a share of its cell's side
OFF = 0.25  # furthest from the cell's middle


def read_marks(ink: np.ndarray, n: int, margin: float) -> list[tuple[str, int, int]]:
    """Every mark on a board: (`X`, `O` or `?`, row, column), in reading order.

    `?` is anything that is neither clearly, or that lies between cells.

    Args:
        ink: float32 `(s, s)` in 0..1.
        n: cells along a side.
        margin: share of the side left free around the board.
    """
    size = len(ink)
    side = size * (1 - 2 * margin) / n
    labels, count = ndimage.label(ink > 0.5, np.ones((3, 3)))  # type: ignore[misc]
    if count == 0:
        return []
    index = range(1, count + 1)
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    middles = np.array(ndimage.center_of_mass(labels > 0, labels, index))  # type: ignore[arg-type]
    cells = np.clip((middles + 0.5 - size * margin) // side, 0, n - 1).astype(int)
    found = []
    for r, c in sorted({(int(r), int(c)) for r, c in cells}):
        here = (cells == (r, c)).all(1)
        if areas[here].sum() < LEAST * side**2:
            continue
        keep = [i for i, h in zip(index, here, strict=True) if h]
        large = [i for i in keep if areas[i - 1] >= SPECK * areas[here].sum()]
        middle = np.array([r + 0.5, c + 0.5]) * side + size * margin
        found.append((_mark(np.isin(labels, large), ink, middle, side), r, c))
    return found


def _mark(there: np.ndarray, ink: np.ndarray, middle: np.ndarray, side: float) -> str:
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    low, high = np.array([rows[0], columns[0]]), np.array([rows[-1], columns[-1]]) + 1
    extent = (high - low) / side
    if extent.max() > WIDE or extent.min() < SMALL:
        return "?"
    if np.abs((low + high) / 2 - middle).max() > OFF * side:
        return "?"
    near = ndimage.grey_dilation(there, (3, 3))
    piece = np.where(near, ink, 0)[low[0] : high[0], low[1] : high[1]]
    return shape(piece)


def still(kind: str, cell: np.ndarray, before: np.ndarray, paper: np.ndarray) -> bool:
    """Whether a given mark is still there: as much ink as before, in a shape that is no other mark.

    Args:
        kind: `X` or `O`.
        cell, before: uint8 `(h, w, 3)`, the inside of its cell now and in the first frame.
        paper: `(3,)`, what lies under the mark.
    """
    now, then = (np.abs(c.astype(np.float32) - paper).max(-1) for c in (cell, before))
    strongest = max(float(then.max()), 1.0)
    if not 0.5 < now.sum() / max(float(then.sum()), 1.0) < 2:
        return False
    ink = np.clip(now / strongest, 0, 1)
    there = ink > 0.4
    rows, columns = np.flatnonzero(there.any(1)), np.flatnonzero(there.any(0))
    if not len(rows):
        return False
    piece = ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    return shape(piece) in (kind, "?")


def shape(piece: np.ndarray) -> str:
    """`X`, `O` or `?`: what a tightly cut piece of ink `(h, w)` is."""
    raster = Image.fromarray(piece.astype(np.float32)).resize((GRID, GRID), 2)
    names, prints = _prints()
    likeness = prints @ _unit(np.asarray(raster))
    best = {name: float(likeness[names == name].max()) for name in ("X", "O", "?")}
    first, second, _ = sorted(best, key=lambda name: -best[name])
    clear = best[first] >= FIT and best[first] - best[second] >= CLEAR
    hollow = np.asarray(raster)[HOLE, HOLE].mean() < 0.5
    return first if clear and hollow == (first == "O") else "?"


def _unit(raster: np.ndarray) -> np.ndarray:
    # A little blur forgives strokes that lie a pixel beside where they should.
    soft = ndimage.gaussian_filter(raster, 1.3, mode="constant").ravel()
    vector = soft - soft.mean()
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


@cache
def _prints() -> tuple[np.ndarray, np.ndarray]:
    """Names `(k,)` and zero-mean unit-norm rasters `(k, GRID * GRID)` of marks and of others."""
    names, rows = [], []
    for width in (0.1, 0.18, 0.28, 0.38):
        for name, strokes in _STROKES.items():
            sheet = Image.new("L", (96, 96))
            pen = ImageDraw.Draw(sheet)
            edge, thick = 96 * width / 2, round(96 * width)
            reach = 96 - 2 * edge
            for points in strokes:
                at = [(edge + x * reach, edge + y * reach) for x, y in points]
                pen.line(at, fill=255, width=thick, joint="curve")
                for x, y in (at[0], at[-1]):
                    pen.ellipse((x - edge, y - edge, x + edge, y + edge), fill=255)
            raster = np.asarray(sheet.resize((GRID, GRID), Image.Resampling.BOX), np.float32)
            names.append(name[0])
            rows.append(_unit(raster))
    return np.array([*names, "?"]), np.array([*rows, _unit(_disc())], np.float32)


def _disc() -> np.ndarray:
    y, x = np.mgrid[:GRID, :GRID] + 0.5
    return (np.hypot(x - GRID / 2, y - GRID / 2) < GRID / 2).astype(np.float32)


_RING = [
    (0.5 + 0.5 * float(np.cos(a)), 0.5 + 0.5 * float(np.sin(a)))
    for a in np.linspace(0, 2 * np.pi, 40)
]
# Marks and what must not be taken for them, as strokes in a unit square.
_STROKES = {
    "X": [[(0, 0), (1, 1)], [(1, 0), (0, 1)]],
    "X lame": [[(0, 0.12), (0.88, 1)], [(1, 0), (0, 1)]],
    "X limp": [[(0, 0), (1, 1)], [(1, 0.12), (0.12, 1)]],
    "O": [_RING],
    "O square": [[(0, 0), (1, 0), (1, 1), (0, 1), (0, 0)]],
    "?plus": [[(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
    "?slash": [[(0, 1), (1, 0)]],
    "?backslash": [[(0, 0), (1, 1)]],
    "?triangle": [[(0.5, 0), (1, 1), (0, 1), (0.5, 0)]],
    "?tick": [[(0, 0.6), (0.4, 1), (1, 0)]],
    "?c": [_RING[7:34]],
    "?arch": [[*_RING[20:40]], [(0, 0.5), (0, 1)], [(1, 0.5), (1, 1)]],
    "?z": [[(0, 0), (1, 0), (0, 1), (1, 1)]],
    "?star": [[(0, 0), (1, 1)], [(1, 0), (0, 1)], [(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
    "?y": [[(0, 0), (0.5, 0.5), (1, 0)], [(0.5, 0.5), (0.5, 1)]],
    "?v": [[(0, 0), (0.5, 1), (1, 0)]],
}
