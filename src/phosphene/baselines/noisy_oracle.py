"""The right solution under sensor noise, a small blur and a hiss. What a careful one scores."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phosphene.clip import Clip
from phosphene.task import Canvas, Problem, Task

LEVELS = 8.0  # standard deviation of the noise, of 255
HISS = 0.005  # standard deviation of the hiss, of full scale


def COMPONENT(task: Task, problem: Problem, canvas: Canvas, rng: np.random.Generator) -> Clip:
    from scipy.ndimage import gaussian_filter

    clip = task.solve(problem, canvas)
    assert clip.frames is not None
    frames = gaussian_filter(clip.frames.astype(np.float32), (0, 0.4, 0.4, 0))
    frames = frames + rng.normal(0, LEVELS, frames.shape)
    noisy = replace(clip, frames=np.rint(frames).clip(0, 255).astype(np.uint8))
    if clip.audio is None:
        return noisy
    hiss = rng.normal(0, HISS, clip.audio.shape).astype(np.float32)
    return replace(noisy, audio=clip.audio + hiss)
