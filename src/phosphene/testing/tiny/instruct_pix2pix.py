"""InstructPix2Pix: edits a picture as the prompt says; its latents are channels of the UNet.

The output has the picture's size, rounded down to multiples of 8; the call takes no size.
"""

from __future__ import annotations

from typing import Any

from diffusers import StableDiffusionInstructPix2PixPipeline

from phosphene.testing.tiny import stable_diffusion
from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded


@seeded
def build() -> StableDiffusionInstructPix2PixPipeline:
    components = stable_diffusion.components()
    components["unet"] = stable_diffusion.unet(in_channels=8)
    return StableDiffusionInstructPix2PixPipeline(**components)


def example() -> dict[str, Any]:
    return {"image": picture(64, 64), "prompt": "make it blue", "num_inference_steps": 2}
