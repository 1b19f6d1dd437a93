"""A symbolic solver: works the answer out from the givens by rules, and draws it."""

from __future__ import annotations

import numpy as np

from phosphene.clip import Clip
from phosphene.task import Canvas, Problem, Task


def COMPONENT(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    unsolved = problem.answered(None)
    return task.solve(unsolved.answered(task.work_out(unsolved)), canvas)
