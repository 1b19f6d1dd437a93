"""Stable Diffusion 3: text to image, a joint-attention transformer with three text encoders.

Width and height are multiples of 16.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    FlowMatchEulerDiscreteScheduler,
    SD3Transformer2DModel,
    StableDiffusion3Pipeline,
)

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import (
    WIDTH,
    clip_text_projected,
    clip_tokenizer,
    t5_encoder,
    t5_tokenizer,
)
from phosphene.testing.tiny._vae import flow_vae


@seeded
def build() -> StableDiffusion3Pipeline:
    return StableDiffusion3Pipeline(
        transformer=SD3Transformer2DModel(
            sample_size=8,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            # The two CLIP states side by side are padded to the width of the T5 states.
            joint_attention_dim=2 * WIDTH,
            caption_projection_dim=32,
            pooled_projection_dim=2 * WIDTH,
            pos_embed_max_size=16,
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        vae=flow_vae(),
        text_encoder=clip_text_projected(),
        tokenizer=clip_tokenizer(),
        text_encoder_2=clip_text_projected(),
        tokenizer_2=clip_tokenizer(),
        text_encoder_3=t5_encoder(2 * WIDTH),
        tokenizer_3=t5_tokenizer(),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube",
        "height": 64,
        "width": 64,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
