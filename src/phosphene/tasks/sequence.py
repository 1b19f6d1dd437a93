"""Sequence: panels follow a rule, the last one is painted; tones say its colour and turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import combinations, permutations
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.figures import (
    COUNTABLE,
    DIRECTED,
    SHAPES,
    SIZES,
    Box,
    Mode,
    edges,
    figure,
    frame,
    inks,
    jingle,
    looks,
    mark,
    paint,
    words,
)
from phosphene.readers.figures import altered_panels, read_panel
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading

PROMPTS = (
    "continue the sequence: paint what comes next into the empty panel",
    "the panels are read like text, row by row; draw the figure that belongs in the last one and "
    "leave the others unchanged",
    "the pictures follow a rule and the last one is missing: fill it in, with a static camera",
)
# What changes from panel to panel: figures turn, grow, move, multiply or change colour.
KINDS = {
    "rotation": "turn",
    "growth": "size",
    "position": "place",
    "count": "count",
    "colour": "colour",
}
LAYOUTS = {  # number of panels -> their places
    4: [(x / 64, y / 64, 29 / 64) for y in (2, 33) for x in (2, 33)],
    6: [(x / 64, y / 64, 20 / 64) for y in (11, 33) for x in (1, 22, 43)],
}


@dataclass(frozen=True)
class Sequence(Task):
    """Four or six panels in two rows, read like text, the last one empty.

    Each attribute follows a rule of its own (see `courses`) or stays as it is; of the rules that
    the given panels fit, all say the same of the last. Only where figures grow must the size of the
    last be right. One combination in five of courses and shape
    is held out of training. There are hundreds of combinations of one rule and tens of thousands of
    two or three, in dozens of poses and colours.

    Args:
        panels: 4 or 6; six leave room for longer rules and smaller figures: those that grow, move
            or multiply want 96 pixels a side.
        kinds: what may change, of `rotation growth position count colour`, spaced.
        rules: how many attributes change at once, 1..3; of growth, position and count never two.
        variety: 0 for fixed inks and paper, 1 for free ones.
    """

    panels: int = 4
    kinds: str = " ".join(KINDS)
    rules: int = 1
    variety: float = 1.0
    name: ClassVar[str] = "sequence"
    LADDER = (
        {"kinds": "colour"},
        {"kinds": "growth position"},
        {"kinds": "rotation count"},
        {"rules": 2},
        {"rules": 3},
        {"panels": 6, "kinds": "rotation colour", "rules": 2},
    )
    VARIATIONS = ("stroke", "wobble")

    def __post_init__(self) -> None:
        if self.panels not in LAYOUTS:
            raise PhospheneError(f"sequence.panels must be 4 or 6; got {self.panels}")
        kinds = self.kinds.split()
        if not kinds or set(kinds) - set(KINDS):
            raise PhospheneError(f"sequence.kinds takes {', '.join(KINDS)}; got {self.kinds!r}")
        if not 1 <= self.rules <= 3 or not self._sets():
            raise PhospheneError(
                f"sequence.rules: no {self.rules} of these kinds may meet; got {self.kinds!r}"
            )

    def _sets(self) -> list[tuple[str, ...]]:
        """Which kinds may meet in one problem."""
        named = [k for k in KINDS if k in self.kinds.split()]
        layouts = {"growth", "position", "count"}
        return [c for c in combinations(named, self.rules) if len(layouts & set(c)) <= 1]

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 12])
        sets = self._sets()
        while True:
            kinds = sets[rng.integers(len(sets))]
            mode: Mode = "one"
            if "position" in kinds or "count" in kinds:
                mode = "placed" if "position" in kinds else "counted"
            pool = [s for s in (DIRECTED if "rotation" in kinds else SHAPES) if _fits(s, mode)]
            shape = str(rng.choice(pool))
            every = {k: courses(k, self.panels) for k in kinds}
            row = {k: every[k][rng.integers(len(every[k]))] for k in kinds}
            instance = f"sequence {shape} " + " ".join(f"{k} {_abstract(k, row[k])}" for k in kinds)
            if (split == "test") == held_out(instance, 5):
                break
        turn, mirror = looks(shape)[rng.integers(len(looks(shape)))]
        still = {
            "colour": int(rng.integers(5)),
            "size": int(rng.integers(2, 4)) if mode == "one" else 2,
            "turn": turn,
            "mirror": mirror,
            "place": int(rng.integers(4)) if mode == "placed" else 0,
        }
        panels = [
            figure(shape, **{**still, **{KINDS[k]: row[k][i] for k in kinds}})
            for i in range(self.panels)
        ]
        state = {
            "kinds": list(kinds),
            "mode": mode,
            "given": panels[:-1],
            "answer": panels[-1],
            "inks": inks(rng, self.variety).tolist(),
            "paper": (255 - self.variety * rng.uniform(0, 28, 3)).tolist(),
        }
        caption = f"a sequence is continued: {', '.join(map(words, panels[:-1]))}"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["inks"], np.float32)
        given = np.empty((size, size, 3), np.float32)
        given[:] = s["paper"]
        boxes = _boxes(problem)
        for box in boxes:
            frame(given, box)
        for box, fig in zip(boxes, s["given"], strict=False):
            paint(given, box, fig, s["mode"], colours)
        pictures = np.repeat(given[None], len(times), 0)
        for picture, time in zip(pictures, times, strict=True):
            if s["answer"] is not None:
                paint(picture, boxes[-1], s["answer"], s["mode"], colours, min(time * 9 / 8, 1))
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        samples = round(canvas.frames / canvas.fps * canvas.rate)
        length = canvas.seconds * 8 / 9
        return jingle(problem.state["answer"], samples, canvas.rate, 0.0, length)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        inside = np.zeros((size, size), bool)
        left, top, right, bottom = edges(_boxes(problem)[-1], size)
        line = max(round(size / 64), 1)
        inside[top + line : bottom - line, left + line : right - line] = True
        return inside

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s = problem.state
        colours, paper = np.array(s["inks"], np.float32), np.array(s["paper"], np.float32)
        *boxes, last = _boxes(problem)
        seen = {f["size"] for f in s["given"]}
        sizes = range(len(SIZES)) if len(seen) > 1 else sorted(seen)
        found = read_panel(frames, first, last, s["mode"], colours, sizes)
        altered = altered_panels(frames, first, boxes, s["given"], s["mode"], colours, paper)
        return [
            Reading(fig, why, gone, () if fig is None else (mark(last, fig),))
            for (fig, why), gone in zip(found, altered, strict=True)
        ]

    def work_out(self, problem: Problem) -> Any:
        given = problem.state["given"]
        after = dict(given[0])
        for kind, attribute in KINDS.items():
            seen = tuple(f[attribute] for f in given)
            if len(set(seen)) > 1:
                (after[attribute],) = following(kind, seen)
        return figure(**after)

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        # Any figure of the panels' sort that could have come, rule or no rule.
        given, kinds = problem.state["given"], problem.state["kinds"]
        shown = dict(given[int(rng.integers(len(given)))])
        for kind in kinds:
            values = sorted({v for course in courses(kind, len(given) + 1) for v in course})
            shown[KINDS[kind]] = int(rng.choice(values))
        return figure(**shown)

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        given = [dict(f) for f in problem.state["given"]]
        which = int(rng.integers(len(given)))
        was, mode = given[which]["shape"], problem.state["mode"]
        others = [s for s in SHAPES if s != was and _fits(s, mode)]
        given[which] = figure(**{**given[which], "shape": str(rng.choice(others))})
        return replace(problem, state={**problem.state, "given": given})

    def say(self, answer: Any) -> str:
        return words(answer)


@cache
def courses(kind: str, length: int) -> list[tuple[int, ...]]:
    """Every course of `length` values that an attribute can take, and whose last one is certain.

    rotation and position: a quarter on, a quarter back, or half a round, each time. growth and
    count: two in turn; of four, all levels up or down; of six, several up or down and over again,
    or to and fro. colour: two in turn; of six, also three in turn, or two with repeats.
    """
    if kind in ("rotation", "position"):
        steps = [(start, by) for start in range(4) for by in (1, 2, 3)]
        found = {tuple((a + k * by) % 4 for k in range(length)) for a, by in steps}
    else:
        levels = {"growth": (0, 1, 2, 3), "count": (1, 2, 3, 4), "colour": (0, 1, 2, 3, 4)}[kind]
        rounds = _colour_rounds(levels, length) if kind == "colour" else _rounds(levels, length)
        found = {tuple(r[k % len(r)] for k in range(length)) for r in rounds}
    return sorted(c for c in found if len({d[-1] for d in found if d[:-1] == c[:-1]}) == 1)


def _rounds(levels: tuple[int, ...], length: int) -> list[tuple[int, ...]]:
    """What is repeated when figures grow or multiply."""
    out = list(permutations(levels, 2))
    if length == 4:
        return [*out, levels, levels[::-1]]
    for few in (3, 4):
        for rise in combinations(levels, few):
            for way in (rise, rise[::-1], (*rise, *rise[-2:0:-1]), (*rise[::-1], *rise[1:-1])):
                out += [way[k:] + way[:k] for k in range(len(way))]
    return out


def _colour_rounds(levels: tuple[int, ...], length: int) -> list[tuple[int, ...]]:
    """What is repeated when colours take turns."""
    pairs = list(permutations(levels, 2))
    if length == 4:
        return pairs
    repeats = [r for a, b in pairs for r in ((a, a, b), (a, b, b), (a, a, b, b))]
    return [*pairs, *permutations(levels, 3), *repeats]


def following(kind: str, seen: tuple[int, ...]) -> set[int]:
    """What comes after the given values, by every course that begins with them."""
    return {c[-1] for c in courses(kind, len(seen) + 1) if c[:-1] == seen}


def _abstract(kind: str, course: tuple[int, ...]) -> tuple[int, ...]:
    """A course less what doesn't matter: where a round of turns or places begins."""
    rounds = kind in ("rotation", "position")
    return tuple((v - course[0]) % 4 for v in course) if rounds else course


def _boxes(problem: Problem) -> list[Box]:
    return LAYOUTS[len(problem.state["given"]) + 1]


def _fits(shape: str, mode: Mode) -> bool:
    return mode == "one" or shape in COUNTABLE


COMPONENT = Sequence
