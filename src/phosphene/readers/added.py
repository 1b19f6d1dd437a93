"""Added: ink that the first frame does not explain, not even with its lines blurred or shaken."""

from __future__ import annotations

import numpy as np
from scipy import ndimage


def added_ink(frames: np.ndarray, first: np.ndarray, contrast: float = 60.0) -> np.ndarray:
    """How far pixels lie outside what the first frame shows around them: `(n, s, s)` in 0..1.

    Blurred or shaken lines stay within that; what is drawn on paper does not.

    Args:
        frames: uint8 `(n, s, s, 3)`.
        contrast: levels of 255 that count as full ink.
    """
    window = 2 * max(round(len(first) / 64), 1) + 1
    low = ndimage.minimum_filter(first, (window, window, 1)).astype(np.int16)
    high = ndimage.maximum_filter(first, (window, window, 1)).astype(np.int16)
    away = np.maximum(low - frames, frames - high).max(-1)
    return np.clip(away.astype(np.float32) / np.float32(contrast), 0, 1)
