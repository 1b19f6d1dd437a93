"""Activation: what a block gives out, as tokens of samples, and which of its outputs it is."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
import torch.nn as nn

from phosphene.errors import PhospheneError
from phosphene.tap.layout import Layout, grid

Back = Callable[[torch.Tensor], torch.Tensor]


def as_tokens(part: torch.Tensor, runs: int) -> tuple[torch.Tensor, Back, Layout | None]:
    """An activation as `(samples, tokens, width)`, the way back, and a feature map's layout.

    Feature maps `(b, c, h, w)` come from UNets; where a sample's frames lie along the batch, as in
    video UNets, they are put side by side.

    Raises:
        PhospheneError: a shape that holds no tokens.
    """
    shape = part.shape
    frames = shape[0] // runs
    if part.ndim == 4:
        h, w = shape[2:]
        tokens = part.reshape(runs, frames, shape[1], h * w).transpose(2, 3)
        layout = grid(frames, h, w)

        def back(new: torch.Tensor) -> torch.Tensor:
            return new.reshape(runs, frames, h * w, shape[1]).transpose(2, 3).reshape(shape)

        return tokens.reshape(runs, frames * h * w, shape[1]), back, layout
    if part.ndim == 3:
        return part.reshape(runs, frames * shape[1], shape[2]), lambda new: new.reshape(shape), None
    if part.ndim == 5:
        tokens = part.flatten(2).transpose(1, 2)
        layout = grid(*shape[2:])
        return tokens, lambda new: new.transpose(1, 2).reshape(shape), layout
    raise PhospheneError(f"an activation of shape {tuple(shape)} can't be read as tokens")


def joined(parts: list[torch.Tensor], like: torch.Tensor) -> torch.Tensor:
    """Parts of a batch put together again, laid out in memory like the batch was: convolutions
    choose their arithmetic by that."""
    whole = torch.cat(parts)
    if whole.stride() == like.stride():
        return whole
    return torch.empty_strided(
        like.shape, like.stride(), dtype=like.dtype, device=like.device
    ).copy_(whole)


def hidden_index(module: nn.Module, given: torch.Tensor | None, output: Any) -> int | None:
    """Which of a block's outputs carries on what it was given; None if there is one output alone.

    Raises:
        PhospheneError: it can't be told.
    """
    if isinstance(output, torch.Tensor):
        return None
    if isinstance(output, tuple | list):
        index = _registered(module)
        if index is not None and index < len(output):
            return index
        tensors = [i for i, v in enumerate(output) if isinstance(v, torch.Tensor)]
        alike = [i for i in tensors if given is not None and output[i].shape == given.shape]
        if alike or tensors:
            return (alike or tensors)[0]
    raise PhospheneError(
        f"{type(module).__name__} can't be tapped: which of its outputs is the picture isn't known"
    )


def _registered(module: nn.Module) -> int | None:
    """What diffusers itself says of a block's outputs, where it does."""
    try:
        from diffusers.hooks._helpers import TransformerBlockRegistry

        found = TransformerBlockRegistry.get(type(module)).return_hidden_states_index
    except (ImportError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) else None


def put_at(output: Any, index: int, new: torch.Tensor) -> Any:
    """An output with one of its parts replaced."""
    changed = list(output)
    changed[index] = new
    return tuple(changed) if isinstance(output, tuple) else changed
