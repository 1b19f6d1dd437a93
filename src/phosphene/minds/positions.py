"""Positions: where tokens stand for a model that gives a picture's patches rows and columns."""

from __future__ import annotations

import inspect
from collections.abc import Mapping
from typing import Any

import torch


def picture_positions(
    model: Any, inputs: Mapping[str, torch.Tensor]
) -> tuple[torch.Tensor, torch.Tensor] | None:
    """Positions of a batch with pictures, for models of the Qwen-VL kind; None for others.

    A picture of h x w patches takes max(h, w) steps of the sequence's count instead of h * w, so
    all that follows stands nearer than the number of tokens before it says.

    Args:
        inputs: all that the model is given for the questions.

    Returns:
        `(axes, b, n)`: time, row and column of each token; and `(b, 1)`: what is added to the
        count of tokens for each one that follows.
    """
    find = getattr(getattr(model, "model", None), "get_rope_index", None)
    if find is None or "image_grid_thw" not in inputs:
        return None
    known = inspect.signature(find).parameters
    positions, shift = find(**{name: value for name, value in inputs.items() if name in known})
    return positions, shift.view(len(inputs["input_ids"]), 1)
