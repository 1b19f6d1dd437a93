"""Weights for tiny pipelines: the same every time, and none of them dead."""

from __future__ import annotations

import functools
from collections.abc import Callable

import torch
from diffusers import DiffusionPipeline


def seeded(build: Callable[[], DiffusionPipeline]) -> Callable[[], DiffusionPipeline]:
    """Wrap `build` so that it gives the same weights at each call and leaves torch's RNG alone.

    Every matrix is redrawn as N(0, 1 / fan-in): the usual initial values hold zeros (gates, output
    layers) and scales so small that a prompt would not reach the picture. Vectors and other
    per-channel numbers (biases, gains) stay as they were. The networks come back in eval mode.
    """

    @functools.wraps(build)
    def wrapped() -> DiffusionPipeline:
        with torch.random.fork_rng(devices=[]):
            torch.manual_seed(0)
            pipe = build()
            for _, module in sorted(pipe.components.items()):
                if isinstance(module, torch.nn.Module):
                    _redraw(module.eval())
        return pipe

    return wrapped


@torch.no_grad()
def _redraw(module: torch.nn.Module) -> None:
    for parameter in module.parameters():
        fan_in = parameter[0].numel() if parameter.ndim > 1 else 1
        if fan_in > 1:
            parameter.normal_(0.0, fan_in**-0.5)
