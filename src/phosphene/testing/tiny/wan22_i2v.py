"""Wan 2.2 image to video: two transformers share the steps; no image encoder.

The first one has the noisy steps, down to `boundary_ratio`. It takes a `last_image` too. Frames are
4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import UniPCMultistepScheduler, WanImageToVideoPipeline

from phosphene.testing.tiny import wan_flf
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import t5_tokenizer, umt5_encoder
from phosphene.testing.tiny._vae import wan_vae
from phosphene.testing.tiny.wan_t2v import transformer


@seeded
def build() -> WanImageToVideoPipeline:
    return WanImageToVideoPipeline(
        tokenizer=t5_tokenizer(),
        text_encoder=umt5_encoder(),
        vae=wan_vae(),
        transformer=transformer(in_channels=36),
        transformer_2=transformer(in_channels=36),
        boundary_ratio=0.9,
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=3.0
        ),
    )


def example() -> dict[str, Any]:
    return wan_flf.example()
