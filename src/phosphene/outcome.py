"""Outcome: one finished or half-finished run of a suite, as reports, tables and exports see it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from phosphene.result import Result
from phosphene.suite import make_task
from phosphene.task import Canvas, Problem, Task


@dataclass(frozen=True)
class Bench:
    """The judged samples of a run, with what was run.

    Args:
        results: every sample that was judged or could not be made.
        suite: `name`, `version` and `cells` of the suite.
        backbone: the backbone's name.
        spec: the backbone's settings.
        fingerprint: hash of suite, backbone and settings; two runs that share it did the same.
        canvas: `size`, `frames`, `fps` and `rate` that were asked for.
        command: the command line that made the run.
        created: when it was begun, ISO 8601.
        certificates: task -> the record of its scorer's certificate; tasks without one are absent.
        root: the run directory; the files of results lie under it.
        pad: `(width, height)` of the oblong pictures that hold the square canvas in their middle.
    """

    results: list[Result]
    suite: dict[str, Any]
    backbone: str
    spec: dict[str, Any]
    fingerprint: str
    canvas: dict[str, Any]
    command: str
    created: str
    certificates: dict[str, dict[str, Any]]
    root: Path
    pad: tuple[int, int] | None = None

    @property
    def of(self) -> str:
        """The suite in words: `core 1`."""
        return f"{self.suite['name']} {self.suite['version']}"

    def asked(self) -> Canvas:
        """The canvas, as tasks take it."""
        fps = Fraction(self.canvas["fps"])
        return Canvas(
            self.canvas["size"],
            self.canvas["frames"],
            int(fps) if fps.denominator == 1 else fps,  # type: ignore[arg-type]
            self.canvas["rate"],
        )


def task_of(result: Result) -> Task:
    """The task, at its difficulty, that a sample was asked of.

    Raises:
        PhospheneError: there is no such task, or it doesn't take the recorded fields any more.
    """
    return make_task(result.task, result.fields)


def problem_of(result: Result) -> Problem:
    """The problem of a sample, dealt again."""
    return task_of(result).sample(
        result.problem_seed, "train" if result.split == "train" else "test"
    )
