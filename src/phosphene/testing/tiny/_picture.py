"""A picture to condition on."""

from __future__ import annotations

import numpy as np
from PIL import Image


def picture(width: int, height: int, hue: float = 0.0) -> Image.Image:
    """A smooth RGB picture, `width` x `height` pixels; another `hue` (turns) is another picture."""
    x, y = np.meshgrid(np.linspace(0, 1, width), np.linspace(0, 1, height))
    phases = np.stack([x + hue, y + 2 * hue, x + y + 3 * hue], axis=-1)
    return Image.fromarray((127.5 + 127.5 * np.sin(2 * np.pi * phases)).astype(np.uint8))
