"""picture_equations: read a chain of sums and differences from a picture, and say what it makes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.draw import FONTS, cell_width, palette, place, text
from phosphene.errors import PhospheneError
from phosphene.minds.task import TextProblem, TextTask
from phosphene.task import Split, held_out

QUESTION = "What is it?"


@dataclass(frozen=True)
class PictureEquations(TextTask):
    """All that is asked stands in the picture: `3+4-2` there, and the same three words in every
    question. No partial result is below zero or above `highest`. One equation in five is held out
    of training, by its text: its digits and signs are known, their combination is not.

    Args:
        terms: the most numbers in a chain, 2 to 5.
        least: the fewest, 2 to terms.
        largest: numbers run from 0 to this, at most 9.
        highest: bound of all partial results, at least `largest`, at most 45.
        side: of the square picture, pixels; 8 or more for each character of the longest chain.
        variety: 0 for one font, place and colour; 1 for all fonts, places and colours.
    """

    terms: int = 3
    least: int = 2
    largest: int = 9
    highest: int = 18
    side: int = 40
    variety: float = 0.0
    name: ClassVar[str] = "picture_equations"
    ABOUT: ClassVar[str] = "sums and differences drawn as a picture, for models that see"

    def __post_init__(self) -> None:
        if not 2 <= self.least <= self.terms <= 5:
            raise PhospheneError(
                f"picture_equations needs 2 <= least <= terms <= 5; got {self.least}, {self.terms}"
            )
        if not 1 <= self.largest <= 9 or not self.largest <= self.highest <= 45:
            raise PhospheneError(
                f"picture_equations needs largest in 1..9 and highest in largest..45; got "
                f"{self.largest}, {self.highest}"
            )
        if self.side < 8 * self.cells:
            raise PhospheneError(
                f"picture_equations with {self.terms} terms needs a side of {8 * self.cells} "
                f"pixels or more; got {self.side}"
            )
        if not 0 <= self.variety <= 1:
            raise PhospheneError(f"picture_equations.variety lies in 0..1; got {self.variety}")

    @property
    def cells(self) -> int:
        """Characters of the longest chain."""
        return 2 * self.terms - 1

    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        for attempt in range(1000):
            rng = np.random.default_rng([seed, attempt])
            count = int(rng.integers(self.least, self.terms + 1))
            start = int(rng.integers(self.largest + 1))
            operations = self._operations(rng, start, count - 1)
            if held_out(f"picture_equations {_written(start, operations)}", 5) is (split == "test"):
                return self._told(start, operations, int(rng.integers(2**31)), seed, split)
        raise PhospheneError(
            f"picture_equations up to {self.largest} has no {split} chain; ask for larger numbers"
        )

    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        """The same operations from another start, drawn the same way; the question is the same."""
        start = int(problem.state["start"])
        operations = [(str(sign), int(number)) for sign, number in problem.state["operations"]]
        span = range(self.largest + 1)
        others = [(n, operations) for n in span if n != start]
        found = [chain for chain in others if self._within(*chain)]
        if not found:
            # Some operations fit one start alone; then it is the last of them that changes.
            ends = [[*operations[:-1], (sign, n)] for sign in "+-" for n in span]
            others = [(start, end) for end in ends if _result(start, end) != int(problem.answer)]
            found = [chain for chain in others if self._within(*chain)]
        rng = np.random.default_rng([problem.seed, 1 + seed])
        chain = found[int(rng.integers(len(found)))]
        return self._told(*chain, int(problem.state["look"]), problem.seed, problem.split)

    def words(self) -> Sequence[str]:
        numbers = map(str, range(self.highest + 1))
        return (*numbers, "+", "-", "=", ".", "what", "it", "?")

    @property
    def chance(self) -> float:
        return 1 / (self.highest + 1)

    def draw(self, chain: str, look: int) -> np.ndarray:
        """uint8 `(side, side, 3)`: the chain in one line; `look` is the seed of font, place and
        colours."""
        rng = np.random.default_rng(look)
        varied = self.variety > 0
        font = int(rng.integers(len(FONTS))) if varied and rng.random() < self.variety else 0
        paper, ink = palette(rng, 1, self.variety)
        height = self.side * 16 // (10 * self.cells)
        while cell_width(height) * self.cells > self.side:
            height -= 1
        room = self.side - cell_width(height) * len(chain), self.side - height
        # The plain place is the left border at half height: a position is a character's own.
        left = round(float(rng.uniform(0, room[0])) * self.variety)
        top = round(room[1] / 2 + float(rng.uniform(-0.5, 0.5)) * room[1] * self.variety)
        picture = np.broadcast_to(paper, (self.side, self.side, 3)).astype(np.float32)
        place(picture, text(chain, font, height), top, left, ink)
        return np.rint(picture).clip(0, 255).astype(np.uint8)

    def _operations(
        self, rng: np.random.Generator, start: int, count: int
    ) -> list[tuple[str, int]]:
        """Signs and numbers that keep the chain within its bounds."""
        value, out = start, []
        for _ in range(count):
            fits = [
                (sign, number)
                for sign in "+-"
                for number in range(self.largest + 1)
                if self._within(value, [(sign, number)])
            ]
            sign, number = fits[int(rng.integers(len(fits)))]
            out.append((sign, number))
            value = _after(value, sign, number)
        return out

    def _within(self, start: int, operations: Sequence[tuple[str, int]]) -> bool:
        value = start
        for sign, number in operations:
            value = _after(value, sign, number)
            if not 0 <= value <= self.highest:
                return False
        return True

    def _told(
        self, start: int, operations: list[tuple[str, int]], look: int, seed: int, split: Split
    ) -> TextProblem:
        value, steps, values = start, [], {}
        for number, (sign, operand) in enumerate(operations, 1):
            result = _after(value, sign, operand)
            steps.append(f"{value} {sign} {operand} = {result}.")
            values[f"result {number}"] = str(result)
            value = result
        return TextProblem(
            self.name,
            seed,
            split,
            QUESTION,
            tuple(steps),
            str(value),
            options=tuple(map(str, range(self.highest + 1))),
            values=values,
            state={
                "start": start,
                "operations": [list(operation) for operation in operations],
                "look": look,
                "hops": len(operations),
            },
            picture=self.draw(_written(start, operations), look),
        )


def _result(start: int, operations: Sequence[tuple[str, int]]) -> int:
    for sign, number in operations:
        start = _after(start, sign, number)
    return start


def _after(value: int, sign: str, number: int) -> int:
    return value + number if sign == "+" else value - number


def _written(start: int, operations: Sequence[tuple[str, int]]) -> str:
    return f"{start}" + "".join(f"{sign}{number}" for sign, number in operations)


COMPONENT = PictureEquations
