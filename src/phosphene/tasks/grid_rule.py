"""Grid rule: two pairs of grids show a rule; the third output is painted, pitch by colour."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, capsule
from phosphene.errors import PhospheneError
from phosphene.figures import Box, edges, inks
from phosphene.grids import COLOURS, KINDS, Rule, applied, outcomes, rules
from phosphene.readers.cells import alike, cell_box, cell_colours
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading

PROMPTS = (
    "find the rule that turns each left grid into the right one and paint the missing grid",
    "two examples show how a grid is changed; apply the same change to the last grid and color the "
    "empty grid beside it; leave everything else unchanged",
    "color the cells of the empty grid so that it follows from the grid on its left as in the rows "
    "above, with a static camera",
)
# Left and right grid of each row.
ROWS: list[tuple[Box, Box]] = [
    ((9 / 64, y / 64, 18 / 64), (37 / 64, y / 64, 18 / 64)) for y in (3, 23, 43)
]
TEST = ROWS[2][1]
Grid = list[list[int]]


@dataclass(frozen=True)
class GridRule(Task):
    """Small grids of coloured cells, in the manner of ARC: two pairs, and one to complete.

    Every rule of the family (`phosphene.grids`) that explains both pairs gives the same answer. One
    combination in ten of rule and last grid, whichever colours they wear, is held out of training;
    there are tens of thousands with three cells a side.

    Args:
        cells: along a side, 3..6; more than 4 want 128 pixels a side.
        colours: how many inks the grids hold, 1..4.
        kinds: which rules may be asked for, of `recolour swap keep mirror rotate shift gravity
            extend outline`, spaced.
        variety: 0 for fixed inks and paper, 1 for free ones.

    Reference: Chollet 2019, On the Measure of Intelligence, https://arxiv.org/abs/1911.01547
    """

    cells: int = 3
    colours: int = 3
    kinds: str = " ".join(KINDS)
    variety: float = 1.0
    name: ClassVar[str] = "grid_rule"
    LADDER = (
        {"kinds": "recolour swap keep", "colours": 2},
        {"kinds": "mirror rotate", "colours": 2},
        {"kinds": "shift gravity", "colours": 2},
        {"kinds": "extend outline", "colours": 2},
        {"colours": 4},
    )
    VARIATIONS = ("stroke", "wobble")

    def __post_init__(self) -> None:
        if not 3 <= self.cells <= 6:
            raise PhospheneError(f"grid_rule.cells must lie in 3..6; got {self.cells}")
        if not 1 <= self.colours <= 4:
            raise PhospheneError(f"grid_rule.colours must lie in 1..4; got {self.colours}")
        kinds = self.kinds.split()
        if not kinds or set(kinds) - set(KINDS):
            raise PhospheneError(f"grid_rule.kinds takes {', '.join(KINDS)}; got {self.kinds!r}")
        if self.colours == 1 and not set(kinds) - {"swap", "keep"}:
            raise PhospheneError("grid_rule.colours must be at least 2 for swap and keep; got 1")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 14])
        kinds = sorted(set(self.kinds.split()), key=KINDS.index)
        while True:
            kind = kinds[rng.integers(len(kinds))]
            of_kind = [r for r in rules() if r[0] == kind]
            rule = of_kind[rng.integers(len(of_kind))]
            grids = self._grids(rng)
            dealt = (split == "test") == held_out(_instance(grids[2], rule), 10)
            if dealt and _fair(grids, rule):
                break
        state = {
            "pairs": [[g.tolist(), applied(rule, g).tolist()] for g in grids[:2]],
            "test": grids[2].tolist(),
            "rule": list(rule),
            "answer": applied(rule, grids[2]).tolist(),
            "paper": (255 - self.variety * rng.uniform(0, 28, 3)).tolist(),
            "inks": inks(rng, self.variety).tolist(),
        }
        caption = (
            f"a rule for grids of {self.cells} by {self.cells} cells is applied: {_words(rule)}"
        )
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def _grids(self, rng: np.random.Generator) -> list[np.ndarray]:
        worn = 1 + rng.permutation(COLOURS)[: self.colours]
        shape = (3, self.cells, self.cells)
        filled = rng.random(shape) < rng.uniform(0.3, 0.6)
        return list(np.where(filled, worn[rng.integers(len(worn), size=shape)], 0))

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = _colours(problem)
        given = np.empty((size, size, 3), np.float32)
        given[:] = colours[0] * (1 - _lines(size, len(s["test"]))[..., None])
        for boxes, grids in zip(ROWS, [*s["pairs"], [s["test"]]], strict=True):
            for place, grid in zip(boxes, grids, strict=False):
                for r, c, ink in _painted(grid):
                    _fill(given, place, (r, c), len(grid), colours, ink)
        todo = _painted(s["answer"])
        pictures = np.repeat(given[None], len(times), 0)
        for picture, time in zip(pictures, times, strict=True):
            shown = min(float(time) * 9 / 8, 1) * len(todo)
            for i, (r, c, ink) in enumerate(todo[: int(np.ceil(shown))]):
                _fill(picture, TEST, (r, c), len(s["test"]), colours, ink, min(shown - i, 1))
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        todo = _painted(problem.state["answer"])
        beat = canvas.seconds * 8 / 9 / max(len(todo), 1)
        for i, (_, _, ink) in enumerate(todo):
            note = tone(round(beat * canvas.rate), canvas.rate, 262.0 * 2 ** (ink / 4))
            mix(track, note, i * beat, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        inside = np.zeros((size, size), bool)
        left, top, right, bottom = edges(TEST, size)
        inside[top:bottom, left:right] = True
        return inside

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        n, colours = len(problem.state["test"]), _colours(problem)
        names, clear = alike(_seen(frames, TEST, n), colours)
        altered = self._altered(problem, frames, first)
        readings = []
        for grid, sure, gone in zip(names, clear, altered, strict=True):
            unsure = int((~sure).sum())
            marks = tuple(
                Mark("text", _middle(r, c, n), str(grid[r, c])) for r, c in np.argwhere(grid)
            )
            why = f"{unsure} cells of no clear colour" if unsure else ""
            shown = grid.tolist() if grid.any() and not unsure else None
            readings.append(Reading(shown, why, gone, marks))
        return readings

    def _altered(
        self, problem: Problem, frames: np.ndarray, first: np.ndarray
    ) -> list[tuple[str, ...]]:
        """The given grids that show other cells than they did."""
        s, n, colours = problem.state, len(problem.state["test"]), _colours(problem)
        out: list[list[str]] = [[] for _ in frames]
        sheets = [*s["pairs"], [s["test"]]]
        called = ("example 1", "example 2", "the last grid")
        for name, boxes, grids in zip(called, ROWS, sheets, strict=True):
            for place, grid in zip(boxes, grids, strict=False):
                names, clear = alike(_seen(frames, place, n), colours)
                other = ((names != np.array(grid)) & clear).any((1, 2))
                for k in np.flatnonzero(other):
                    out[k].append(name)
        return [tuple(dict.fromkeys(names)) for names in out]

    def work_out(self, problem: Problem) -> Any:
        pairs = [(np.array(a), np.array(b)) for a, b in problem.state["pairs"]]
        (answer,) = outcomes(pairs, np.array(problem.state["test"]))
        return [list(row) for row in answer]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        test = np.array(problem.state["test"])
        while True:
            made = applied(rules()[rng.integers(len(rules()))], test)
            if made.any():
                return made.tolist()

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        s = problem.state
        sheets = [np.array(g) for pair in s["pairs"] for g in pair] + [np.array(s["test"])]
        sheet = sheets[rng.integers(len(sheets))]
        r, c = rng.integers(len(sheet), size=2)
        sheet[r, c] = 0 if sheet[r, c] else 1 + rng.integers(COLOURS)
        a, b, c, d, test = (g.tolist() for g in sheets)
        return replace(problem, state={**s, "pairs": [[a, b], [c, d]], "test": test})

    def say(self, answer: Any) -> str:
        return "/".join("".join(".rbgop"[i] for i in row) for row in answer)


def _fair(grids: list[np.ndarray], rule: Rule) -> bool:
    """Whether the pairs settle the answer, something changes, and nothing is shown twice."""
    made = [applied(rule, g) for g in grids]
    every = [g.tobytes() for g in (*grids, *map(np.ascontiguousarray, made))]
    if len(set(every)) < len(every) or not all(g.any() for g in made):
        return False
    return len(outcomes(list(zip(grids[:2], made[:2], strict=True)), grids[2])) == 1


def _instance(test: np.ndarray, rule: Rule) -> str:
    """One spelling for all colours that a problem can wear."""
    known = [int(v) for v in dict.fromkeys(test.ravel()) if v]
    # Colours that only the rule knows are named after those of the grid.
    known += [v for v in rule[1:] if isinstance(v, int) and v not in known]
    inked = rule[0] in ("recolour", "swap", "keep", "outline")
    by = [known.index(v) + 1 if inked else v for v in rule[1:]]
    if rule[0] == "swap":
        by = sorted(by)
    return f"grid_rule {rule[0]} {by} {[[known.index(v) + 1 if v else 0 for v in r] for r in test]}"


def _words(rule: Rule) -> str:
    return " ".join(str(part) for part in rule)


def _colours(problem: Problem) -> np.ndarray:
    """Paper and the inks, float32 `(1 + COLOURS, 3)`."""
    return np.array([problem.state["paper"], *problem.state["inks"]], np.float32)


def _painted(answer: Grid) -> list[tuple[int, int, int]]:
    """Row, column and ink of the cells that are painted, in reading order."""
    return [(r, c, ink) for r, row in enumerate(answer) for c, ink in enumerate(row) if ink]


@cache
def _lines(size: int, n: int) -> np.ndarray:
    """How dark the lines of all grids and the arrows between them are, `(size, size)` in 0..1."""
    dark, half = np.zeros((size, size), np.float32), size / 128
    for boxes in ROWS:
        dark = np.maximum(dark, 0.6 * _arrow(size, boxes))
        for place in boxes:
            left, top, side = (v * size for v in place)
            for k in range(n + 1):
                at, strength = side * k / n, 0.45 if k in (0, n) else 0.18
                x0, y0, x1, y1 = left - half, top - half, left + side + half, top + side + half
                level = box(size, x0, top + at - half, x1, top + at + half)
                upright = box(size, left + at - half, y0, left + at + half, y1)
                dark = np.maximum(dark, strength * np.maximum(level, upright))
    dark.setflags(write=False)
    return dark


def _fill(
    picture: np.ndarray,
    place: Box,
    cell: tuple[int, int],
    n: int,
    colours: np.ndarray,
    ink: int,
    shown: float = 1.0,
) -> None:
    """Paint a cell, in place, within its lines."""
    size = len(picture)
    left, top, side = (v * size for v in place)
    x0, y0, x1, y1 = cell_box(*cell, n, side, 0)
    half = size / 128
    x, y = int(left + x0), int(top + y0)
    reach = int(np.ceil(max(left + x1 - x, top + y1 - y)))
    dx, dy = left - x, top - y
    cover = box(reach, x0 + half + dx, y0 + half + dy, x1 - half + dx, y1 - half + dy)
    area = picture[y : y + reach, x : x + reach]
    area[:] = blend(area, cover * shown, colours[ink])


def _arrow(size: int, boxes: tuple[Box, Box]) -> np.ndarray:
    """Coverage of an arrow from one grid to the next, `(size, size)`."""
    (left, top, side), (to, _, _) = boxes
    unit, y = size / 64, (top + side / 2) * size
    tail, head = (left + side) * size + 2 * unit, to * size - 2.5 * unit
    cover = capsule(size, (tail, y), (head, y), 0.5 * unit)
    for way in (-1, 1):
        back = (head - 2.2 * unit, y + way * 2.2 * unit)
        cover = np.maximum(cover, capsule(size, back, (head, y), 0.5 * unit))
    return cover


def _seen(frames: np.ndarray, place: Box, n: int) -> np.ndarray:
    """The colours of a grid's cells, float32 `(f, n, n, 3)`."""
    left, top, right, bottom = edges(place, frames.shape[1])
    return cell_colours(frames[:, top:bottom, left:right], n, 0)


def _middle(row: int, column: int, n: int) -> tuple[float, float]:
    x0, y0, x1, y1 = cell_box(row, column, n, TEST[2], 0)
    return TEST[0] + (x0 + x1) / 2, TEST[1] + (y0 + y1) / 2


COMPONENT = GridRule
