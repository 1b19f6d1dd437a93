"""Linear equation: the first frame shows `2x+3=11` and `x=`; the video writes the solution."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from math import gcd
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import palette
from phosphene.errors import PhospheneError
from phosphene.readers.numbers import (
    Area,
    altered_characters,
    read_written,
    reading,
    rectangle,
)
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading
from phosphene.writing import (
    CLEAR_FONTS,
    FontFace,
    Line,
    film_writing,
    hear_spelled,
    misprint,
    spell,
    write,
)

PROMPTS = (
    "solve for x and write the solution after x=",
    "find x and write its value in the last line",
    "which number is x? write it behind x=; keep the camera still and the rest unchanged",
)
ONE_LINE = 7  # characters of the equation that fit beside one another


@dataclass(frozen=True)
class LinearEquation(Task):
    """`ax+b=c` with a whole solution.

    One equation in five is held out of training, together with its multiples. With the default
    fields there are 2,644 equations; with numbers up to 99 there are 27,466, with negative ones
    72,072. Equations of more than seven characters take two lines.

    Args:
        coefficient: of x, 2 up to this, at most 9.
        largest: b, c and x are at most this far from 0, at most 99.
        negative: x and c may lie below zero, too.
        variety: 0 for one font, place and colour; 1 for all fonts, places and colours.
    """

    coefficient: int = 9
    largest: int = 30
    negative: bool = False
    variety: float = 1.0
    name: ClassVar[str] = "linear_equation"
    LADDER = (
        {"coefficient": 4, "largest": 15},
        {"coefficient": 6, "largest": 20},
        {"coefficient": 9, "largest": 30},
        {"coefficient": 9, "largest": 99},
        {"coefficient": 9, "largest": 99, "negative": True},
    )

    def __post_init__(self) -> None:
        if not 2 <= self.coefficient <= 9:
            raise PhospheneError(
                f"linear_equation.coefficient must lie in 2..9; got {self.coefficient}"
            )
        if not 5 <= self.largest <= 99:
            raise PhospheneError(f"linear_equation.largest must lie in 5..99; got {self.largest}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 22])
        least = -self.largest if self.negative else 0
        while True:
            a = int(rng.integers(2, self.coefficient + 1))
            b = int(rng.integers(1, self.largest + 1)) * int(rng.choice([-1, 1]))
            # Solutions are dealt evenly among those that keep the right side within reach.
            low, high = -((b - least) // a), (self.largest - b) // a
            low, high = max(low, least), min(high, self.largest)
            if low > high:
                continue
            x = int(rng.integers(low, high + 1))
            c, shared = a * x + b, gcd(a, b)
            instance = f"linear_equation {a // shared} {b // shared} {x}"
            if (split == "test") == held_out(instance, 5):
                break
        given = f"{a}x{b:+d}={c}"
        varied = rng.random() < self.variety
        state = {
            "given": given,
            "answer": str(x),
            "font": int(rng.choice(CLEAR_FONTS)) if varied else 0,
            "colours": palette(rng, 1, self.variety if varied else 0.0).tolist(),
            "dx": float(rng.uniform(0, 4 / 64) * self.variety),
            "dy": float(rng.uniform(-1, 1) * self.variety),
        }
        caption = f"{given} is solved for x"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        paper, ink = np.array(s["colours"], np.float32)
        given = np.broadcast_to(paper, (size, size, 3)).copy()
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
        written = read_written(frames, first, area, "0123456789-")
        given = [cell for line in _layout(s)[:-1] for cell in line.cells(size)]
        face, colours = FontFace(s["font"]), np.array(s["colours"], np.float32)
        altered = altered_characters(frames, first, given, face, colours, "0123456789+-=x")
        return [reading(w, a, area, size) for w, a in zip(written, altered, strict=True)]

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> str:
        return hear_spelled(track, rate)

    def work_out(self, problem: Problem) -> Any:
        found = re.fullmatch(r"(\d)x([-+]\d+)=(-?\d+)", problem.state["given"])
        assert found is not None
        a, b, c = map(int, found.groups())
        return str((c - b) // a)

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        """The solution of some other equation."""
        return self.sample(int(rng.integers(2**40)), problem.split).state["answer"]

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """One digit, or the sign between the terms, becomes another."""
        terms, result = problem.state["given"].split("=")
        given = misprint(f"{terms}={result.lstrip('-')}", rng, "+-")
        if result.startswith("-"):
            given = given.replace("=", "=-")
        return replace(problem, state={**problem.state, "given": given})


def _layout(s: Any) -> list[Line]:
    """The lines of the equation, `x=`, and last the answer's."""
    given, answer = s["given"], s["answer"] or ""
    left = 1 / 64 + s["dx"]
    if len(given) <= ONE_LINE:
        height = (15 if len(given) < ONE_LINE else 13) / 64
        top = (12 + 6 * s["dy"]) / 64
        rows, below = [Line(given, left, top, height)], top + 22 / 64
    else:
        terms, result = given.split("=")
        top = (5 + 4 * s["dy"]) / 64
        rows = [Line(terms, left, top), Line(f"={result}", left, top + 18 / 64)]
        below = top + 37 / 64
    return [*rows, Line("x=", left, below), Line(answer, left + 20 / 64, below)]


def _area(problem: Problem, size: int) -> Area:
    """From behind the last equals sign to the picture's border."""
    *_, before, answer = _layout(problem.state)
    top = round(size * (answer.top - 1 / 64))
    bottom = round(size * (answer.top + answer.height + 3 / 64))
    return max(top, 0), before.end(size), min(bottom, size), size


COMPONENT = LinearEquation
