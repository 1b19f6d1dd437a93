"""Analogy: A is to B as C is to what? The figure is painted; tones say its colour and turn."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.figures import (
    CHIRAL,
    COLOURS,
    COUNTABLE,
    DIRECTED,
    SHAPES,
    SIZES,
    Figure,
    Mode,
    edges,
    figure,
    frame,
    inks,
    jingle,
    looks,
    mark,
    mirrored,
    paint,
    turned,
    words,
)
from phosphene.readers.figures import altered_panels, read_panel
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading

PROMPTS = (
    "complete the analogy: the upper left figure becomes the upper right one; paint what the lower "
    "left figure becomes into the empty panel",
    "the top row shows a change; make the same change to the figure in the bottom row and draw the "
    "result in the lower right panel; leave the other panels unchanged",
    "A is to B as C is to what? paint the missing figure into the empty panel; the camera is still",
)
KINDS = ("colour", "resize", "rotate", "reflect", "count")
PANELS = [(x / 64, y / 64, 29 / 64) for y in (2, 33) for x in (2, 33)]
Rule = list[Any]  # [kind, parameter]


@dataclass(frozen=True)
class Analogy(Task):
    """Two figures above, one and an empty panel below; the kinds of change are those of KiVA.

    colour: it takes on the colour of B; resize: it grows or shrinks as A did; rotate: by 90, 180 or
    270 degrees; reflect: left-right or top-down; count: more or fewer copies. C is another figure
    than A, in a pose of its own; only where it is the question must the size be right. One
    combination in five of changes and both shapes is held out of training. There are hundreds of
    combinations, each with dozens of poses and colours.

    Args:
        kinds: which changes may be asked for, of `colour resize rotate reflect count`, spaced.
        rules: how many changes there are at once, 1..3; `count` never meets `resize` or `reflect`,
            nor does `rotate` meet `reflect`.
        variety: 0 for fixed inks and paper, 1 for free ones.

    Reference: KiVA, Yiu et al. 2024, https://arxiv.org/abs/2407.17773
    """

    kinds: str = " ".join(KINDS)
    rules: int = 1
    variety: float = 1.0
    name: ClassVar[str] = "analogy"
    LADDER = (
        {"kinds": "colour"},
        {"kinds": "resize"},
        {"kinds": "count"},
        {"kinds": "rotate"},
        {"kinds": "reflect"},
        {"rules": 2},
    )
    VARIATIONS = ("stroke", "wobble")

    def __post_init__(self) -> None:
        kinds = self.kinds.split()
        if not kinds or set(kinds) - set(KINDS):
            raise PhospheneError(f"analogy.kinds takes {', '.join(KINDS)}; got {self.kinds!r}")
        sets = (set(c) for n in (1, 2, 3) for c in combinations(kinds, n))
        most = max(len(c) for c in sets if all(_together(*p) for p in combinations(c, 2)))
        if not 1 <= self.rules <= most:
            raise PhospheneError(
                f"analogy.rules must lie in 1..{most} with these kinds; got {self.rules}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 11])
        while True:
            rules = self._rules(rng)
            kinds = [k for k, _ in rules]
            pool = DIRECTED if "rotate" in kinds else tuple(SHAPES)
            pool = CHIRAL if "reflect" in kinds else pool
            if "count" in kinds:
                pool = tuple(s for s in pool if s in COUNTABLE)
            one, other = (str(s) for s in rng.choice(pool, 2, replace=False))
            instance = f"analogy {rules} {one} {other}"
            if (split == "test") != held_out(instance, 5):
                continue
            a, c = _start(rng, one, rules), _start(rng, other, rules)
            b, d = changed(a, rules), changed(c, rules)
            if len({repr(f) for f in (a, b, c, d)}) == 4:
                break
        state = {
            "rules": rules,
            "given": [a, b, c],
            "answer": d,
            "mode": "counted" if "count" in kinds else "one",
            "inks": inks(rng, self.variety).tolist(),
            "paper": (255 - self.variety * rng.uniform(0, 28, 3)).tolist(),
        }
        caption = f"{words(a)} is to {words(b)} as {words(c)} is to the figure in the last panel"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def _rules(self, rng: np.random.Generator) -> list[Rule]:
        """Changes of different sorts, in the order of `KINDS`."""
        sets = combinations(sorted(set(self.kinds.split()), key=KINDS.index), self.rules)
        legal = [c for c in sets if all(_together(*p) for p in combinations(c, 2))]
        kinds = legal[rng.integers(len(legal))]
        return [[kind, _parameter(rng, kind)] for kind in kinds]

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["inks"], np.float32)
        given = np.empty((size, size, 3), np.float32)
        given[:] = s["paper"]
        for box in PANELS:
            frame(given, box)
        for box, fig in zip(PANELS, s["given"], strict=False):
            paint(given, box, fig, s["mode"], colours)
        pictures = np.repeat(given[None], len(times), 0)
        for picture, time in zip(pictures, times, strict=True):
            if s["answer"] is not None:
                paint(picture, PANELS[3], s["answer"], s["mode"], colours, min(time * 9 / 8, 1))
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        samples = round(canvas.frames / canvas.fps * canvas.rate)
        length = canvas.seconds * 8 / 9
        return jingle(problem.state["answer"], samples, canvas.rate, 0.0, length)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        inside = np.zeros((size, size), bool)
        left, top, right, bottom = edges(PANELS[3], size)
        line = max(round(size / 64), 1)
        inside[top + line : bottom - line, left + line : right - line] = True
        return inside

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s = problem.state
        colours, paper = np.array(s["inks"], np.float32), np.array(s["paper"], np.float32)
        seen = {f["size"] for f in s["given"]}
        sizes = range(len(SIZES)) if len(seen) > 1 else sorted(seen)
        found = read_panel(frames, first, PANELS[3], s["mode"], colours, sizes)
        altered = altered_panels(frames, first, PANELS[:3], s["given"], s["mode"], colours, paper)
        return [
            Reading(fig, why, gone, () if fig is None else (mark(PANELS[3], fig),))
            for (fig, why), gone in zip(found, altered, strict=True)
        ]

    def work_out(self, problem: Problem) -> Any:
        a, b, c = problem.state["given"]
        return changed(c, explain(a, b, problem.state["mode"]))

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        # As a player would who has seen which figures and colours there are, and no more.
        given = problem.state["given"]
        shape = str(rng.choice([f["shape"] for f in given]))
        turn, mirror = looks(shape)[rng.integers(len(looks(shape)))]
        counted = problem.state["mode"] == "counted"
        sizes = sorted({f["size"] for f in given})
        return figure(
            shape,
            int(rng.choice([f["colour"] for f in given])),
            int(rng.integers(4)) if len(sizes) > 1 else sizes[0],
            turn,
            mirror,
            int(rng.integers(1, 5)) if counted else 1,
        )

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        given = [dict(f) for f in problem.state["given"]]
        which = int(rng.integers(3))
        others = [s for s in SHAPES if s != given[which]["shape"]]
        given[which] = figure(**{**given[which], "shape": str(rng.choice(others))})
        return replace(problem, state={**problem.state, "given": given})

    def say(self, answer: Any) -> str:
        return words(answer)


def changed(fig: Figure, rules: list[Rule]) -> Figure:
    """The figure after all changes."""
    for kind, by in rules:
        if kind == "colour":
            fig = figure(**{**fig, "colour": by})
        elif kind == "resize":
            fig = figure(**{**fig, "size": by[1]})
        elif kind == "count":
            fig = figure(**{**fig, "count": by[1]})
        elif kind == "rotate":
            fig = turned(fig, by)
        else:
            fig = mirrored(fig, by)
    return fig


def explain(a: Figure, b: Figure, mode: Mode) -> list[Rule]:
    """The changes that lead from `a` to `b`, at most one of each sort.

    A pose that one turn and one flip explain alike is taken for a turn: figures that are flipped
    are such that no turn does it.
    """
    rules: list[Rule] = []
    if a["colour"] != b["colour"]:
        rules.append(["colour", b["colour"]])
    for kind, attribute in (("resize", "size"), ("count", "count")):
        if a[attribute] != b[attribute]:
            rules.append([kind, [a[attribute], b[attribute]]])
    poses: list[Rule] = [["rotate", q] for q in (1, 2, 3)] + [["reflect", x] for x in "vh"]
    there = (b["turn"], b["mirror"])
    if (a["turn"], a["mirror"]) != there:
        fits = [r for r in poses if _pose(changed(a, [r])) == there]
        rules.append(fits[0])
    return rules


def _pose(fig: Figure) -> tuple[int, bool]:
    return fig["turn"], fig["mirror"]


def _together(one: str, other: str) -> bool:
    """Whether two kinds may meet in a problem: those that act on the same attribute don't."""
    return {one, other} not in ({"resize", "count"}, {"rotate", "reflect"}, {"reflect", "count"})


def _parameter(rng: np.random.Generator, kind: str) -> Any:
    if kind == "colour":
        return int(rng.integers(len(COLOURS)))
    if kind == "resize":
        return [int(v) for v in rng.permutation(4)[:2]]
    if kind == "count":
        return [int(v) + 1 for v in rng.permutation(4)[:2]]
    return int(rng.integers(1, 4)) if kind == "rotate" else "vh"[rng.integers(2)]


def _start(rng: np.random.Generator, shape: str, rules: list[Rule]) -> Figure:
    """A figure that the changes can start from: they show in it."""
    fixed: dict[str, Any] = dict(rules)
    other = [c for c in range(len(COLOURS)) if c != fixed.get("colour")]
    turn, mirror = looks(shape)[rng.integers(len(looks(shape)))]
    # Where size or number change, both figures start alike: "the same change" then means one thing.
    size = fixed["resize"][0] if "resize" in fixed else 2
    count = fixed["count"][0] if "count" in fixed else 1
    return figure(shape, int(rng.choice(other)), size, turn, mirror, count)


COMPONENT = Analogy
