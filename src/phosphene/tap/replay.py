"""Replay: look at latents through a pipeline's own decoder, without knowing how it decodes.

The pipeline is called again with its denoiser mute, and its scheduler hands back the latents that
are to be seen; everything before and after, from the text encoder to the vocoder, is the
pipeline's own.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from types import SimpleNamespace
from typing import Any

import torch

from phosphene.tap.anatomy import denoisers
from phosphene.tap.clock import patched


@contextlib.contextmanager
def replaying(pipeline: Any, latents: Mapping[int, torch.Tensor]) -> Iterator[None]:
    """Calls of `pipeline` inside return `latents`, decoded.

    The denoiser works once for each shape of input, to show what its output looks like.

    Args:
        pipeline: a diffusers pipeline with a scheduler.
        latents: stream (`Address.stream`) -> what its scheduler ends on, in the scheduler's own
            form, as read at `x0` or `x_t`. Streams that are missing end on what they began with.
    """
    main = pipeline.scheduler
    streams: dict[int, int] = {id(main): 0}

    def stepped(scheduler: Any, model_output: Any, timestep: Any, sample: Any, *args, **kwargs):
        stream = streams.setdefault(id(scheduler), len(streams))
        out = latents[stream].to(sample) if stream in latents else sample
        if kwargs.get("return_dict", True) is False:
            return (out, out)
        return SimpleNamespace(prev_sample=out, pred_original_sample=out)

    with contextlib.ExitStack() as stack:
        stack.enter_context(patched(type(main), "step", stepped))
        for denoiser in denoisers(pipeline).values():
            stack.enter_context(_mute(denoiser))
        yield


@contextlib.contextmanager
def _mute(denoiser: torch.nn.Module) -> Iterator[None]:
    """The denoiser answers each call as it answered the first one of its shape."""
    answers: dict[Any, Any] = {}
    original = denoiser.forward
    held = vars(denoiser)
    own = held.get("forward")

    def forward(*args: Any, **kwargs: Any) -> Any:
        shape = tuple(_shape(v) for v in (*args, *kwargs.values()))
        if shape not in answers:
            answers[shape] = original(*args, **kwargs)
        return answers[shape]

    held["forward"] = forward
    try:
        yield
    finally:
        if own is None:
            del held["forward"]
        else:
            held["forward"] = own


def _shape(value: Any) -> Any:
    if isinstance(value, torch.Tensor):
        return tuple(value.shape)
    if isinstance(value, list | tuple):
        return tuple(_shape(v) for v in value)
    return None
