"""Mazes: the line drawn through one, whatever its colour, and what has become of the maze."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.readers.dots import Dots
from phosphene.readers.strokes import Edge, Grid, distance, pieces, softened, solid, symbols
from phosphene.readers.walls import WallReader, near_walls, wall_mask
from phosphene.trace import Mark, Reading

LEAST = 90.0  # levels of 255: the least contrast that ink is taken to have
NAMES = ("start", "goal")
SAID = 3  # faults of walls that are spelt out
FLOOD = 0.9  # share of the free ground above which ink is no line


@dataclass(frozen=True)
class MazeReader:
    """Reads one maze at one size.

    Args:
        grid: the cells.
        doors: borders without a wall.
        half: half a wall's width, pixels.
        size: side of the picture, pixels.
        paper, wall: colours `(3,)`.
        ends: the cells with the start and the goal dot.
        dot: a dot's radius, pixels.
    """

    grid: Grid
    doors: set[Edge]
    half: float
    size: int
    paper: np.ndarray
    wall: np.ndarray
    ends: tuple[tuple[int, int], tuple[int, int]]
    dot: float

    def read(self, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        """Readings of frames `(n, s, s, 3)`; an answer is the ink's pieces in `symbols`."""
        soft = softened(frames, first)
        walls = wall_mask(self.grid, self.doors, self.half, self.size) > 0.5
        unit = max(self.size / 64, 1)
        dots = Dots(self.grid, self.ends, self.dot, (0, 1), self.size)
        which = self.grid.which(self.size)
        free = ~walls & (which >= 0)[:, None] & (which >= 0)
        anchors = [anchor & free for anchor in dots.anchors()]
        held = anchors[0] | anchors[1]
        bare = free & ~held
        away = distance(frames.astype(np.int16), soft).astype(np.float32)
        strength = self._strength(frames, away, near_walls(walls)) * bare
        level, ink = self._level(strength, frames, unit)
        mask = solid(strength, 0.45 * level, 0.25 * level)
        reader = WallReader(self.grid, self.doors, self.half, self.size, self.paper, self.wall)
        faults, links = reader.read(frames, soft, ink, mask | held, away > 0.2 * level)
        found = pieces(mask, self.grid, anchors, links)
        gone = dots.gone(frames, soft, self.paper, ink)
        flooded = mask.sum((1, 2)) > FLOOD * bare.sum()
        return [
            Reading(
                (symbols(f) or None) if not flood else None,
                "ink all over the maze" if flood else "",
                (*(f"the {NAMES[k]} dot" for k in dim), *wrong[:SAID]),
                () if flood else tuple(self._mark(step) for piece in f for step in piece.edges),
            )
            for f, flood, dim, wrong in zip(found, flooded, gone, faults, strict=True)
        ]

    def _strength(self, frames: np.ndarray, away: np.ndarray, near: np.ndarray) -> np.ndarray:
        """How far each pixel is from what was there, levels, from how far it is `away` as it is.

        Beside a wall, mixtures of paper and wall don't count: edges may lie a little elsewhere.
        """
        axis, beside = self.wall - self.paper, frames[:, near].astype(np.float32)
        t = ((beside - self.paper) @ (axis / (axis @ axis))).clip(0, 1)
        off = distance(beside, self.paper + t[..., None] * axis)
        out = away.copy()
        out[:, near] = np.minimum(away[:, near], off)
        return out

    def _level(
        self, strength: np.ndarray, frames: np.ndarray, unit: float
    ) -> tuple[float, np.ndarray | None]:
        """The contrast that the ink has where it is strongest, and its colour."""
        top = max(round(10 * unit * unit), 6)
        flat = strength.reshape(len(strength), -1)
        strongest = np.partition(flat, -top, axis=1)[:, -top:].mean(1)
        k = int(len(frames) - 1 - np.argmax(strongest[::-1]))
        level = float(strongest[k])
        if level < 0.5 * LEAST:
            return LEAST, None
        return max(level, LEAST), frames[k][strength[k] > 0.8 * level].astype(np.float32).mean(0)

    def _mark(self, step: Edge) -> Mark:
        a, b = self.grid.centre(step[:2], 1), self.grid.centre(step[2:], 1)
        return Mark("path", (*a, *b))
