"""Wan 2.1 first-last-frame to video: as image to video, with the picture it ends on.

Both pictures are needed. Frames are 4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import FlowMatchEulerDiscreteScheduler, WanImageToVideoPipeline

from phosphene.testing.tiny import wan_i2v
from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import t5_tokenizer, umt5_encoder
from phosphene.testing.tiny._vae import wan_vae
from phosphene.testing.tiny._vision import TOKENS, WIDTH, clip_processor, clip_vision
from phosphene.testing.tiny.wan_t2v import transformer


@seeded
def build() -> WanImageToVideoPipeline:
    return WanImageToVideoPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        transformer=transformer(
            in_channels=36,
            image_dim=WIDTH,
            added_kv_proj_dim=24,
            pos_embed_seq_len=2 * TOKENS,  # a place for each patch of both pictures
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0),
        image_processor=clip_processor(),
        image_encoder=clip_vision(),
    )


def example() -> dict[str, Any]:
    return wan_i2v.example() | {"last_image": picture(32, 32, hue=0.5)}
