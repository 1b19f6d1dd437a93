"""arithmetic: a running number, changed step by step, modulo a fixed number."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import gcd
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.task import TextProblem, TextTask
from phosphene.task import Split, held_out

OPERATIONS = ("plus", "minus", "times")


@dataclass(frozen=True)
class Arithmetic(TextTask):
    """Every step is one-to-one, so no step can be skipped, and another start always gives another
    answer: operands of `times` have no divisor in common with the modulus.

    Whole programmes (operations with operands) are held out, from whatever start.

    Args:
        modulus: all numbers are 0 .. modulus - 1, one token each; 3 to 100.
        steps: most operations.
        least: fewest, 1 to steps. With one alone, a held-out operand is never seen in training.
        operations: some of plus, minus, times.
    """

    modulus: int = 20
    steps: int = 4
    least: int = 2
    operations: tuple[str, ...] = OPERATIONS
    name: ClassVar[str] = "arithmetic"
    ABOUT: ClassVar[str] = "a chain of sums and products modulo a fixed number"

    def __post_init__(self) -> None:
        if not 3 <= self.modulus <= 100:
            raise PhospheneError(f"arithmetic has a modulus of 3 to 100; got {self.modulus}")
        if not 1 <= self.least <= self.steps:
            raise PhospheneError(
                f"arithmetic needs 1 <= least <= steps; got {self.least}, {self.steps}"
            )
        if not self.operations or not set(self.operations) <= set(OPERATIONS):
            raise PhospheneError(
                f"arithmetic knows the operations {', '.join(OPERATIONS)}; "
                f"got {list(self.operations)}"
            )

    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        for attempt in range(1000):
            rng = np.random.default_rng([seed, attempt])
            count = int(rng.integers(self.least, self.steps + 1))
            programme = [self._step(rng) for _ in range(count)]
            if held_out(" ".join(f"{o} {n}" for o, n in programme), 8) is (split == "test"):
                return self._told(int(rng.integers(self.modulus)), programme, seed, split)
        raise PhospheneError(
            f"arithmetic found no {split} programme for seed {seed}; ask for more steps"
        )

    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        rng = np.random.default_rng([problem.seed, 1 + seed])
        s = problem.state
        start = (int(s["start"]) + int(rng.integers(1, self.modulus))) % self.modulus
        programme = list(zip(s["operations"], s["operands"], strict=True))
        return self._told(start, programme, problem.seed, problem.split)

    def words(self) -> Sequence[str]:
        return ("start", *OPERATIONS, "=", ".", *map(str, range(self.modulus)))

    @property
    def chance(self) -> float:
        return 1 / self.modulus

    def reckon(self, left: int, operation: str, right: int) -> int:
        """The outcome of one step, e.g. of `17 plus 5`."""
        outcome = {"plus": left + right, "minus": left - right, "times": left * right}
        return outcome[operation] % self.modulus

    def _step(self, rng: np.random.Generator) -> tuple[str, int]:
        operation = self.operations[rng.integers(len(self.operations))]
        numbers = range(1, self.modulus)
        if operation == "times":
            numbers = [n for n in numbers[1:] if gcd(n, self.modulus) == 1]
        return operation, int(numbers[rng.integers(len(numbers))])

    def _told(
        self, start: int, programme: list[tuple[str, int]], seed: int, split: Split
    ) -> TextProblem:
        results = [start]
        for operation, operand in programme:
            results.append(self.reckon(results[-1], operation, operand))
        told = " ".join(f"{operation} {operand}." for operation, operand in programme)
        steps = tuple(
            f"{before} {operation} {operand} = {after}."
            for before, (operation, operand), after in zip(
                results[:-1], programme, results[1:], strict=True
            )
        )
        return TextProblem(
            self.name,
            seed,
            split,
            f"start {start}. {told}",
            steps,
            str(results[-1]),
            options=tuple(map(str, range(self.modulus))),
            values={f"result {i}": str(n) for i, n in enumerate(results[1:], 1)},
            state={
                "hops": len(programme),
                "start": start,
                "operations": [operation for operation, _ in programme],
                "operands": [operand for _, operand in programme],
                "results": results[1:],
                "modulus": self.modulus,
            },
        )


COMPONENT = Arithmetic
