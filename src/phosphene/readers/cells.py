"""Cells: square grids of coloured cells, drawn and read."""

from __future__ import annotations

import numpy as np


def cell_box(
    row: int, column: int, n: int, size: float, margin: float
) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 in pixels of a cell of an n x n grid that leaves `margin` (share) around."""
    side, edge = size * (1 - 2 * margin) / n, size * margin
    return (
        edge + column * side,
        edge + row * side,
        edge + (column + 1) * side,
        edge + (row + 1) * side,
    )


def cell_colours(frames: np.ndarray, n: int, margin: float, core: float = 0.5) -> np.ndarray:
    """The colour of every cell, float32 `(f, n, n, 3)`: the median over its middle.

    Args:
        frames: uint8 `(f, s, s, 3)`.
        n: cells along a side.
        margin: share of the side left free around the grid.
        core: share of a cell's side that is looked at, around its middle.
    """
    size = frames.shape[1]
    out = np.empty((len(frames), n, n, 3), np.float32)
    inset = (1 - core) / 2
    for r in range(n):
        for c in range(n):
            x0, y0, x1, y1 = cell_box(r, c, n, size, margin)
            w, h = (x1 - x0) * inset, (y1 - y0) * inset
            left, right = round(x0 + w), max(round(x1 - w), round(x0 + w) + 1)
            top, bottom = round(y0 + h), max(round(y1 - h), round(y0 + h) + 1)
            out[:, r, c] = np.median(frames[:, top:bottom, left:right], (1, 2))
    return out


def alike(
    seen: np.ndarray, colours: np.ndarray, near: float = 90.0, clear: float = 1.25
) -> tuple[np.ndarray, np.ndarray]:
    """Which of `colours` each seen one is: indices `(...)` and bool `(...)`, whether it is clear.

    Clear means: within `near` levels of 255 (Euclidean), and the second nearest at least `clear`
    times as far.

    Args:
        seen: `(..., 3)`.
        colours: `(k, 3)`.
    """
    away = np.linalg.norm(seen[..., None, :] - colours, axis=-1)
    order = np.sort(away, -1)
    sure = order[..., 0] < near
    if len(colours) > 1:
        sure &= order[..., 1] > clear * order[..., 0]
    return away.argmin(-1), sure
