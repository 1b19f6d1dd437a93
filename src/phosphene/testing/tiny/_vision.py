"""Tiny image encoders from config, with the preprocessing they expect."""

from __future__ import annotations

from transformers import (
    CLIPImageProcessor,
    CLIPVisionConfig,
    CLIPVisionModel,
    CLIPVisionModelWithProjection,
)

WIDTH = 32  # features of the tiny image encoders
_SIDE = 16  # pixels of the square picture they look at
TOKENS = 5  # of `clip_vision`: a class token and four patches


def clip_processor() -> CLIPImageProcessor:
    """Any picture -> `(3, 16, 16)`, normalised."""
    return CLIPImageProcessor(
        size={"shortest_edge": _SIDE}, crop_size={"height": _SIDE, "width": _SIDE}
    )


def _config(side: int, patch: int) -> CLIPVisionConfig:
    return CLIPVisionConfig(
        hidden_size=WIDTH,
        intermediate_size=2 * WIDTH,
        projection_dim=WIDTH,
        num_hidden_layers=2,
        num_attention_heads=4,
        image_size=side,
        patch_size=patch,
    )


def clip_vision() -> CLIPVisionModel:
    """`(b, 3, 16, 16)` -> `(b, 5, 32)` states."""
    return CLIPVisionModel(_config(_SIDE, patch=8))


def clip_vision_projected() -> CLIPVisionModelWithProjection:
    """`(b, 3, 224, 224)` -> `(b, 32)` image_embeds; SVD resizes to 224 itself."""
    return CLIPVisionModelWithProjection(_config(224, patch=16))
