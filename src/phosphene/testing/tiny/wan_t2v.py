"""Wan 2.1 text to video: a transformer over the latents of a causal 4 x 8 x 8 video VAE.

Frames are 4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, t5_tokenizer, umt5_encoder
from phosphene.testing.tiny._vae import wan_vae


def transformer(**changes: Any) -> WanTransformer3DModel:
    """The denoiser of every tiny Wan; `changes` are its config's fields."""
    return WanTransformer3DModel(
        num_attention_heads=2,
        attention_head_dim=12,
        text_dim=WIDTH,
        freq_dim=32,
        ffn_dim=48,
        num_layers=2,
        rope_max_seq_len=32,
        **changes,
    )


@seeded
def build() -> WanPipeline:
    return WanPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        transformer=transformer(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
