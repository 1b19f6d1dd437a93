"""Stable Diffusion, image to image: starts from the picture, noised by `strength`.

The output has the picture's size, rounded down to multiples of 8; the call takes no size.
"""

from __future__ import annotations

from typing import Any

from diffusers import StableDiffusionImg2ImgPipeline

from phosphene.testing.tiny import stable_diffusion
from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded


@seeded
def build() -> StableDiffusionImg2ImgPipeline:
    return StableDiffusionImg2ImgPipeline(**stable_diffusion.components())


def example() -> dict[str, Any]:
    return {
        "image": picture(64, 64),
        "prompt": "a blue cube",
        "strength": 0.8,
        "num_inference_steps": 3,
    }
