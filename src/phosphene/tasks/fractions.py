"""Fractions: the first frame shows `1/2 + 1/4 =`, set as LaTeX; the video writes what it makes."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from fractions import Fraction
from math import gcd
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import palette
from phosphene.errors import PhospheneError
from phosphene.formula import FAMILIES, Formula, draw_formula, formula
from phosphene.readers.fractions import read_fractions
from phosphene.readers.numbers import Area, altered_characters, reading, rectangle
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading
from phosphene.writing import characters_shown, hear_spelled, spell

PROMPTS = (
    "work out the fractions and write the result in lowest terms",
    "solve it and write the answer after the equals sign, as a fraction in lowest terms",
    "calculate with the fractions; write the reduced result and leave the rest unchanged",
)
SIGNS = {"+": "+", "-": "-", "x": r"\times"}  # operator -> LaTeX
EM = 14 / 64  # size of the font, share of the side
ROWS = (15 / 64, 47.5 / 64)  # where the bars of the two rows lie


@dataclass(frozen=True)
class Fractions(Task):
    """Two fractions below one, added, subtracted (never below zero) or multiplied.

    The answer must be in lowest terms (2/4 doesn't count for 1/2), whole numbers without a bar.
    One pair in five is held out of training, in both orders for sums and products. With
    denominators up to 9 there are 27 fractions and about 1,800 problems; up to 12 there are 45 and
    about 5,000.

    Args:
        operators: any of `+`, `-` and `x` (drawn as a cross).
        largest: denominators run from 2 to this, at most 12.
        alike: both denominators are the same.
        variety: 0 for one font, place and colour; 1 for all.
    """

    operators: str = "+-x"
    largest: int = 9
    alike: bool = False
    variety: float = 1.0
    name: ClassVar[str] = "fractions"
    LADDER = (
        {"operators": "+-", "largest": 9, "alike": True},
        {"operators": "+-", "largest": 7},
        {"largest": 9},
        {"largest": 12},
    )

    def __post_init__(self) -> None:
        if not self.operators or set(self.operators) - set(SIGNS):
            raise PhospheneError(f"fractions.operators takes + - x; got {self.operators!r}")
        if not 5 <= self.largest <= 12:
            raise PhospheneError(f"fractions.largest must lie in 5..12; got {self.largest}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 24])
        while True:
            operator = self.operators[rng.integers(len(self.operators))]
            a = self._fraction(rng, int(rng.integers(2, self.largest + 1)))
            b = self._fraction(rng, a[1] if self.alike else int(rng.integers(2, self.largest + 1)))
            pair = sorted((a, b)) if operator != "-" else [a, b]
            instance = f"fractions {pair[0]} {operator} {pair[1]}"
            if operator == "-" and Fraction(*a) < Fraction(*b):
                continue
            if (split == "test") == held_out(instance, 5):
                break
        varied = rng.random() < self.variety
        state = {
            "first": list(a),
            "operator": operator,
            "second": list(b),
            "answer": str(_result(a, operator, b)),
            "family": int(rng.integers(len(FAMILIES))) if varied else 0,
            "colours": palette(rng, 1, self.variety if varied else 0.0).tolist(),
            "dx": float(rng.uniform(0, 3 / 64) * self.variety),
        }
        terms = f"{a[0]}/{a[1]} {operator} {b[0]}/{b[1]}"
        caption = f"the fractions {terms} are worked out"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def _fraction(self, rng: np.random.Generator, denominator: int) -> tuple[int, int]:
        """Numerator and denominator; in lowest terms unless denominators are alike."""
        prime = [n for n in range(1, denominator) if self.alike or gcd(n, denominator) == 1]
        return int(rng.choice(prime)), denominator

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        paper, ink = np.array(s["colours"], np.float32)
        given = np.broadcast_to(paper, (size, size, 3)).copy()
        terms, equals, answer = _layout(s, size)
        draw_formula(given, terms, ink)
        draw_formula(given, equals, ink)
        pictures = np.repeat(given[None], len(times), 0)
        if answer is not None:
            shown = characters_shown(times, len(s["answer"]))
            for picture, count in zip(pictures, shown, strict=True):
                draw_formula(picture, answer, ink, count)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        return spell(problem.state["answer"], canvas)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return rectangle(_area(problem, size), size)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, len(first)
        area, colours = _area(problem, size), np.array(s["colours"], np.float32)
        terms, equals, _ = _layout(s, size)
        cells = [*terms.cells, *equals.cells]
        altered = altered_characters(
            frames, first, cells, terms.face, colours, "0123456789+\N{MINUS SIGN}×="
        )
        written = read_fractions(frames, first, area, terms.face)
        return [reading(w, a, area, size) for w, a in zip(written, altered, strict=True)]

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> str:
        return hear_spelled(track, rate)

    def work_out(self, problem: Problem) -> Any:
        s = problem.state
        return str(_result(tuple(s["first"]), s["operator"], tuple(s["second"])))

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        """The result of some other pair."""
        return self.sample(int(rng.integers(2**40)), problem.split).state["answer"]

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """One digit, or the operator, becomes another."""
        s = dict(problem.state)
        which = ("first", "second", "operator")[rng.integers(3)]
        if which == "operator":
            s[which] = str(rng.choice([o for o in SIGNS if o != s[which]]))
        else:
            pair, place = list(s[which]), int(rng.integers(2))
            digits = str(pair[place])
            last = "123456789" if len(digits) == 1 else "0123456789"
            other = rng.choice([d for d in last if d != digits[-1]])
            pair[place] = int(digits[:-1] + str(other))
            s[which] = pair
        return replace(problem, state=s)


def _result(a: tuple[int, int], operator: str, b: tuple[int, int]) -> Fraction:
    x, y = Fraction(*a), Fraction(*b)
    return {"+": x + y, "-": x - y, "x": x * y}[operator]


def _layout(s: Any, size: int) -> tuple[Formula, Formula, Formula | None]:
    """The given terms, the equals sign, and the answer, placed in pixels."""
    em, left = round(EM * size), round((2 / 64 + s["dx"]) * size)
    first, second = (round(row * size) for row in ROWS)
    (a, b), (c, d) = s["first"], s["second"]
    tex = rf"\dfrac{{{a}}}{{{b}}}{SIGNS[s['operator']]}\dfrac{{{c}}}{{{d}}}"
    terms = formula(tex, s["family"], em, left, first)
    equals = formula("=", s["family"], em, left, second)
    if not s["answer"]:
        return terms, equals, None
    fraction = re.fullmatch(r"(\d+)/(\d+)", s["answer"])
    tex = rf"\dfrac{{{fraction[1]}}}{{{fraction[2]}}}" if fraction else s["answer"]
    start = equals.right + round(size * 4 / 64)
    return terms, equals, formula(tex, s["family"], em, start, second)


def _area(problem: Problem, size: int) -> Area:
    """From behind the equals sign to the picture's border, as high as a fraction."""
    equals = _layout(problem.state, size)[1]
    return round(size * 32 / 64), equals.right + round(size / 64), size, size


COMPONENT = Fractions
