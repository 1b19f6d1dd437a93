"""Flow: dots of equal colour are joined by lines that don't meet; each pair has its own pitch."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from dataclasses import dataclass
from itertools import pairwise, permutations, product
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, disc, palette
from phosphene.errors import PhospheneError
from phosphene.lines import Cell, along, jump, route, simple_path, stroke
from phosphene.readers.dots import Dots
from phosphene.readers.flows import FlowReader
from phosphene.readers.strokes import Grid, edge
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "connect the dots of equal colour with lines that do not cross",
    "join each pair of matching dots by a line of its colour; the lines must never meet",
    "draw a line from every dot to the dot of the same colour along the grid; no two lines touch; "
    "the dots and the camera stay as they are",
)
PITCH = (330.0, 440.0, 554.4, 698.5)  # Hz, of the first step of each pair's line
MARGIN = 2 / 64  # share of the side left free around the grid
AROUND = ((0, 1), (1, 0), (0, -1), (-1, 0))


@dataclass(frozen=True)
class Flow(Task):
    """Pairs of dots on a square grid; lines go from cell to cell and no cell holds two of them.

    Any set of such lines is right; cells may stay empty. No set of lines with one corner each
    solves a problem. The smallest grid with two pairs has thousands of problems. One set of pairs
    in ten is held out of training.

    Args:
        cells: along a side, 4..8.
        pairs: of dots, 2..4.
        variety: 0 for fixed colours, 1 for free ones.
    """

    cells: int = 6
    pairs: int = 3
    variety: float = 1.0
    name: ClassVar[str] = "flow"
    LADDER = (
        {"cells": 4, "pairs": 2},
        {"cells": 5, "pairs": 2},
        {"cells": 6, "pairs": 3},
        {"cells": 7, "pairs": 3},
        {"cells": 8, "pairs": 4},
    )
    PROCESS = True
    VARIATIONS = ("stroke", "wobble")

    def __post_init__(self) -> None:
        if not 4 <= self.cells <= 8:
            raise PhospheneError(f"flow.cells must lie in 4..8; got {self.cells}")
        if not 2 <= self.pairs <= 4:
            raise PhospheneError(f"flow.pairs must lie in 2..4; got {self.pairs}")
        if not 0 <= self.variety <= 1:
            raise PhospheneError(f"flow.variety must lie in 0..1; got {self.variety}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 5])
        while True:
            dots = rng.permutation(self.cells**2)[: 2 * self.pairs]
            ends = [divmod(int(d), self.cells) for d in dots]
            pairs = [(ends[2 * k], ends[2 * k + 1]) for k in range(self.pairs)]
            instance = f"flow {self.cells} {sorted(sorted(pair) for pair in pairs)}"
            if (split == "test") != held_out(instance, 10) or _plain(pairs):
                continue
            ways = _solve(self.cells, pairs)
            if ways is not None:
                break
        colours = _colours(rng, self.variety)
        while _nearest(colours) < 110:
            colours = _colours(rng, self.variety)
        state = {
            "cells": self.cells,
            "pairs": [[list(a), list(b)] for a, b in pairs],
            "answer": [_as_answer(way) for way in ways],
            "colours": colours[: 1 + self.pairs].tolist(),
        }
        n = f"{self.cells} by {self.cells}"
        caption = (
            f"{self.pairs} pairs of dots on a grid of {n} are joined by lines that do not meet"
        )
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        grid, inks = Grid(s["cells"], MARGIN), np.array(s["colours"][1:], np.float32)
        steps = [(k, (grid.centre(a, size), grid.centre(b, size))) for k, (a, b) in _steps(problem)]
        picture = _board(problem, size)
        pictures, drawn = np.empty((len(times), size, size, 3), np.float32), 0.0
        for k in np.argsort(times, kind="stable"):
            # The last frames rest on the answer.
            reach = min(float(times[k]) * 9 / 8, 1) * len(steps)
            while drawn < reach:
                i = int(drawn)
                until = min(reach, i + 1.0)
                pair, step = steps[i]
                ends = (along(step, drawn - i), along(step, until - i))
                stroke(picture, ends, grid.side(size) * 0.17, inks[pair])
                drawn = until
            pictures[k] = picture
        cover, look = np.zeros((size, size), np.float32), np.zeros((size, size, 3), np.float32)
        for pair, ends in enumerate(s["pairs"]):
            for cell in ends:
                spot = disc(size, *grid.centre(cell, size), grid.side(size) * 0.3)
                cover, look = (
                    np.maximum(cover, spot),
                    np.where(spot[..., None] > 0, inks[pair], look),
                )
        return blend(pictures, cover, look)

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        steps = _steps(problem)
        seconds = canvas.seconds * 8 / 9 / max(len(steps), 1)
        counts = [0] * len(problem.state["pairs"])
        for i, (pair, _) in enumerate(steps):
            pitch = PITCH[pair] * 2 ** (counts[pair] / 24)
            mix(
                track,
                tone(round(seconds * canvas.rate), canvas.rate, pitch),
                i * seconds,
                canvas.rate,
            )
            counts[pair] += 1
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return np.ones((size, size), bool)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, first.shape[0]
        grid, colours = Grid(s["cells"], MARGIN), np.array(s["colours"], np.float32)
        cells = tuple((int(r), int(c)) for pair in s["pairs"] for r, c in pair)
        groups = tuple(k for k in range(len(s["pairs"])) for _ in range(2))
        dots = Dots(grid, cells, grid.side(size) * 0.3, groups, size)
        return FlowReader(grid, dots, colours[0], colours[1:]).read(frames, first)

    def right(self, problem: Problem, answer: Any) -> bool:
        taken: set[Cell] = set()
        for (a, b), found in zip(problem.state["pairs"], answer, strict=True):
            if len(found) != 1 or not simple_path(found[0], tuple(a), tuple(b)):
                return False
            cells = {(s[i], s[i + 1]) for s in found[0] for i in (0, 2)}
            others = {tuple(c) for pair in problem.state["pairs"] for c in pair} - {
                tuple(a),
                tuple(b),
            }
            if cells & (taken | others):
                return False
            taken |= cells
        return True

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        readings = [trace.readings[k] for k in sorted(trace.readings)]
        for k, reading in enumerate(readings):
            if reading.altered:
                return "failed", f"frame {k}: {reading.altered[0]}"
        shown = [[p for pair in r.answer or () for p in pair] for r in readings]
        fault = jump(shown, {tuple(c) for pair in problem.state["pairs"] for c in pair})
        return ("failed", fault) if fault else ("passed", "")

    def work_out(self, problem: Problem) -> Any:
        s = problem.state
        ways = _solve(s["cells"], [(tuple(a), tuple(b)) for a, b in s["pairs"]])
        return None if ways is None else [_as_answer(way) for way in ways]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        pairs = [(tuple(a), tuple(b)) for a, b in problem.state["pairs"]]
        taken = {cell for pair in pairs for cell in pair}
        out: list[Any] = [[] for _ in pairs]
        for k in rng.permutation(len(pairs)):
            a, b = pairs[k]
            for _ in range(6):
                way = _walk(a, b, rng.permutation([0] * abs(b[0] - a[0]) + [1] * abs(b[1] - a[1])))
                if not set(way[1:-1]) & taken:
                    out[k] = _as_answer(way)
                    taken |= set(way)
                    break
        return out

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        s = problem.state
        pairs = [[list(c) for c in pair] for pair in s["pairs"]]
        dots = [c for pair in pairs for c in pair]
        if rng.random() < 0.5:
            (i, j) = rng.permutation(len(pairs))[:2]
            pairs[i][0], pairs[j][0] = pairs[j][0], pairs[i][0]
        else:
            used = {
                (q[i], q[i + 1]) for pair in s["answer"] for p in pair for q in p for i in (0, 2)
            }
            n = s["cells"]
            free = [[r, c] for r in range(n) for c in range(n) if (r, c) not in used]
            free = free or [[r, c] for r in range(n) for c in range(n) if [r, c] not in dots]
            pairs[rng.integers(len(pairs))][rng.integers(2)] = free[rng.integers(len(free))]
        return Problem(**{**vars(problem), "state": {**s, "pairs": pairs}})

    def say(self, answer: Any) -> str:
        whole = sum(len(pair) == 1 for pair in answer)
        return f"{whole} whole lines of {sum(len(p) for pair in answer for p in pair)} steps in all"


def _as_answer(way: list[Cell]) -> list[list[list[int]]]:
    return [sorted(list(edge(a, b)) for a, b in pairwise(way))]


def _steps(problem: Problem) -> list[tuple[int, tuple[Cell, Cell]]]:
    """Pair and cells of each of the answer's steps, in the order they are drawn."""
    answer: list[Any] = problem.state["answer"] or []
    ends = [[tuple(c) for c in pair] for pair in problem.state["pairs"]]
    return [
        (k, step)
        for k, found in enumerate(answer)
        for piece in found
        for step in route(piece, ends[k])
    ]


def _board(problem: Problem, size: int) -> np.ndarray:
    """Paper with faint lines between the cells."""
    s = problem.state
    grid, paper = Grid(s["cells"], MARGIN), np.array(s["colours"][0], np.float32)
    picture = np.broadcast_to(paper, (size, size, 3)).astype(np.float32)
    start, stop, half = size * MARGIN, size * (1 - MARGIN), max(size / 128, 0.5)
    for i in range(grid.n + 1):
        at = start + i * grid.side(size)
        for ends in ((at - half, start, at + half, stop), (start, at - half, stop, at + half)):
            picture = np.minimum(picture, paper - 34 * box(size, *ends)[..., None])
    return picture


def _walk(a: Cell, b: Cell, moves: Collection[int]) -> list[Cell]:
    """From `a` to `b`, both included: 0 is a step up or down, 1 to the left or right."""
    way = [a]
    for move in moves:
        r, c = way[-1]
        way.append((r, c + int(np.sign(b[1] - c))) if move else (r + int(np.sign(b[0] - r)), c))
    return way


def _plain(pairs: list[tuple[Cell, Cell]]) -> bool:
    """Whether lines with at most one corner each solve it."""
    bends = []
    for a, b in pairs:
        down, across = [0] * abs(b[0] - a[0]), [1] * abs(b[1] - a[1])
        bends.append((set(_walk(a, b, down + across)), set(_walk(a, b, across + down))))
    return any(sum(map(len, ways)) == len(set.union(*ways)) for ways in product(*bends))


def _solve(n: int, pairs: list[tuple[Cell, Cell]]) -> list[list[Cell]] | None:
    """Lines that don't meet: the shortest for one pair after another, in any order and any turn."""
    dots = {c for pair in pairs for c in pair}
    for order in permutations(range(len(pairs))):
        for turn in range(4):
            ways: dict[int, list[Cell]] = {}
            for k in order:
                taken = dots.union(*ways.values()) - set(pairs[k])
                way = _shortest(n, *pairs[k], taken, AROUND[turn:] + AROUND[:turn])
                if way is None:
                    break
                ways[k] = way
            if len(ways) == len(pairs):
                return [ways[k] for k in range(len(pairs))]
    return None


def _shortest(
    n: int, a: Cell, b: Cell, taken: set[Cell], around: tuple[Cell, ...]
) -> list[Cell] | None:
    """A shortest way around what is taken, None where there is none."""
    came: dict[Cell, Cell | None] = {a: None}
    todo = deque([a])
    while todo and b not in came:
        r, c = todo.popleft()
        for dr, dc in around:
            cell = (r + dr, c + dc)
            if min(cell) >= 0 and max(cell) < n and cell not in came and cell not in taken:
                came[cell] = (r, c)
                todo.append(cell)
    if b not in came:
        return None
    way: list[Cell] = []
    at: Cell | None = b
    while at is not None:
        way.append(at)
        at = came[at]
    return way[::-1]


def _colours(rng: np.random.Generator, variety: float) -> np.ndarray:
    """Paper, and inks of four hues: blue, red, green and orange; `(5, 3)`."""
    inks = palette(rng, 4, variety)
    orange = np.array([225, 140, 0]) + variety * rng.uniform(-20, 20, 3)
    return np.concatenate([inks[[0, 2, 4, 3]], orange.clip(0, 255)[None]])


def _nearest(colours: np.ndarray) -> float:
    """The distance between the two colours that are most alike."""
    away = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    return float(away[~np.eye(len(colours), dtype=bool)].min())


COMPONENT = Flow
