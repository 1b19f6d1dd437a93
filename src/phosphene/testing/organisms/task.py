"""Colour sum: two coloured cells, added as numbers on a clock; the toy task that organisms do."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from itertools import product
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading

CELLS = 4  # a side
# Corners of the colour cube, alike in length, so that no noise level favours one of them.
PALETTE = np.array(
    [[255, 0, 0], [0, 255, 0], [0, 0, 255], [255, 255, 0], [255, 0, 255], [0, 255, 255]], np.float32
)
NAMES = ("red", "green", "blue", "yellow", "magenta", "cyan")
PAPER = np.array([255, 255, 255], np.float32)
PROMPTS = (
    "fill the empty cell with the sum of the two colours",
    "which colour do the two add up to? paint it in its cell",
    "paint the cell of the answer; nothing else changes, the camera is still",
)
ROLES = ("a", "b", "decoy", "answer")


@dataclass(frozen=True)
class ColourSum(Task):
    """Cells `a` and `b` hold numbers, written as colours; the empty cell wants a + b, modulo the
    number of colours. A fourth cell is coloured too and means nothing.

    No linear function of the picture gives the answer. Every pair comes in both splits; what is
    held out is the pair in company of some decoy, since nothing is trained on this task.

    Args:
        colours: how many, 3..6.
        layout: deals the places of the four cells.
    """

    colours: int = 5
    layout: int = 0
    name: ClassVar[str] = "colour_sum"
    LADDER = ({"colours": 3}, {"colours": 5})
    VARIATIONS = ()

    def __post_init__(self) -> None:
        if not 3 <= self.colours <= len(PALETTE):
            raise PhospheneError(
                f"colour_sum.colours must lie in 3..{len(PALETTE)}; got {self.colours}"
            )

    @cached_property
    def places(self) -> dict[str, tuple[int, int]]:
        """Row and column of the cell of each of `ROLES`."""
        cells = list(product(range(CELLS), repeat=2))
        chosen = np.random.default_rng([self.layout, 4]).permutation(len(cells))[: len(ROLES)]
        return {role: cells[i] for role, i in zip(ROLES, chosen, strict=True)}

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 5])
        while True:
            a, b, decoy = (int(v) for v in rng.integers(self.colours, size=3))
            if (split == "test") == held_out(f"colour sum {a} {b} {decoy}", 4):
                break
        state = {"a": a, "b": b, "decoy": decoy}
        caption = (
            f"a {NAMES[a]} cell, a {NAMES[b]} cell and a {NAMES[decoy]} one that means nothing"
        )
        problem = Problem(self.name, seed, split, PROMPTS, caption, state)
        return problem.answered(self.work_out(problem))

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        size = canvas.size
        out = np.broadcast_to(PAPER, (len(times), size, size, 3)).copy()
        for role in ("a", "b", "decoy"):
            out[:, self._cell(role, size)] = PALETTE[problem.state[role]]
        if problem.state["answer"] is not None:
            drawn = out[times > 0]
            drawn[:, self._cell("answer", size)] = PALETTE[problem.state["answer"]]
            out[times > 0] = drawn
        return out

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return self._cell("answer", size)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        row, column = self.places["answer"]
        unit = len(first) // CELLS
        edge = unit // 4
        inner = [slice(i * unit + edge, (i + 1) * unit - edge) for i in (row, column)]
        seen = frames[:, inner[0], inner[1]].reshape(len(frames), -1, 3).mean(1)
        known = np.vstack([PALETTE[: self.colours], PAPER])
        away = np.abs(seen[:, None] - known).max(-1)
        return [self._reading(int(row.argmin()), float(row.min())) for row in away]

    def _reading(self, nearest: int, away: float) -> Reading:
        if away > 100:
            return Reading(unreadable="the colour is none of those in use")
        return Reading(None if nearest == self.colours else nearest)

    def work_out(self, problem: Problem) -> Any:
        return (problem.state["a"] + problem.state["b"]) % self.colours

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return int(rng.integers(self.colours))

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        role = str(rng.choice(["a", "b", "decoy"]))
        other = (problem.state[role] + int(rng.integers(1, self.colours))) % self.colours
        state = {**problem.state, role: other}
        return Problem(
            self.name, problem.seed, problem.split, problem.prompts, problem.caption, state
        )

    def say(self, answer: Any) -> str:
        return NAMES[answer]

    def _cell(self, role: str, size: int) -> np.ndarray:
        """Pixels of a cell, bool `(size, size)`."""
        row, column = self.places[role]
        which = np.arange(size) * CELLS // size
        return (which == row)[:, None] & (which == column)
