"""Reward: a scorer as a plain function, for reinforcement learning and selection."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Any

from phosphene.player import as_clip
from phosphene.task import Canvas, Problem, Task
from phosphene.verdict import PARTS


def reward(
    task: Task,
    problem: Problem,
    made: Any,
    fps: Fraction = Fraction(8),
    canvas: Canvas = Canvas(),
    partial: bool = False,
) -> float:
    """1.0 where a clip passes, else 0.0.

        from phosphene import reward
        from phosphene.tasks.maze import Maze
        task = Maze(smallest=5, largest=5); problem = task.sample(0, "train")
        reward(task, problem, frames)

    Args:
        made: whatever `phosphene.player.as_clip` takes: a clip, frames `(t, h, w, 3)`, a picture,
            `(frames, sound, rate)`, a path.
        fps: frames a second where `made` doesn't say.
        canvas: what was asked for.
        partial: the share of the judged parts that passed (0..1) instead, a denser signal which is
            no measure of success: doing nothing earns some of it.

    Raises:
        PhospheneError: `made` is nothing of the kind.
    """
    verdict = task.score(problem, as_clip(made, fps), canvas=canvas)
    if not partial:
        return float(verdict.passed)
    parts = [getattr(verdict, name) for name in PARTS]
    judged = [part for part in parts if part != "not judged"]
    return sum(part == "passed" for part in judged) / len(judged)


def rewards(
    task: Task, problems: Sequence[Problem], made: Sequence[Any], **settings: Any
) -> list[float]:
    """`reward` of each clip for the problem at the same place.

    Raises:
        ValueError: the two differ in length.
    """
    pairs = zip(problems, made, strict=True)
    return [reward(task, problem, clip, **settings) for problem, clip in pairs]
