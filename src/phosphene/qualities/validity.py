"""Validity: a picture at all: not blank, not white noise, not burnt out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.exploring.seeing import luma, pictures
from phosphene.quality import Quality
from phosphene.request import Request

_FAINT = 0.02  # deviation of brightness, 0..1, at which a picture is half way to blank
_SMOOTH = 0.6  # correlation of neighbouring pixels from which on a picture is no noise
_DARK, _BRIGHT = 2, 253  # of 255: a pixel is clipped where all its colours lie beyond


@dataclass(frozen=True)
class Validity(Quality):
    """Product of three factors, 0..1 each, the mean of a few frames.

        contrast:  s^2 / (s^2 + 0.02^2), s the deviation of brightness
        order:     correlation of neighbouring pixels, over 0.6 and no more than 1
        range:     1 - 2 min(dark, bright), the shares of pixels clipped at either end; a white or
                   black ground alone costs nothing

    Args:
        looks: frames looked at, evenly from the first to the last.
    """

    name: ClassVar[str] = "validity"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    looks: int = 3

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [float(_valid(pictures(c, self.name, self.looks)).mean()) for c in clips]


def _valid(frames: np.ndarray) -> np.ndarray:
    """Of each frame: float32 `(t,)`, 0..1."""
    x = luma(frames)
    spread = x.var((1, 2))
    contrast = spread / (spread + _FAINT**2)
    order = np.clip(_neighbours(x, spread) / _SMOOTH, 0, 1)
    dark = (frames.max(3) <= _DARK).mean((1, 2))
    bright = (frames.min(3) >= _BRIGHT).mean((1, 2))
    return contrast * order * (1 - 2 * np.minimum(dark, bright))


def _neighbours(x: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Correlation of neighbouring pixels, the mean of both directions: 1 - E(a - b)^2 / 2 var."""
    steps = [np.square(np.diff(x, axis=axis)) for axis in (1, 2) if x.shape[axis] > 1]
    if not steps:
        return np.ones(len(x))
    rough = np.mean([s.mean((1, 2)) for s in steps], axis=0)
    return 1 - rough / (2 * spread).clip(1e-12)


COMPONENT = Validity
