"""Wan 2.1 image to video: the picture enters through the VAE and through a CLIP image encoder.

Frames are 4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline

from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import t5_tokenizer, umt5_encoder
from phosphene.testing.tiny._vae import wan_vae
from phosphene.testing.tiny._vision import WIDTH, clip_processor, clip_vision
from phosphene.testing.tiny.wan_t2v import transformer


@seeded
def build() -> WanImageToVideoPipeline:
    return WanImageToVideoPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        # 16 latent channels of noise, 16 of the picture and 4 that mask the known frames.
        transformer=transformer(in_channels=36, image_dim=WIDTH, added_kv_proj_dim=24),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        image_processor=clip_processor(),
        image_encoder=clip_vision(),
    )


def example() -> dict[str, Any]:
    return {
        "image": picture(32, 32),
        "prompt": "it turns",
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
