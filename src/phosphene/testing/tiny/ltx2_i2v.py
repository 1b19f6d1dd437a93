"""LTX-2, image to video and stereo sound: the picture is the first latent frame, held clean.

Frames are 8k+1; width and height are multiples of 32.
"""

from __future__ import annotations

from typing import Any

from diffusers import LTX2ImageToVideoPipeline

from phosphene.testing.tiny import ltx2
from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded


@seeded
def build() -> LTX2ImageToVideoPipeline:
    return LTX2ImageToVideoPipeline(**ltx2.components())


def example() -> dict[str, Any]:
    return ltx2.example() | {"image": picture(64, 64)}
