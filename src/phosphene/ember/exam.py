"""Exam: what share of fresh problems a denoiser solves, judged by the tasks' own scorers."""

from __future__ import annotations

from fractions import Fraction
from typing import Any

import numpy as np
import torch

from phosphene.clip import Clip
from phosphene.ember.world import World

FIRST_SEED = 10**9  # far from the seeds an experimenter would try by hand


def examine(
    model: Any, world: World, clips: int, steps: int = 8, shift: float = 1.0
) -> dict[str, dict[str, float]]:
    """Generate from first frames and judge.

    Args:
        model: the denoiser.
        world: whose families are examined, as hard as they are when a stage ends.
        clips: problems a family and split.
        steps: of the sampler, its noise levels moved by `shift`.

    Returns:
        family -> {"train": share passed, "test": share passed}; "train" instances are of the
        training split with fresh looks, "test" ones are held out.
    """
    from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

    from phosphene.ember.pipeline import EmberPipeline

    pipeline = EmberPipeline(model, FlowMatchEulerDiscreteScheduler(shift=shift))
    pipeline.set_progress_bar_config(disable=True)
    was_training = model.training
    model.eval()
    out: dict[str, dict[str, float]] = {}
    for name, task in world.tasks().items():
        for split in ("train", "test"):
            problems = [task.sample(FIRST_SEED + i, split) for i in range(clips)]
            firsts = np.stack([task.first_frame(p, world.canvas) for p in problems])
            made: Any = pipeline(
                [p.prompts[0] for p in problems],
                image=torch.from_numpy(firsts).permute(0, 3, 1, 2).float() / 255,
                num_frames=world.canvas.frames,
                num_inference_steps=steps,
                generator=[torch.Generator().manual_seed(i) for i in range(clips)],
            )
            frames = np.rint(made.frames * 255).astype(np.uint8)
            judged = [
                task.score(p, Clip(f, Fraction(world.canvas.fps), a, world.canvas.rate))
                for p, f, a in zip(problems, frames, made.audio, strict=True)
            ]
            out.setdefault(name, {})[split] = sum(v.passed for v in judged) / clips
    model.train(was_training)
    return out
