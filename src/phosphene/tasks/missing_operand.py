"""Missing operand: the first frame shows `3+[ ]=7`; the video writes the number into the box."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, palette
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
    "write the missing number into the box",
    "which number belongs in the empty box? write it there",
    "fill in the box so that the equation holds; keep the camera still and the rest unchanged",
)
SIGNS = {"+": "+", "-": "-", "x": "×"}  # operator -> how it is drawn
PAD = 2 / 64  # between a box and what is written in it, share of the side


@dataclass(frozen=True)
class MissingOperand(Task):
    """An equation with one operand left out; exactly one number fits.

    One fact in five is held out of training, whichever of its operands is missing, and with both
    orders of a sum or product. Up to 9 there are 490 problems, up to 99 there are 49,900;
    above 9 the equals sign begins a second line.

    Args:
        operators: any of `+`, `-` and `x` (drawn as a cross).
        largest: operands run from 0 to this, at most 99.
        variety: 0 for one font, place and colour; 1 for all fonts, places and colours.
    """

    operators: str = "+-x"
    largest: int = 9
    variety: float = 1.0
    name: ClassVar[str] = "missing_operand"
    LADDER = (
        {"largest": 5, "operators": "+"},
        {"largest": 9, "operators": "+-"},
        {"largest": 9},
        {"largest": 30, "operators": "+-"},
        {"largest": 99},
    )

    def __post_init__(self) -> None:
        if not self.operators or set(self.operators) - set(SIGNS):
            raise PhospheneError(f"missing_operand.operators takes + - x; got {self.operators!r}")
        if not 2 <= self.largest <= 99:
            raise PhospheneError(f"missing_operand.largest must lie in 2..99; got {self.largest}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 21])
        facts = _facts(self.operators, self.largest, split)
        while True:
            a, operator, b = facts[rng.integers(len(facts))]
            first = bool(rng.integers(2))
            # Anything times nothing is nothing: every number would fit.
            if operator != "x" or (b if first else a) != 0:
                break
        result, sign = _result(a, operator, b), SIGNS[operator]
        given = f"?{sign}{b}={result}" if first else f"{a}{sign}?={result}"
        varied = rng.random() < self.variety
        state = {
            "given": given,
            "slots": len(str(self.largest)),
            "answer": str(a if first else b),
            "font": int(rng.choice(CLEAR_FONTS)) if varied else 0,
            "colours": palette(rng, 1, self.variety if varied else 0.0).tolist(),
            "dx": float(rng.uniform(0, 5 / 64) * self.variety),
            "dy": float(rng.uniform(-0.2, 0.3) * self.variety),
        }
        caption = f"the number that is missing in {given} is written into the box"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        paper, ink = np.array(s["colours"], np.float32)
        given = np.broadcast_to(paper, (size, size, 3)).copy()
        lines, answer, place = _layout(s)
        for line in lines:
            write(given, line, s["font"], ink)
        x0, y0, x1, y1 = (size * edge for edge in place)
        stroke = size / 64
        inner = box(size, x0 + stroke, y0 + stroke, x1 - stroke, y1 - stroke)
        given = blend(given, 0.6 * (box(size, x0, y0, x1, y1) - inner), ink)
        return film_writing(given, answer, s["font"], ink, times)

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        return spell(problem.state["answer"], canvas)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return rectangle(_area(problem, size), size)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, len(first)
        area = _area(problem, size)
        written = read_written(frames, first, area, "0123456789")
        given = [cell for line in _layout(s)[0] for cell in line.cells(size)]
        face, colours = FontFace(s["font"]), np.array(s["colours"], np.float32)
        alphabet = "0123456789=" + "".join(SIGNS.values())
        altered = altered_characters(frames, first, given, face, colours, alphabet)
        return [reading(w, a, area, size) for w, a in zip(written, altered, strict=True)]

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> str:
        return hear_spelled(track, rate)

    def work_out(self, problem: Problem) -> Any:
        """The only number that makes the equation hold, by trying them all."""
        a, sign, b, result = _parsed(problem.state["given"])
        operator = next(o for o, drawn in SIGNS.items() if drawn == sign)
        for number in range(100):
            x, y = (number if term == "?" else int(term) for term in (a, b))
            if _result(x, operator, y) == int(result):
                return str(number)
        return None

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return str(rng.integers(self.largest + 1))

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """One character of the givens becomes another."""
        given = misprint(problem.state["given"], rng, "".join(SIGNS.values()))
        return replace(problem, state={**problem.state, "given": given})


def _parsed(given: str) -> tuple[str, str, str, str]:
    """First operand, sign, second operand, result; `?` is the missing one."""
    found = re.fullmatch(r"(\d+|\?)([-+×])(\d+|\?)=(\d+)", given)
    assert found is not None
    a, sign, b, result = found.groups()
    return a, sign, b, result


def _result(a: int, operator: str, b: int) -> int:
    return {"+": a + b, "-": a - b, "x": a * b}[operator]


@cache
def _facts(operators: str, largest: int, split: Split) -> list[tuple[int, str, int]]:
    span = range(largest + 1)
    every = [(a, o, b) for o in operators for a in span for b in span if o != "-" or a >= b]
    facts = [f for f in every if f[1] != "x" or f[0] or f[2]]
    return [f for f in facts if (split == "test") == held_out(_instance(*f), 5)]


def _instance(a: int, operator: str, b: int) -> str:
    first, second = sorted((a, b)) if operator in "+x" else (a, b)
    return f"missing_operand {first}{operator}{second}"


def _layout(s: Any) -> tuple[list[Line], Line, tuple[float, float, float, float]]:
    """The lines of the givens, the answer's, and the box (x0, y0, x1, y1), shares of the side."""
    before, after = s["given"].split("?")
    height = (15 if s["slots"] == 1 else 16) / 64
    # Cells are 9 and 10 pixels of 64 wide.
    width = (9 if s["slots"] == 1 else 10) / 64
    # Two lines have less room to move down.
    top = 20 / 64 + s["dy"] if s["slots"] == 1 else 14 / 64 + 0.5 * s["dy"]
    left = 1 / 64 + s["dx"]
    x0 = left + len(before) * width
    x1 = x0 + s["slots"] * width + 2 * PAD
    lines = [Line(before, left, top, height)]
    if s["slots"] == 1:
        lines.append(Line(after, x1, top, height))
    else:
        terms, result = after.split("=")
        lines += [
            Line(terms, x1, top, height),
            Line(f"={result}", left, top + height + 5 / 64, height),
        ]
    answer = s["answer"] or ""
    middle = (x0 + x1 - len(answer) * width) / 2
    place = (x0, top - 1 / 64, x1, top + height + 1 / 64)
    return [line for line in lines if line.text], Line(answer, middle, top, height), place


def _area(problem: Problem, size: int) -> Area:
    """The box, its border included."""
    x0, y0, x1, y1 = (size * edge for edge in _layout(problem.state)[2])
    top, left = max(int(y0), 0), max(int(x0), 0)
    return top, left, min(int(np.ceil(y1)), size), min(int(np.ceil(x1)), size)


COMPONENT = MissingOperand
