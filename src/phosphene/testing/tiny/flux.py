"""Flux (the guidance-distilled kind): text to image, a transformer with joint and single blocks.

Width and height are multiples of 16.
"""

from __future__ import annotations

from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline, FluxTransformer2DModel

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import (
    WIDTH,
    clip_text,
    clip_tokenizer,
    t5_encoder,
    t5_tokenizer,
)
from phosphene.testing.tiny._vae import flow_vae


def components() -> dict[str, Any]:
    """The parts of every tiny Flux, by the pipeline's argument names."""
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        "vae": flow_vae(),
        "text_encoder": clip_text(),
        "tokenizer": clip_tokenizer(),
        "text_encoder_2": t5_encoder(),
        "tokenizer_2": t5_tokenizer(),
        "transformer": FluxTransformer2DModel(
            in_channels=64,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            guidance_embeds=True,
            axes_dims_rope=(4, 6, 6),
        ),
    }


@seeded
def build() -> FluxPipeline:
    return FluxPipeline(**components())


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube",
        "height": 64,
        "width": 64,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
