"""The first frame, held; silent. What doing nothing scores."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from phosphene.clip import Clip
from phosphene.task import Canvas, Problem, Task


def COMPONENT(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    first = task.first_frame(problem, canvas)
    return Clip(np.repeat(first[None], canvas.frames, 0), Fraction(canvas.fps))
