"""Mochi 1: text to video, an asymmetric transformer over a 6 x 8 x 8 video VAE.

Frames are 6k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLMochi,
    FlowMatchEulerDiscreteScheduler,
    MochiPipeline,
    MochiTransformer3DModel,
)

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, t5_encoder, t5_tokenizer


@seeded
def build() -> MochiPipeline:
    return MochiPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(invert_sigmas=True),
        vae=AutoencoderKLMochi(
            # The group norms have 32 groups fixed in diffusers' code.
            encoder_block_out_channels=(32, 32, 32, 32),
            decoder_block_out_channels=(32, 32, 32, 32),
            layers_per_block=(1, 1, 1, 1, 1),
            add_attention_block=(False, False, False, False, False),
        ),
        text_encoder=t5_encoder(),
        tokenizer=t5_tokenizer(),
        transformer=MochiTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            num_layers=2,
            pooled_projection_dim=16,
            text_embed_dim=WIDTH,
            time_embed_dim=16,
        ),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 32,
        "width": 32,
        "num_frames": 7,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
