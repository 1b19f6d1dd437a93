"""Walls: are a maze's walls all there, no others, and does ink go through them?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from phosphene.readers.strokes import Edge, Grid

THERE = 0.45  # share of a wall's darkness below which it counts as gone

Link = tuple[int, tuple[int, int], tuple[int, int]]  # frame and two pixels (y, x)


def wall_mask(grid: Grid, doors: set[Edge], half: float, size: int) -> np.ndarray:
    """0 or 1, `(size, size)`, for every border that is no door; `half` a wall's width in pixels."""
    mask = np.zeros((size, size), np.float32)
    starts = _starts(grid, half, size)
    thick = _thick(half)
    for step in _borders(grid.n):
        if step not in doors:
            _, _, r, c = step
            flat = step[0] != step[2]
            top, left = starts[r], starts[c]
            bottom, right = (top, starts[c + 1]) if flat else (starts[r + 1], left)
            mask[top : bottom + thick, left : right + thick] = 1
    return mask


def _thick(half: float) -> int:
    return max(round(2 * half), 1)


def _starts(grid: Grid, half: float, size: int) -> list[int]:
    """The first pixel of the wall on each line of the grid; all walls are equally thick."""
    lines = size * grid.margin + grid.side(size) * np.arange(grid.n + 1)
    return np.maximum(np.floor(lines - half + 0.5), 0).astype(int).tolist()


def _borders(n: int) -> list[Edge]:
    """All borders of cells; beyond the outer ones lie rows and columns -1 and n."""
    level = [(i - 1, j, i, j) for i in range(n + 1) for j in range(n)]
    return level + [(j, i - 1, j, i) for i in range(n + 1) for j in range(n)]


@dataclass(frozen=True)
class Sections:
    """Cuts across borders, one a pixel along them, clear of the posts at their ends.

    Args:
        steps: the borders.
        of: `(k,)`, which border each cut belongs to, ascending.
        bar: `(k, t)`, flat indices of the pixels of the wall's thickness.
        wide: `(k, t + 2)`, the same with a pixel more on each side.
        beside: `(k, 2)`, the pixels just before and after the wall.
        far: `(k, 2)`, the pixels a third of a cell before and after the wall's middle.
    """

    steps: list[Edge]
    of: np.ndarray
    bar: np.ndarray
    wide: np.ndarray
    beside: np.ndarray
    far: np.ndarray

    def sums(self, values: np.ndarray) -> np.ndarray:
        """Summed along each border: `(f, k, ...)` to `(f, borders, ...)`."""
        starts = np.searchsorted(self.of, np.arange(len(self.steps)))
        return np.add.reduceat(values.astype(np.float32), starts, axis=1)


def sections(grid: Grid, steps: list[Edge], half: float, size: int) -> Sections:
    """The cuts across `steps`, whose walls are or would be `2 * half` pixels thick."""
    starts, thick = _starts(grid, half, size), _thick(half)
    reach = max(round(grid.side(size) / 3), 1)
    of, at, flat = [], [], []
    for k, (r0, _, r, c) in enumerate(steps):
        level = r0 != r
        first, i = (starts[r], c) if level else (starts[c], r)
        start = starts[i] + thick
        cuts = range(start, max(starts[i + 1], start + 1))
        of += [k] * len(cuts)
        flat += [level] * len(cuts)
        at += [(first, along) for along in cuts]
    places, level = np.array(at).reshape(-1, 2), np.array(flat, bool)

    def pixels(offsets: Sequence[int]) -> np.ndarray:
        across = (places[:, :1] + np.array(offsets)).clip(0, size - 1)
        along = np.broadcast_to(places[:, 1:].clip(0, size - 1), across.shape)
        return np.where(level[:, None], across * size + along, along * size + across)

    return Sections(
        steps,
        np.array(of, int),
        pixels(range(thick)),
        pixels(range(-1, thick + 1)),
        pixels((-1, thick)),
        pixels((thick // 2 - reach, (thick - 1) // 2 + reach)),
    )


@dataclass(frozen=True)
class WallReader:
    """Reads the walls of one maze at one size.

    Args:
        grid: the cells.
        doors: borders without a wall.
        half: half a wall's width, pixels.
        size: side of the picture, pixels.
        paper, wall: colours `(3,)`.
    """

    grid: Grid
    doors: set[Edge]
    half: float
    size: int
    paper: np.ndarray
    wall: np.ndarray

    def amounts(self, frames: np.ndarray, ink: np.ndarray | None) -> np.ndarray:
        """How much wall each pixel holds, `(f, s * s)`, told from ink of a colour of its own."""
        axes = [self.wall - self.paper]
        if ink is not None and _apart(axes[0], ink - self.paper):
            axes.append(ink - self.paper)
        solve = np.linalg.pinv(np.stack(axes, 1))[0].astype(np.float32)
        amount = (frames.astype(np.float32) - self.paper) @ solve
        return amount.clip(0, 1).reshape(len(frames), -1)

    def read(
        self,
        frames: np.ndarray,
        soft: np.ndarray,
        ink: np.ndarray | None,
        mask: np.ndarray,
        touched: np.ndarray,
    ) -> tuple[list[list[str]], list[Link]]:
        """What is wrong with the walls of each frame, and where ink goes through a wall.

        Args:
            frames, soft: `(f, s, s, 3)`, the pictures and the first frame as soft as they are.
            ink: the colour `(3,)` of the ink; None where there is none.
            mask: bool `(f, s, s)`, the ink on free ground.
            touched: bool `(f, s, s)`, where anything differs at all.
        """
        every = _borders(self.grid.n)
        shut = sections(self.grid, [e for e in every if e not in self.doors], self.half, self.size)
        seen, known = self.amounts(frames, ink), self.amounts(soft, None)
        flat = mask.reshape(len(mask), -1)
        faults = self._gone(shut, seen, known)
        links: list[Link] = []
        if ink is not None and _apart(self.wall - self.paper, ink - self.paper):
            links = self._through(shut, seen, known, flat, touched.reshape(flat.shape), faults)
        if self.doors:
            doors = sections(self.grid, sorted(self.doors), self.half, self.size)
            self._built(doors, seen - known, touched.reshape(flat.shape), faults)
        return faults, links

    def _gone(self, shut: Sections, seen: np.ndarray, known: np.ndarray) -> list[list[str]]:
        there = shut.sums(seen[:, shut.wide].sum(-1)) / shut.sums(known[:, shut.wide].sum(-1))
        return [
            [f"no wall {_between(shut.steps[k])}" for k in np.flatnonzero(frame < THERE)]
            for frame in there
        ]

    def _through(
        self,
        shut: Sections,
        seen: np.ndarray,
        known: np.ndarray,
        flat: np.ndarray,
        touched: np.ndarray,
        faults: list[list[str]],
    ) -> list[Link]:
        """Links across walls that are painted through and through; faults at the outer ones."""
        lost = 1 - seen[:, shut.bar] / np.maximum(known[:, shut.bar], 0.1)
        covered = shut.sums(np.where(lost > 0.5, np.minimum(lost, 1), 0)).min(-1)
        beside = shut.sums((touched | flat)[:, shut.beside])
        links: list[Link] = []
        for f, k in np.argwhere(covered >= 0.6 * max(self.size / 64, 1)):
            r0, c0, r1, c1 = shut.steps[k]
            # Ink that bleeds onto a wall from one side has not gone through it.
            if beside[f, k].min() == 0:
                continue
            if min(r0, c0) < 0 or max(r1, c1) >= self.grid.n:
                faults[f].append(f"ink over the wall {_between(shut.steps[k])}")
            else:
                cuts = np.flatnonzero(shut.of == k)
                sides = [np.concatenate([shut.beside[cuts, i], shut.far[cuts, i]]) for i in (0, 1)]
                ends = [side[flat[f, side]][:1] for side in sides]
                if all(len(end) for end in ends):
                    a, b = (divmod(int(end[0]), self.size) for end in ends)
                    links.append((int(f), a, b))
        return links

    def _built(
        self, open_: Sections, more: np.ndarray, touched: np.ndarray, faults: list[list[str]]
    ) -> None:
        """A wall across a door, not to be taken for ink: nothing leads up to it on either side."""
        dark = more[:, open_.wide].clip(0).sum(-1) > 0.5 * open_.bar.shape[1]
        bare: np.ndarray = ~np.any(touched[:, open_.far], axis=-1)
        walled, free = open_.sums(np.logical_and(dark, bare)), open_.sums(bare)
        whole = np.bincount(open_.of)
        for f, k in np.argwhere((free >= 0.6 * whole) & (walled >= 0.75 * free)):
            faults[f].append(f"a wall {_between(open_.steps[k])}")


def _apart(a: np.ndarray, b: np.ndarray) -> bool:
    """Whether two directions of colour differ enough to tell mixtures of them apart."""
    if np.linalg.norm(b) < 40:
        return False
    return bool(abs(a @ b) < 0.95 * np.linalg.norm(a) * np.linalg.norm(b))


def _between(step: Edge) -> str:
    return f"between {step[0] + 1},{step[1] + 1} and {step[2] + 1},{step[3] + 1}"


def near_walls(mask: np.ndarray) -> np.ndarray:
    """Pixels that touch a wall: bool like `mask`."""
    return ndimage.maximum_filter(mask > 0.5, 2 * max(round(len(mask) / 64), 1) + 1)
