"""Ink: what has been drawn onto the first frame, whatever its colour."""

from __future__ import annotations

import numpy as np


def drawn(frames: np.ndarray, first: np.ndarray, contrast: float = 60.0) -> np.ndarray:
    """How much each pixel differs from the first frame, float32 `(n, s, s)` in 0..1.

    The distance of colours (largest channel) over `contrast` levels of 255, cut at 1: antialiased
    strokes of any colour that stands out are 1 inside and fall off at their edge.
    """
    away = np.abs(frames.astype(np.int16) - first.astype(np.int16)).max(-1)
    return np.minimum(away.astype(np.float32) / np.float32(contrast), 1)


def ink_line(crop: np.ndarray) -> np.ndarray:
    """A crop `(h, w, 3)` as dark ink on light paper, uint8 `(h, w, 3)`, whatever its colours.

    Paper is the border's median colour; a pixel's ink is its distance from it, scaled so that the
    most distant pixels are black. A crop without ink comes back white.
    """
    border = np.concatenate([crop[0], crop[-1], crop[:, 0], crop[:, -1]]).astype(np.float32)
    paper = np.median(border, 0)
    away = np.abs(crop.astype(np.float32) - paper).max(-1)
    most = float(np.quantile(away, 0.995))
    grey = 255 - np.clip(away / max(most, 48.0), 0, 1) * 255
    return np.repeat(grey.astype(np.uint8)[..., None], 3, -1)
