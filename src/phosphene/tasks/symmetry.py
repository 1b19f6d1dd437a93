"""Symmetry: half of a pattern is given, its mirror image is painted; a tone tells each colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, capsule, palette
from phosphene.errors import PhospheneError
from phosphene.readers.cells import alike, cell_box, cell_colours
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading

PROMPTS = (
    "complete the pattern so that it is mirrored at the line",
    "paint the mirror image of the given half on the other side of the line",
    "fill the empty half to make the picture symmetric; leave the given half alone",
    "colour the empty cells so that both sides of the line mirror each other, cell by cell; "
    "the camera doesn't move",
)
MARGIN = 2 / 64  # share of the side left free around the grid
APART = 110  # levels of 255: the least distance of two colours of one problem


@dataclass(frozen=True)
class Symmetry(Task):
    """A square grid of coloured cells, mirrored left-right, top-down or along a diagonal.

    The answer is a grid that holds the painted half and 0 (paper) elsewhere. A copy that is moved
    instead of mirrored is always wrong. At 4 cells and one colour some 200 patterns stand for each
    axis, at 6 cells and two colours 3^18. One half pattern in ten is held out of training, whatever
    its colours and whether it lies or stands.

    Args:
        cells: along a side, even, 4..12.
        colours: how many inks, 1..4.
        filled: share of the given half's cells that hold ink.
        axes: any of `v` (mirror line upright), `h` (level) and `d` (from the upper left corner
            to the lower right one).
        variety: 0 for fixed colours, 1 for free ones.
    """

    cells: int = 6
    colours: int = 2
    filled: float = 0.4
    axes: str = "vhd"
    variety: float = 1.0
    name: ClassVar[str] = "symmetry"
    LADDER = (
        {"cells": 4, "colours": 1},
        {"cells": 6, "colours": 2},
        {"cells": 8, "colours": 3},
        {"cells": 10, "colours": 4},
    )
    VARIATIONS = ("stroke", "wobble")

    def __post_init__(self) -> None:
        if self.cells not in range(4, 13, 2):
            raise PhospheneError(f"symmetry.cells must be even, 4..12; got {self.cells}")
        if not 1 <= self.colours <= 4:
            raise PhospheneError(f"symmetry.colours must lie in 1..4; got {self.colours}")
        if not 0.1 <= self.filled <= 0.9:
            raise PhospheneError(f"symmetry.filled must lie in 0.1..0.9; got {self.filled}")
        if not self.axes or set(self.axes) - set("vhd"):
            raise PhospheneError(f"symmetry.axes takes v, h and d; got {self.axes!r}")
        if not 0 <= self.variety <= 1:
            raise PhospheneError(f"symmetry.variety must lie in 0..1; got {self.variety}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 4])
        n = self.cells
        while True:
            axis = self.axes[rng.integers(len(self.axes))]
            inks = rng.integers(1, self.colours + 1, (n, n))
            empty = _half(axis, n)
            given = np.where((rng.random((n, n)) < self.filled) & ~empty, inks, 0)
            answer = np.where(empty, _mirrored(given, axis), 0)
            plain = answer.any() and (answer != _moved(given, axis)).any()
            if plain and (split == "test") == held_out(_instance(given, axis), 10):
                break
        colours = palette(rng, 4, self.variety)
        while _nearest(colours) < APART:
            colours = palette(rng, 4, self.variety)
        state = {
            "cells": n,
            "axis": axis,
            "given": given.tolist(),
            "answer": answer.tolist(),
            "colours": colours.tolist(),
        }
        caption = f"a pattern of {n} by {n} cells is mirrored"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["colours"], np.float32)
        picture = np.broadcast_to(colours[0], (size, size, 3)).astype(np.float32)
        for (r, c), ink in np.ndenumerate(np.array(s["given"])):
            if ink:
                _paint(picture, (r, c), s["cells"], colours[ink])
        ends = {"v": ((0.5, 0), (0.5, 1)), "h": ((0, 0.5), (1, 0.5)), "d": ((0, 0), (1, 1))}
        (x0, y0), (x1, y1) = ends[s["axis"]]
        line = capsule(size, (x0 * size, y0 * size), (x1 * size, y1 * size), max(size / 64, 1) / 2)
        picture = blend(picture, 0.35 * line, colours[1])
        todo, pictures = _painted(problem), np.empty((len(times), size, size, 3), np.float32)
        done = 0
        for k in np.argsort(times, kind="stable"):
            # The last frames rest on the answer.
            shown = min(float(times[k]) * 9 / 8, 1) * len(todo)
            while done + 1 <= shown:
                _paint(picture, todo[done][:2], s["cells"], colours[todo[done][2]])
                done += 1
            pictures[k] = picture
            if shown > done:
                r, c, ink = todo[done]
                _paint(pictures[k], (r, c), s["cells"], colours[ink], shown - done)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        todo = _painted(problem)
        beat = canvas.seconds * 8 / 9 / max(len(todo), 1)
        for i, (_, _, ink) in enumerate(todo):
            sound = tone(round(beat * canvas.rate), canvas.rate, 330.0 * 2 ** (ink / 4))
            mix(track, sound, i * beat, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        at = ((np.arange(size) + 0.5) / size - MARGIN) / (1 - 2 * MARGIN) * problem.state["cells"]
        cell = at.astype(int).clip(0, problem.state["cells"] - 1)
        return _half(problem.state["axis"], problem.state["cells"])[np.ix_(cell, cell)]

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s = problem.state
        n, given = s["cells"], np.array(s["given"])
        names, clear = alike(cell_colours(frames, n, MARGIN), np.array(s["colours"], np.float32))
        empty = _half(s["axis"], n)
        readings = []
        for grid, sure in zip(names, clear, strict=True):
            answer = np.where(empty, grid, 0)
            unsure = int((~sure & empty).sum())
            readings.append(
                Reading(
                    answer.tolist() if answer.any() and not unsure else None,
                    f"{unsure} cells of no clear colour" if unsure else "",
                    tuple(
                        f"cell {r + 1},{c + 1}" for r, c in np.argwhere(~empty & (grid != given))
                    ),
                    tuple(
                        Mark("text", _middle(r, c, n), str(grid[r, c]))
                        for r, c in np.argwhere(answer > 0)
                    ),
                )
            )
        return readings

    def work_out(self, problem: Problem) -> Any:
        given, axis = np.array(problem.state["given"]), problem.state["axis"]
        return np.where(_half(axis, len(given)), _mirrored(given, axis), 0).tolist()

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        """The right cells' colours, anywhere in the empty half."""
        answer = np.array(problem.state["answer"])
        empty = _half(problem.state["axis"], len(answer))
        answer[empty] = rng.permutation(answer[empty])
        return answer.tolist()

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        given = np.array(problem.state["given"])
        cells = np.argwhere(~_half(problem.state["axis"], len(given)))
        r, c = cells[rng.integers(len(cells))]
        given[r, c] = 0 if given[r, c] else 1
        return replace(problem, state={**problem.state, "given": given.tolist()})

    def say(self, answer: Any) -> str:
        return "/".join("".join(".abcd"[i] for i in row) for row in answer)


def _half(axis: str, n: int) -> np.ndarray:
    """Bool `(n, n)`: the half that is to be painted."""
    row, column = np.mgrid[:n, :n]
    return {"v": column >= n // 2, "h": row >= n // 2, "d": row > column}[axis]


def _mirrored(grid: np.ndarray, axis: str) -> np.ndarray:
    return {"v": grid[:, ::-1], "h": grid[::-1], "d": grid.T}[axis]


def _moved(grid: np.ndarray, axis: str) -> np.ndarray:
    """The given half where it would lie if it were moved over, not mirrored."""
    n = len(grid)
    if axis == "d":
        return np.where(_half("d", n), grid[::-1, ::-1], 0)
    return np.roll(grid, n // 2, 1 if axis == "v" else 0)


def _instance(given: np.ndarray, axis: str) -> str:
    """The same text for a pattern in other colours, and for one that lies where another stands."""
    pattern = given.T if axis == "h" else given
    order = list(dict.fromkeys(pattern[pattern > 0].tolist()))
    names = np.array([0, *(order.index(i) + 1 if i in order else 0 for i in range(1, 5))])
    return f"symmetry {axis == 'd'} {names[pattern].tolist()}"


def _painted(problem: Problem) -> list[tuple[int, int, int]]:
    """Row, column and ink of the answer's cells, in the order they are painted: off the line."""
    answer, axis = np.array(problem.state["answer"] or [[0]]), problem.state["axis"]
    cells = [(int(r), int(c), int(answer[r, c])) for r, c in np.argwhere(answer)]
    away = {"v": lambda q: (q[1], q[0]), "h": lambda q: q, "d": lambda q: (q[0] - q[1], q[0])}
    return sorted(cells, key=away[axis])


def _paint(
    picture: np.ndarray, cell: tuple[int, int], n: int, colour: np.ndarray, share: float = 1.0
) -> None:
    """Fill a cell, in place, with edges that cover pixels in part."""
    x0, y0, x1, y1 = cell_box(*cell, n, len(picture), MARGIN)
    columns, rows = np.arange(int(x0), int(np.ceil(x1))), np.arange(int(y0), int(np.ceil(y1)))
    across = np.minimum(columns + 1, x1) - np.maximum(columns, x0)
    down = np.minimum(rows + 1, y1) - np.maximum(rows, y0)
    area = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    area[:] = blend(area, (share * down[:, None] * across).astype(np.float32), colour)


def _middle(row: int, column: int, n: int) -> tuple[float, float]:
    x0, y0, x1, y1 = cell_box(row, column, n, 1, MARGIN)
    return (x0 + x1) / 2, (y0 + y1) / 2


def _nearest(colours: np.ndarray) -> float:
    """The distance between the two colours that are most alike."""
    away = np.linalg.norm(colours[:, None] - colours[None], axis=-1)
    return float(away[~np.eye(len(colours), dtype=bool)].min())


COMPONENT = Symmetry
