"""Worked equations: sums and differences of digits, worked out in dots before they are answered.

The same problems and the same split as `equations`, with a scratchpad: whether drawing the steps
lets a generator solve problems it has never seen is a question to ask of the two side by side.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box
from phosphene.errors import PhospheneError
from phosphene.readers.numbers import rectangle
from phosphene.sound import finish, mix, thump, tone
from phosphene.task import Canvas, Problem, Split
from phosphene.tasks.equations import Equations
from phosphene.writing import PITCH, Line, write

PROMPTS = (
    "solve the equation with dots",
    "work it out in dots below and write the answer after the equals sign",
    "lay both numbers out as dots, move or take away two at a time, write what is left, clear up",
)
ROW, PITCH_X, DOT = 10, 6 / 64, 4 / 64  # dots in a row, from one to the next, side of a dot
ROWS = (38 / 64, 54 / 64)  # tops of the two rows
LEFT = 3 / 64
# In eighths of the clip: when the dots are laid, the first move, the answer, the last one gone.
LAID, MOVED, WRITTEN, CLEARED = 1, 2, 7, 8
STEP = 2  # dots a move: five moves are enough for any two digits


@dataclass(frozen=True)
class WorkedEquations(Equations):
    """`Equations` on one line, with dots.

    A row of dots for each operand appears. In a sum, dots move from the second row to the first,
    two in each eighth of the clip, until ten are there or none is left; in a difference, two are
    taken from both rows. Every move follows from the one before by looking at the rows' ends, and
    what stands in the end reads as the answer: a full row is ten. It is written and the dots go.
    The last frame is that of `equations`.

    Args:
        operators: `+`, `-` or both.
        largest: operands run from 0 to this, at most 9.
        variety: 0 for one font, place and colour; 1 for all fonts, places and colours.
        misprinted: share of problems whose equation says other operands than the dots are laid
            for. The dots count: who goes on from them can't know the answer by heart.
    """

    misprinted: float = 0.0
    name: ClassVar[str] = "worked_equations"
    # Smaller operands deal the same pair too often for a null of other problems.
    LADDER = ({"largest": 9},)

    def __post_init__(self) -> None:
        if not self.operators or set(self.operators) - set("+-"):
            raise PhospheneError(f"worked_equations.operators takes + -; got {self.operators!r}")
        if not 1 <= self.largest <= 9:
            raise PhospheneError(f"worked_equations.largest must lie in 1..9; got {self.largest}")
        if not 0 <= self.misprinted <= 1:
            raise PhospheneError(
                f"worked_equations.misprinted must lie in 0..1; got {self.misprinted}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        problem = super().sample(seed, split)
        # Room for the dots below.
        state = {**problem.state, "dy": min(problem.state["dy"], 0.0)}
        rng = np.random.default_rng([seed, split == "test", 2])
        if rng.random() < self.misprinted:
            pairs = [(a, b) for a, o, b in self.pairs(split) if o == state["operator"]]
            state["printed"] = pairs[rng.integers(len(pairs))]
        caption = f"{problem.caption} with dots"
        return replace(problem, prompts=PROMPTS, caption=caption, state=state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        a, b = s.get("printed", (s["a"], s["b"]))
        sheet = replace(problem, state={**s, "a": a, "b": b})
        empty = super().film(sheet, canvas, np.zeros(1))[0]
        ink = np.array(s["colours"][1], np.float32)
        answer = Line(s["answer"] or "", s["dx"] + 40 / 64, 16 / 64 + s["dy"])
        pictures = np.repeat(empty[None], len(times), 0)
        for picture, eighth in zip(pictures, times * 8, strict=True):
            if eighth >= WRITTEN:
                write(picture, answer, s["font"], ink)
            picture[:] = blend(picture, _dots(_rows(s, eighth), size), ink)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        """A knock whenever dots are laid or move, then a tone for each digit."""
        s, beat = problem.state, max(canvas.frames - 1, 1) / 8 / canvas.fps
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        states = [_rows(s, moment) for moment in range(WRITTEN)]
        for moment in range(LAID, WRITTEN):
            if states[moment] != states[moment - 1]:
                knock = thump(round(0.1 * canvas.rate), canvas.rate)
                mix(track, knock, moment * beat, canvas.rate)
        answer = s["answer"] or ""
        for i, character in enumerate(answer):
            length = 2 * beat / len(answer)
            spoken = tone(round(length * canvas.rate), canvas.rate, PITCH[character])
            mix(track, spoken, WRITTEN * beat + i * length, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        top, bottom = round((ROWS[0] - 1 / 64) * size), round((ROWS[1] + DOT + 1 / 64) * size)
        return super().region(problem, size) | rectangle((top, 0, bottom, size), size)


def _rows(s: Mapping[str, Any], eighth: float) -> tuple[int, int]:
    """How many dots stand in the two rows."""
    if eighth < LAID or eighth >= CLEARED:
        return 0, 0
    upper, lower = s["a"], s["b"]
    moved = STEP * max(int(eighth) - MOVED + 1, 0)
    if s["operator"] == "-":
        gone = min(moved, lower)
        return upper - gone, lower - gone
    gone = min(moved, lower, ROW - upper)
    return upper + gone, lower - gone


def _dots(rows: tuple[int, int], size: int) -> np.ndarray:
    """Coverage `(size, size)` of two rows of so many dots."""
    cover = np.zeros((size, size), np.float32)
    for count, top in zip(rows, ROWS, strict=True):
        for i in range(count):
            left = LEFT + i * PITCH_X
            cover += box(size, *(size * np.array([left, top, left + DOT, top + DOT])))
    return cover


COMPONENT = WorkedEquations
