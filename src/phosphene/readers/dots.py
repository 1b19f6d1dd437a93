"""Dots: coloured discs in cells that lines begin and end at; are they still there?"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.readers.strokes import Grid


@dataclass(frozen=True)
class Dots:
    """Discs in the middle of cells.

    Args:
        grid: the cells.
        cells: (row, column) of each dot.
        radius: of each, pixels.
        groups: a number for each dot; dots of one group have the same colour.
        size: side of the picture, pixels.
    """

    grid: Grid
    cells: tuple[tuple[int, int], ...]
    radius: float
    groups: tuple[int, ...]
    size: int

    def anchors(self) -> list[np.ndarray]:
        """Where a line may end to touch a dot, a pixel (of 64) around it: bool `(s, s)` each."""
        which, reach = self.grid.which(self.size), self.radius + max(self.size / 64, 1)
        return [
            self._disc(cell, reach) & (which == cell[0])[:, None] & (which == cell[1])
            for cell in self.cells
        ]

    def _disc(self, cell: tuple[int, int], radius: float) -> np.ndarray:
        x, y = self.grid.centre(cell, self.size)
        at = np.arange(self.size) + 0.5
        return np.hypot(at[:, None] - y, at[None, :] - x) <= radius

    def gone(
        self,
        frames: np.ndarray,
        soft: np.ndarray,
        paper: np.ndarray,
        ink: np.ndarray | None = None,
    ) -> list[list[int]]:
        """For each frame the dots that don't show in their own colour.

        The quarter of a dot that shows best decides, so that lines may be drawn across dots.

        Args:
            frames: uint8 `(f, s, s, 3)`.
            soft: the first frame as soft as each of them.
            paper: the colour `(3,)` around the dots.
            ink: the colour `(3,)` of a line that may hide dots, where it is known.
        """
        out: list[list[int]] = [[] for _ in frames]
        spots = [self._disc(cell, 0.8 * self.radius) for cell in self.cells]
        looks = np.stack([soft[:, spot].mean(1) for spot in spots], 1)
        for k, spot in enumerate(spots):
            seen = _best_quarter(frames[:, spot], looks[:, k])
            off = np.linalg.norm(seen[:, None] - looks, axis=-1)
            others = [j for j, group in enumerate(self.groups) if group != self.groups[k]]
            bare = np.linalg.norm(looks[:, k] - paper, axis=-1)
            lost = (off[:, k] > 0.6 * bare) | (off[:, k] > off[:, others].min(1))
            if ink is not None:
                hidden = np.linalg.norm(seen - ink, axis=-1)
                lost |= (hidden < 60) & (hidden < off[:, k])
            for f in np.flatnonzero(lost):
                out[f].append(k)
        return out


def _best_quarter(pixels: np.ndarray, look: np.ndarray) -> np.ndarray:
    """Mean colour `(f, 3)` of the quarter of pixels `(f, p, 3)` nearest to `look` `(f, 3)`."""
    away = np.linalg.norm(pixels - look[:, None], axis=-1)
    best = np.argsort(away, 1)[:, : max(away.shape[1] // 4, 1), None]
    return np.take_along_axis(pixels, best, 1).mean(1)
