"""LTX-Video: text to video, a transformer over the latents of an 8 x 32 x 32 video VAE.

Frames are 8k+1; width and height are multiples of 32.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLLTXVideo,
    FlowMatchEulerDiscreteScheduler,
    LTXPipeline,
    LTXVideoTransformer3DModel,
)

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, t5_encoder, t5_tokenizer


def components() -> dict[str, Any]:
    """The parts of every tiny LTX-Video, by the pipeline's argument names."""
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        "vae": AutoencoderKLLTXVideo(
            latent_channels=16,
            block_out_channels=(4, 8, 8, 8),
            decoder_block_out_channels=(4, 8, 8, 8),
            layers_per_block=(1, 1, 1, 1, 1),
            decoder_layers_per_block=(1, 1, 1, 1, 1),
        ),
        "text_encoder": t5_encoder(),
        "tokenizer": t5_tokenizer(),
        "transformer": LTXVideoTransformer3DModel(
            in_channels=16,
            out_channels=16,
            num_attention_heads=2,
            attention_head_dim=16,
            cross_attention_dim=32,
            num_layers=2,
            caption_channels=WIDTH,
        ),
    }


@seeded
def build() -> LTXPipeline:
    return LTXPipeline(**components())


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 64,
        "width": 64,
        "num_frames": 9,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
