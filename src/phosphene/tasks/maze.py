"""Maze: the way from the green dot to the red one is traced; blips spell the directions."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, capsule, disc, palette
from phosphene.errors import PhospheneError
from phosphene.lines import Cell, Step, along, jump, route, simple_path
from phosphene.readers.mazes import MazeReader
from phosphene.readers.strokes import Edge, Grid, edge
from phosphene.readers.walls import wall_mask
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "trace the path through the maze",
    "draw the way from the green dot to the red dot",
    "find the route from start to goal without crossing a wall",
    "draw one continuous line through the open passages from the start dot to the goal dot; "
    "walls, dots and camera stay as they are",
)
# Pitch in Hz of a step right, down, left, up.
PITCH = {(0, 1): 660.0, (1, 0): 440.0, (0, -1): 550.0, (-1, 0): 880.0}
MARGIN = 2 / 64  # share of the side left free around the maze


@dataclass(frozen=True)
class Maze(Task):
    """A square maze without loops: exactly one way leads from start to goal.

    The answer is the ink's pieces, each the steps between cells that it takes: right is one piece
    that is a way through doors from start to goal. A line may poke a third of a cell into a branch;
    deeper, it has been there, and the answer is wrong. Spanning trees of a 4x4 maze alone number
    100,352, times start and goal. One maze in ten (walls, start and goal) is held out of training.

    Args:
        smallest, largest: cells along a side, drawn evenly between the two, 2..13.
        variety: 0 for fixed colours, 1 for free ones.
    """

    smallest: int = 4
    largest: int = 4
    variety: float = 1.0
    name: ClassVar[str] = "maze"
    LADDER = tuple({"smallest": n, "largest": n} for n in (3, 5, 7, 9, 13))
    PROCESS = True

    def __post_init__(self) -> None:
        if not 2 <= self.smallest <= self.largest <= 13:
            raise PhospheneError(
                f"maze wants 2 <= smallest <= largest <= 13; got {self.smallest}, {self.largest}"
            )
        if not 0 <= self.variety <= 1:
            raise PhospheneError(f"maze.variety must lie in 0..1; got {self.variety}")

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
            "doors": [list(edge(a, b)) for a, b in sorted(doors)],
            "start": list(start),
            "goal": list(goal),
            "answer": _as_answer(path),
            "colours": palette(rng, 4, self.variety).tolist(),
        }
        return Problem(self.name, seed, split, PROMPTS, f"a maze of {n} by {n} is solved", state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        grid, ink = Grid(s["n"], MARGIN), np.array(s["colours"][2], np.float32)
        steps = [(grid.centre(a, size), grid.centre(b, size)) for a, b in _steps(problem)]
        empty, spots = _maze_picture(problem, size), _dots(problem, size)
        trace, drawn = np.zeros((size, size), np.float32), 0.0
        pictures = np.empty((len(times), size, size, 3), np.float32)
        for k in np.argsort(times, kind="stable"):
            reach = _reach(float(times[k]), canvas) * len(steps)
            while drawn < reach:
                # Never past a corner: each stroke lies within one step of the path.
                i = int(drawn)
                until = min(reach, i + 1.0)
                ends = (along(steps[i], drawn - i), along(steps[i], until - i))
                trace = np.maximum(trace, capsule(size, *ends, _pen(s["n"], size)))
                drawn = until
            picture = blend(empty, trace, ink)
            for spot, colour in zip(spots, s["colours"][3:], strict=True):
                picture = blend(picture, spot, np.array(colour, np.float32))
            pictures[k] = picture
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        steps = _steps(problem)
        seconds = max(canvas.frames - 2, 1) / canvas.fps / max(len(steps), 1)
        for i, ((r0, c0), (r1, c1)) in enumerate(steps):
            if pitch := PITCH.get((r1 - r0, c1 - c0)):
                blip = tone(round(seconds * canvas.rate), canvas.rate, pitch)
                mix(track, blip, float(i * seconds), canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        # Corridors are everywhere; the walls between them are read one by one.
        return np.ones((size, size), bool)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, first.shape[0]
        paper, wall = (np.array(c, np.float32) for c in s["colours"][:2])
        cells = (tuple(s["start"]), tuple(s["goal"]))
        doors = {edge(d[:2], d[2:]) for d in s["doors"]}
        reader = MazeReader(
            Grid(s["n"], MARGIN),
            doors,
            _half(s["n"], size),
            size,
            paper,
            wall,
            cells,
            _dot(s["n"], size),
        )
        return reader.read(frames, first)

    def right(self, problem: Problem, answer: Any) -> bool:
        s = problem.state
        doors = {tuple(d) for d in s["doors"]}
        if len(answer) != 1 or not {tuple(step) for step in answer[0]} <= doors:
            return False
        return simple_path(answer[0], tuple(s["start"]), tuple(s["goal"]))

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        readings = [trace.readings[k] for k in sorted(trace.readings)]
        for k, reading in enumerate(readings):
            if reading.altered:
                return "failed", f"frame {k}: {reading.altered[0]}"
        ends = {tuple(problem.state["start"]), tuple(problem.state["goal"])}
        fault = jump([r.answer for r in readings], ends)
        return ("failed", fault) if fault else ("passed", "")

    def work_out(self, problem: Problem) -> Any:
        s = problem.state
        doors = {((a, b), (c, d)) for a, b, c, d in s["doors"]}
        return _as_answer(_path(doors, tuple(s["start"]), tuple(s["goal"])))

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        s = problem.state
        by = (int(rng.integers(s["n"])), int(rng.integers(s["n"])))
        way: list[Cell] = []
        there = _stairs(tuple(s["start"]), by, rng)
        for cell in there + _stairs(by, tuple(s["goal"]), rng)[1:]:
            way = way[: way.index(cell)] if cell in way else way
            way.append(cell)
        return _as_answer(way)

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        s = problem.state
        n, doors = s["n"], [list(d) for d in s["doors"]]
        change: dict[str, Any] = {}
        match int(rng.integers(4)):
            case 0:
                shut = [e for e in _inner(n) if list(e) not in doors]
                change["doors"] = [*doors, list(shut[rng.integers(len(shut))])]
            case 1:
                gone = rng.integers(len(doors))
                change["doors"] = [d for i, d in enumerate(doors) if i != gone]
            case 2:
                which = ("start", "goal")[rng.integers(2)]
                others = [[r, c] for r in range(n) for c in range(n)]
                others = [c for c in others if c not in (s["start"], s["goal"])]
                change[which] = others[rng.integers(len(others))]
            case _:
                change = {"start": s["goal"], "goal": s["start"]}
        return Problem(**{**vars(problem), "state": {**s, **change}})

    def say(self, answer: Any) -> str:
        if len(answer) != 1:
            return f"{len(answer)} pieces of line"
        return (
            f"a line through {len({tuple(s[i : i + 2]) for s in answer[0] for i in (0, 2)})} cells"
        )


def _as_answer(way: list[Cell]) -> list[list[list[int]]]:
    return [sorted(list(edge(a, b)) for a, b in pairwise(way))]


def _steps(problem: Problem) -> list[Step]:
    """The answer's steps in the order they are drawn."""
    ends = [tuple(problem.state["start"]), tuple(problem.state["goal"])]
    return [step for piece in problem.state["answer"] or () for step in route(piece, ends)]


def _reach(time: float, canvas: Canvas) -> float:
    """The share of the way that is drawn: all of it one frame before the end."""
    frame = time * max(canvas.frames - 1, 1)
    return min(round(frame, 9) / max(canvas.frames - 2, 1), 1)


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
        doors.add(((r, c), cell) if (r, c) < cell else (cell, (r, c)))
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


def _stairs(a: Cell, b: Cell, rng: np.random.Generator) -> list[Cell]:
    """A random shortest way from `a` to `b`, walls or not, both included."""
    rows, columns = b[0] - a[0], b[1] - a[1]
    moves = rng.permutation([0] * abs(rows) + [1] * abs(columns))
    way = [a]
    for move in moves:
        r, c = way[-1]
        way.append((r, c + int(np.sign(columns))) if move else (r + int(np.sign(rows)), c))
    return way


def _inner(n: int) -> list[Edge]:
    """All borders between two cells."""
    level = [(r, c, r + 1, c) for r in range(n - 1) for c in range(n)]
    return level + [(r, c, r, c + 1) for r in range(n) for c in range(n - 1)]


def _half(n: int, size: int) -> float:
    """Half a wall's width in pixels: walls of fine mazes are thinner, to leave room for the way."""
    return max(size / 64 if n <= 9 else size / 128, 0.5)


def _pen(n: int, size: int) -> float:
    """Half the line's width in pixels: at least a pixel of 64."""
    return max(Grid(n, MARGIN).side(size) * 0.14, size / 64)


def _dot(n: int, size: int) -> float:
    """A dot's radius in pixels."""
    return max(Grid(n, MARGIN).side(size) * 0.26, size * 1.6 / 64)


def _walls(problem: Problem, size: int) -> np.ndarray:
    s = problem.state
    doors = {edge(d[:2], d[2:]) for d in s["doors"]}
    return wall_mask(Grid(s["n"], MARGIN), doors, _half(s["n"], size), size)


def _maze_picture(problem: Problem, size: int) -> np.ndarray:
    paper, wall = (np.array(c, np.float32) for c in problem.state["colours"][:2])
    picture = np.broadcast_to(paper, (size, size, 3)).astype(np.float32)
    return blend(picture, _walls(problem, size), wall)


def _dots(problem: Problem, size: int) -> list[np.ndarray]:
    """Coverage of the start and the goal dot."""
    s = problem.state
    grid, radius = Grid(s["n"], MARGIN), _dot(s["n"], size)
    return [disc(size, *grid.centre(cell, size), radius) for cell in (s["start"], s["goal"])]


COMPONENT = Maze
