"""Seeing: a clip's pictures as small arrays of numbers."""

from __future__ import annotations

from functools import cache

import numpy as np

from phosphene.clip import Clip
from phosphene.errors import PhospheneError

_LUMA = np.array([0.299, 0.587, 0.114], np.float32)  # ITU-R BT.601


def pictures(clip: Clip, who: str, most: int | None = None) -> np.ndarray:
    """Frames uint8 `(t, h, w, 3)`; no more than `most`, evenly from the first to the last.

    Raises:
        PhospheneError: a clip of sound alone; `who` is named.
    """
    if clip.frames is None:
        raise PhospheneError(f"{who} looks at pictures; it was given a clip of sound alone")
    if most is None or len(clip.frames) <= most:
        return clip.frames
    return clip.frames[np.linspace(0, len(clip.frames) - 1, most).round().astype(int)]


def luma(frames: np.ndarray) -> np.ndarray:
    """Brightness float32 `(t, h, w)`, 0..1, of uint8 `(t, h, w, 3)`."""
    return frames.astype(np.float32) @ (_LUMA / 255)


def shrunk(pictures: np.ndarray, side: int) -> np.ndarray:
    """Float32 `(t, h, w, ...)` to `(t, side, side, ...)`: means over equal areas."""
    rows = _areas(pictures.shape[1], side)
    columns = _areas(pictures.shape[2], side)
    high = np.tensordot(pictures.astype(np.float32), rows, (1, 1))
    return np.moveaxis(np.tensordot(high, columns, (1, 1)), (-2, -1), (1, 2))


@cache
def _areas(old: int, new: int) -> np.ndarray:
    """Float32 `(new, old)`: how much of each old pixel lies in each new one; rows sum to 1."""
    edges = np.arange(new + 1) * old / new
    pixel = np.arange(old)
    ends = np.minimum(edges[1:, None], pixel + 1) - np.maximum(edges[:-1, None], pixel)
    return (ends.clip(0) * new / old).astype(np.float32)


def changes(frames: np.ndarray, side: int = 32) -> np.ndarray:
    """How much changes from each frame to the next: float32 `(t - 1,)`, 0..1.

    The mean absolute difference of brightness at `side` x `side` pixels, where noise of single
    pixels has averaged out.
    """
    small = shrunk(luma(frames), side)
    return np.abs(np.diff(small, axis=0)).mean((1, 2))
