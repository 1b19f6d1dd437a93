"""Maze: the way from the green dot to the red one is traced; blips spell the directions."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from itertools import pairwise
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.draw import blend, capsule, disc, ink_amount, palette
from phosphene.errors import PhospheneError
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.verdict import Verdict

PROMPTS = (
    "trace the path through the maze",
    "draw the way from the green dot to the red dot",
    "find the route from start to goal without crossing a wall",
)
# Pitch in Hz of a step right, down, left, up.
PITCH = {(0, 1): 660.0, (1, 0): 440.0, (0, -1): 550.0, (-1, 0): 880.0}
MARGIN = 2 / 64  # share of the side left free around the maze

Cell = tuple[int, int]  # row, column


@dataclass(frozen=True)
class Maze(Task):
    """A square maze without loops: exactly one way leads from start to goal.

    One maze in ten (walls, start and goal together) is held out of training.

    Args:
        smallest, largest: cells along a side, drawn evenly between the two, 2..13.
        variety: 0 for fixed colours, 1 for free ones.
    """

    smallest: int = 4
    largest: int = 4
    variety: float = 1.0
    name: ClassVar[str] = "maze"

    def __post_init__(self) -> None:
        if not 2 <= self.smallest <= self.largest <= 13:
            raise PhospheneError(
                f"maze wants 2 <= smallest <= largest <= 13; got {self.smallest}, {self.largest}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 2])
        n = int(rng.integers(self.smallest, self.largest + 1))
        while True:
            doors = _spanning_tree(rng, n)
            start, goal = (divmod(int(c), n) for c in rng.choice(n * n, 2, replace=False))
            path = _path(doors, start, goal)
            instance = f"maze {n} {sorted(doors)} {start} {goal}"
            if len(path) > n // 2 + 1 and (split == "test") == held_out(instance, 10):
                break
        state = {
            "n": n,
            "doors": [list(map(list, d)) for d in sorted(doors)],
            "path": [list(c) for c in path],
            "colours": palette(rng, 4, self.variety).tolist(),
        }
        return Problem(self.name, seed, split, PROMPTS, f"a maze of {n} by {n} is solved", state)

    def solve(self, problem: Problem, canvas: Canvas) -> Clip:
        s = problem.state
        size, path = canvas.size, [_centre(c, s["n"], canvas.size) for c in s["path"]]
        paper, _, ink, _, _ = np.array(s["colours"], np.float32)
        empty = _maze_picture(problem, size, paper)
        steps, beats = len(path) - 1, max(canvas.frames - 2, 1)
        trace = np.zeros((size, size), np.float32)
        frames = np.empty((canvas.frames, size, size, 3), np.float32)
        drawn = 0.0
        for k in range(canvas.frames):
            reach = min(k / beats, 1) * steps
            while drawn < reach:
                # Never past a corner: each stroke lies within one step of the path.
                until = min(reach, float(int(drawn) + 1))
                ends = (_along(path, drawn), _along(path, until))
                trace = np.maximum(trace, capsule(size, *ends, _cell_side(s["n"], size) * 0.14))
                drawn = until
            frames[k] = _dots(blend(empty, trace, ink), problem, size)
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        step_seconds = beats / canvas.fps / steps
        for i in range(steps):
            (r0, c0), (r1, c1) = s["path"][i], s["path"][i + 1]
            blip = tone(round(step_seconds * canvas.rate), canvas.rate, PITCH[(r1 - r0, c1 - c0)])
            mix(track, blip, i * step_seconds, canvas.rate)
        pixels = np.rint(frames).clip(0, 255).astype(np.uint8)
        return Clip(pixels, Fraction(canvas.fps), finish(track, canvas.rate), canvas.rate)

    def judge(self, problem: Problem, clip: Clip) -> Verdict:
        s = problem.state
        if clip.frames is None or clip.frames.shape[1] != clip.frames.shape[2]:
            return Verdict("unreadable", reason="no square picture")
        size = clip.frames.shape[1]
        first, last = clip.frames[0].astype(np.float32), clip.frames[-1].astype(np.float32)
        paper, wall, ink, _, _ = np.array(s["colours"], np.float32)
        drawn = _crossings(ink_amount_of(last, paper, ink), s["n"], size)
        path = [tuple(c) for c in s["path"]]
        wanted = {_edge(a, b) for a, b in pairwise(path)}
        doors = {_edge(tuple(a), tuple(b)) for a, b in s["doors"]}
        missing, extra, through = wanted - drawn, drawn - wanted, drawn - doors
        walls = np.abs(ink_amount_of(last, paper, wall) - ink_amount_of(first, paper, wall))
        if not drawn:
            reason = "no path drawn"
        elif missing or extra:
            reason = (
                f"{len(missing)} steps missing, {len(extra)} astray, {len(through)} through walls"
            )
        else:
            reason = f"all {len(wanted)} steps drawn"
        return Verdict(
            answer="failed" if missing or extra else "passed",
            givens="passed" if walls[_wall_mask(problem, size) > 0.5].mean() < 0.25 else "failed",
            process="failed" if through else "passed",
            reason=reason,
            evidence={"missing": len(missing), "extra": len(extra), "through_walls": len(through)},
        )


def ink_amount_of(picture: np.ndarray, paper: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """Ink amount, 0 where the pixel's colour is nearer to something other than paper or ink."""
    amount = ink_amount(picture, paper, ink)
    off = np.linalg.norm(picture - (paper + amount[..., None] * (ink - paper)), axis=-1)
    return np.where(off < 0.35 * np.linalg.norm(ink - paper), amount, 0)


def _spanning_tree(rng: np.random.Generator, n: int) -> set[tuple[Cell, Cell]]:
    """Doors of a maze grown by depth-first search from a random cell."""
    stack = [divmod(int(rng.integers(n * n)), n)]
    seen, doors = set(stack), set()
    while stack:
        r, c = stack[-1]
        around = [(r + dr, c + dc) for dr, dc in PITCH if 0 <= r + dr < n and 0 <= c + dc < n]
        fresh = [cell for cell in around if cell not in seen]
        if not fresh:
            stack.pop()
            continue
        cell = fresh[int(rng.integers(len(fresh)))]
        seen.add(cell)
        doors.add(_edge((r, c), cell))
        stack.append(cell)
    return doors


def _path(doors: set[tuple[Cell, Cell]], start: Cell, goal: Cell) -> list[Cell]:
    """The one way from start to goal, both included."""
    beside: dict[Cell, list[Cell]] = {}
    for a, b in doors:
        beside.setdefault(a, []).append(b)
        beside.setdefault(b, []).append(a)
    ways = [[start]]
    for way in ways:
        if way[-1] == goal:
            return way
        ways += [[*way, cell] for cell in beside[way[-1]] if cell not in way[-2:-1]]
    raise AssertionError("a spanning tree connects every two cells")


def _edge(a: Cell, b: Cell) -> tuple[Cell, Cell]:
    return (a, b) if a < b else (b, a)


def _cell_side(n: int, size: int) -> float:
    return size * (1 - 2 * MARGIN) / n


def _centre(cell: list[int] | Cell, n: int, size: int) -> tuple[float, float]:
    """x, y in pixels."""
    side = _cell_side(n, size)
    return size * MARGIN + (cell[1] + 0.5) * side, size * MARGIN + (cell[0] + 0.5) * side


def _along(path: list[tuple[float, float]], reach: float) -> tuple[float, float]:
    """The point `reach` steps along a path of points."""
    i = min(int(reach), len(path) - 2)
    (x0, y0), (x1, y1), t = path[i], path[i + 1], reach - i
    return x0 + t * (x1 - x0), y0 + t * (y1 - y0)


def _wall_mask(problem: Problem, size: int) -> np.ndarray:
    """Coverage `(size, size)` of the walls."""
    n = problem.state["n"]
    doors = {_edge(tuple(a), tuple(b)) for a, b in problem.state["doors"]}
    side, left = _cell_side(n, size), size * MARGIN
    half = max(size / 64, 0.5)
    mask = np.zeros((size, size), np.float32)

    def bar(x0: float, y0: float, x1: float, y1: float) -> None:
        rows = slice(round(max(y0 - half, 0)), round(y1 + half))
        mask[rows, round(max(x0 - half, 0)) : round(x1 + half)] = 1

    for i in range(n + 1):
        for j in range(n):
            above, under = (i - 1, j), (i, j)
            if i in (0, n) or _edge(above, under) not in doors:
                bar(left + j * side, left + i * side, left + (j + 1) * side, left + i * side)
            before, after = (j, i - 1), (j, i)
            if i in (0, n) or _edge(before, after) not in doors:
                bar(left + i * side, left + j * side, left + i * side, left + (j + 1) * side)
    return mask


def _maze_picture(problem: Problem, size: int, paper: np.ndarray) -> np.ndarray:
    wall = np.array(problem.state["colours"][1], np.float32)
    picture = np.broadcast_to(paper, (size, size, 3)).astype(np.float32)
    return blend(picture, _wall_mask(problem, size), wall)


def _dots(picture: np.ndarray, problem: Problem, size: int) -> np.ndarray:
    """Paint the start and goal dots."""
    s = problem.state
    radius = _cell_side(s["n"], size) * 0.26
    for cell, colour in ((s["path"][0], s["colours"][3]), (s["path"][-1], s["colours"][4])):
        spot = disc(size, *_centre(cell, s["n"], size), radius)
        picture = blend(picture, spot, np.array(colour, np.float32))
    return picture


def _crossings(ink: np.ndarray, n: int, size: int) -> set[tuple[Cell, Cell]]:
    """Which borders between neighbouring cells the drawn path crosses.

    A border counts as crossed when a majority of the pixels right on it, near its middle, hold ink.
    """
    crossed = set()
    side, left, reach = _cell_side(n, size), size * MARGIN, max(size / 64, 1)
    for r in range(n):
        for c in range(n):
            x, y = _centre((r, c), n, size)
            for other, (bx, by) in (
                ((r, c + 1), (left + (c + 1) * side, y)),
                ((r + 1, c), (x, left + (r + 1) * side)),
            ):
                if max(other) < n:
                    rows = slice(round(by - reach), round(by + reach))
                    patch = ink[rows, round(bx - reach) : round(bx + reach)]
                    if patch.mean() > 0.5:
                        crossed.add(((r, c), other))
    return crossed


COMPONENT = Maze
