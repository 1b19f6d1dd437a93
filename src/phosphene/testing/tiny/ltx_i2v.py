"""LTX-Video, image to video: the picture is the first latent frame, held clean.

Frames are 8k+1; width and height are multiples of 32.
"""

from __future__ import annotations

from typing import Any

from diffusers import LTXImageToVideoPipeline

from phosphene.testing.tiny import ltx
from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded


@seeded
def build() -> LTXImageToVideoPipeline:
    return LTXImageToVideoPipeline(**ltx.components())


def example() -> dict[str, Any]:
    return ltx.example() | {"image": picture(64, 64)}
