"""Flux Kontext: edits a picture as the prompt says; the picture's latents join the sequence.

Width and height are multiples of 16. Left to itself the pipeline scales the picture to about a
megapixel, so give `max_area` and `_auto_resize=False`.
"""

from __future__ import annotations

from typing import Any

from diffusers import FluxKontextPipeline

from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny.flux import components


@seeded
def build() -> FluxKontextPipeline:
    return FluxKontextPipeline(**components())


def example() -> dict[str, Any]:
    return {
        "image": picture(64, 64),
        "prompt": "make it blue",
        "height": 64,
        "width": 64,
        "max_area": 64 * 64,
        "_auto_resize": False,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
