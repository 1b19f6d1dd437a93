"""Equations: the first frame shows `3+4=`, the video writes the answer, tones spell its digits."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import FONTS, palette
from phosphene.errors import PhospheneError
from phosphene.readers.numbers import Area, altered_characters, read_written, reading, rectangle
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading
from phosphene.writing import CLEAR_FONTS, FontFace, Line, film_writing, hear_spelled, spell, write

PROMPTS = (
    "solve the equation",
    "write the answer after the equals sign",
    "work out the sum and write down what it makes",
    "write the result behind the equals sign; keep the camera still and leave the rest unchanged",
)
SIGNS = {"+": "+", "-": "-", "x": "×", "/": "÷"}  # operator -> how it is drawn
CELL = 19 / 64  # height of a cell where the equation takes two lines


@dataclass(frozen=True)
class Equations(Task):
    """Arithmetic on numbers of one or two digits, never below zero, divisions without remainder.

    Operand pairs are split by construction: one in five is held out of training, and `a+b` goes
    with `b+a`, `axb` with `bxa`, so a held-out sum was not seen the other way round either. With
    both operands below ten the equation takes one line; otherwise the equals sign begins a second.
    Up to 99 there are 10,000 sums, 10,000 products, 5,050 differences and 572 divisions.

    Args:
        operators: any of `+`, `-`, `x` (drawn as a cross) and `/` (drawn as an obelus).
        largest: operands run from 0 to this, at most 99.
        variety: 0 for one font, place and colour; 1 for all fonts, places and colours.
    """

    operators: str = "+-"
    largest: int = 9
    variety: float = 1.0
    name: ClassVar[str] = "equations"
    LADDER = (
        {"largest": 4},
        {"largest": 9},
        {"largest": 9, "operators": "x/"},
        {"largest": 20},
        {"largest": 99},
        {"largest": 99, "operators": "x/"},
    )

    def __post_init__(self) -> None:
        if not self.operators or set(self.operators) - set(SIGNS):
            raise PhospheneError(f"equations.operators takes + - x /; got {self.operators!r}")
        if not 1 <= self.largest <= 99:
            raise PhospheneError(f"equations.largest must lie in 1..99; got {self.largest}")

    def pairs(self, split: Split) -> list[tuple[int, str, int]]:
        """Every `(a, operator, b)` of a split."""
        return _pairs(self.operators, self.largest, split)

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 1])
        pairs = self.pairs(split)
        a, operator, b = pairs[rng.integers(len(pairs))]
        varied = rng.random() < self.variety
        state = {
            "a": a,
            "operator": operator,
            "b": b,
            "answer": str(_result(a, operator, b)),
            "font": int(rng.integers(len(FONTS))) if varied else 0,
            "colours": palette(rng, 1, self.variety if varied else 0.0).tolist(),
            # Offsets from the plain place, as shares of the picture's side.
            "dx": float(rng.uniform(0, 0.06) * self.variety),
            "dy": float(rng.uniform(-0.25, 0.5) * self.variety),
        }
        if self.largest > 9 and state["font"] not in CLEAR_FONTS:
            state["font"] = 1
        caption = f"the equation {a} {SIGNS[operator]} {b} = is solved"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s = problem.state
        paper, ink = np.array(s["colours"], np.float32)
        given = np.broadcast_to(paper, (canvas.size, canvas.size, 3)).copy()
        *lines, answer = _layout(s)
        for line in lines:
            write(given, line, s["font"], ink)
        return film_writing(given, answer, s["font"], ink, times)

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        return spell(problem.state["answer"], canvas)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return rectangle(_area(problem, size), size)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, len(first)
        area = _area(problem, size)
        written = read_written(frames, first, area, "0123456789")
        given = [cell for line in _layout(s)[:-1] for cell in line.cells(size)]
        face, colours = FontFace(s["font"]), np.array(s["colours"], np.float32)
        alphabet = "0123456789=" + "".join(SIGNS.values())
        altered = altered_characters(frames, first, given, face, colours, alphabet)
        return [reading(w, a, area, size) for w, a in zip(written, altered, strict=True)]

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> str:
        return hear_spelled(track, rate)

    def work_out(self, problem: Problem) -> Any:
        s = problem.state
        return str(_result(s["a"], s["operator"], s["b"]))

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        """The result of another pair under the same operator, of no more digits than may come."""
        s = problem.state
        longest = _digits(s["a"], s["operator"], s["b"])
        results = [
            str(_result(*p))
            for p in self.pairs(problem.split)
            if p[1] == s["operator"] and len(str(_result(*p))) <= longest
        ]
        return results[rng.integers(len(results))]

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """One character of the givens becomes another."""
        s = problem.state
        other = {"a": s["a"], "operator": s["operator"], "b": s["b"]}
        which = ("a", "operator", "b")[rng.integers(3)]
        if which == "operator":
            other[which] = str(rng.permutation([o for o in SIGNS if o != s["operator"]])[0])
        else:
            digits = list(str(s[which]))
            at = int(rng.integers(len(digits)))
            # A leading zero would shorten the number.
            fits = [d for d in "123456789" + "0" * (at or len(digits) == 1) if d != digits[at]]
            digits[at] = fits[rng.integers(len(fits))]
            other[which] = int("".join(digits))
        return replace(problem, state={**s, **other})


def _result(a: int, operator: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "x": a * b, "/": a // (b or 1)}[operator]


def _legal(a: int, operator: str, b: int) -> bool:
    if operator == "-":
        return a >= b
    return operator != "/" or (b > 0 and a % b == 0)


@cache
def _pairs(operators: str, largest: int, split: Split) -> list[tuple[int, str, int]]:
    span = range(largest + 1)
    every = [(a, o, b) for o in operators for a in span for b in span if _legal(a, o, b)]
    return [p for p in every if (split == "test") == held_out(_instance(*p), 5)]


def _instance(a: int, operator: str, b: int) -> str:
    first, second = sorted((a, b)) if operator in "+x" else (a, b)
    return f"equations {first}{operator}{second}"


def _digits(a: int, operator: str, b: int) -> int:
    """The most digits that a result of operands as long as these can have, at least two."""
    m, n = len(str(a)), len(str(b))
    return max({"+": max(m, n) + 1, "-": m, "x": m + n, "/": m}[operator], 2)


def _layout(s: Any) -> list[Line]:
    """The lines of the givens, and last the answer's."""
    terms = f"{s['a']}{SIGNS[s['operator']]}{s['b']}"
    top, answer = 16 / 64 + s["dy"], s["answer"] or ""
    if max(s["a"], s["b"]) < 10:
        return [Line(f"{terms}=", s["dx"], top), Line(answer, s["dx"] + 40 / 64, top)]
    # Two lines have less room to move down.
    top = (10 / 64 + s["dy"] * (10 / 64) / 0.5) if s["dy"] > 0 else 10 / 64 + s["dy"] * 0.5
    below = top + 22 / 64
    return [
        Line(terms, s["dx"], top, CELL),
        Line("=", s["dx"], below, CELL),
        Line(answer, s["dx"] + 12 / 64, below, CELL),
    ]


def _area(problem: Problem, size: int) -> Area:
    """From behind the equals sign to the picture's border, a little higher than the line."""
    *_, before, answer = _layout(problem.state)
    room = size * 3 / 64
    top = round(size * answer.top - (room if len(before.text) > 1 else room / 3))
    bottom = round(size * (answer.top + answer.height) + room)
    return max(top, 0), before.end(size), min(bottom, size), size


COMPONENT = Equations
