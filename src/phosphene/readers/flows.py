"""Flows: lines of several colours on one grid, each between two dots of its colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from phosphene.readers.dots import Dots
from phosphene.readers.strokes import (
    Grid,
    Piece,
    distance,
    pieces,
    softened,
    solid,
    speck,
    symbols,
)
from phosphene.trace import Mark, Reading

LEAST = 45.0  # levels of 255: the least contrast of ink
OFF = 0.45  # how far an ink's colour may lie from its pair's, as a share of the pair's contrast


@dataclass(frozen=True)
class FlowReader:
    """Reads one set of dots at one size.

    Args:
        grid: the cells.
        dots: the dots, two of each group; groups are numbered from 0.
        paper: colour `(3,)`.
        inks: colour of each group, `(groups, 3)`.
    """

    grid: Grid
    dots: Dots
    paper: np.ndarray
    inks: np.ndarray

    def read(self, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        """Readings of frames `(n, s, s, 3)`; an answer is a list of pieces for each group."""
        size = self.dots.size
        soft = softened(frames, first)
        away = distance(frames.astype(np.int16), soft).astype(np.float32)
        anchors = self.dots.anchors()
        bare = ~np.any(anchors, axis=0)
        near, off = self._colours(frames, away > LEAST)
        strength = np.minimum(away / (0.9 * distance(self.inks, self.paper)[near]), 1) * bare
        fits = (off <= OFF) & (away > LEAST / 2)
        found: list[list[list[Piece]]] = []
        for k in range(len(self.inks)):
            mask = solid(np.where((near == k) & fits, strength, 0), 0.5, 0.25)
            own = [a for a, group in zip(anchors, self.dots.groups, strict=True) if group == k]
            found.append(pieces(mask, self.grid, own))
        strange = ((off > OFF) & (away > 2 * LEAST) & bare).sum((1, 2))
        limit = 2 * speck(self.grid, size)
        gone = self.dots.gone(frames, soft, self.paper)
        readings = []
        for f in range(len(frames)):
            answer = [symbols(group[f]) for group in found]
            odd = strange[f] > limit
            readings.append(
                Reading(
                    answer if any(answer) and not odd else None,
                    "ink of no pair's colour" if odd else "",
                    tuple(f"a dot of pair {self.dots.groups[d] + 1}" for d in gone[f]),
                    tuple(
                        self._mark(s, k) for k, pair in enumerate(answer) for p in pair for s in p
                    ),
                )
            )
        return readings

    def _colours(self, frames: np.ndarray, inked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Which ink each pixel's surroundings mix with paper, and how far off that is.

        Codecs keep colour at half the resolution, so a pixel alone doesn't tell.
        """
        reach = 2 * max(round(frames.shape[1] / 64), 1) + 1
        values = (frames.astype(np.float32) - self.paper) * inked[..., None]
        values = ndimage.uniform_filter(values, reach, axes=(1, 2))
        count = ndimage.uniform_filter(inked.astype(np.float32), reach, axes=(1, 2))
        values /= np.maximum(count, 0.5 / reach**2)[..., None]
        off = []
        for ink in self.inks - self.paper:
            t = (values @ (ink / (ink @ ink))).clip(0, 1.1)
            rest = values - t[..., None] * ink
            # A pixel with half the ink may be off by half as much.
            off.append(np.sqrt((rest**2).sum(-1)) / (np.linalg.norm(ink) * np.maximum(t, 0.25)))
        stack = np.stack(off)
        return stack.argmin(0), stack.min(0)

    def _mark(self, step: list[int], group: int) -> Mark:
        a, b = self.grid.centre(step[:2], 1), self.grid.centre(step[2:], 1)
        return Mark("path", (*a, *b), str(group + 1))
