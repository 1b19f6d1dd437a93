"""Sharpness: edges, not grain."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.exploring.seeing import luma, pictures
from phosphene.quality import Quality
from phosphene.request import Request

_NORMAL = 0.6745  # median of |x| for x ~ N(0, 1)


@dataclass(frozen=True)
class Sharpness(Quality):
    """Spread of the Laplacian, less what grain accounts for; the mean of a few frames.

        s = std(L) - median |L| / 0.6745,    L = Laplacian of brightness, 0..1

    Edges are few, so they raise the first term alone; white noise of any strength raises both
    alike and comes to nothing. Compares clips of one size only.

    Args:
        looks: frames looked at, evenly from the first to the last.

    References:
        Diatom autofocusing in brightfield microscopy (Pech-Pacheco et al., 2000): variance of the
        Laplacian, https://doi.org/10.1109/ICPR.2000.903548
        Ideal spatial adaptation by wavelet shrinkage (Donoho, Johnstone, 1994): the median estimate
        of noise, https://doi.org/10.1093/biomet/81.3.425
    """

    name: ClassVar[str] = "sharpness"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    looks: int = 5

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [self._one(pictures(clip, self.name, self.looks)) for clip in clips]

    def _one(self, frames: np.ndarray) -> float | None:
        if min(frames.shape[1:3]) < 3:
            return None
        x = luma(frames)
        middle = x[:, 1:-1, 1:-1]
        around = x[:, :-2, 1:-1] + x[:, 2:, 1:-1] + x[:, 1:-1, :-2] + x[:, 1:-1, 2:]
        bent = (around - 4 * middle).reshape(len(x), -1)
        return float((bent.std(1) - np.median(np.abs(bent), axis=1) / _NORMAL).mean())


COMPONENT = Sharpness
