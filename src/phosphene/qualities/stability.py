"""Stability: things change, but they don't flicker."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.exploring.seeing import luma, pictures
from phosphene.quality import Quality
from phosphene.request import Request


@dataclass(frozen=True)
class Stability(Quality):
    """1 less what is done and undone within three frames, 0..1; None for fewer than three.

        1 - mean (|b - a| + |c - b| - |c - a|) / 2,    a, b, c: one pixel's brightness in turn

    Still pictures, fades and cuts come to 1: nothing is undone. Alternating black and white comes
    to 0. A thing that passes undoes what it covers, so it costs its own size and no more.

    Args:
        looks: frames in a row that are looked at, from the first on.
    """

    name: ClassVar[str] = "stability"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    looks: int = 64

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [self._one(pictures(clip, self.name)[: self.looks]) for clip in clips]

    def _one(self, frames: np.ndarray) -> float | None:
        if len(frames) < 3:
            return None
        x = luma(frames)
        steps = np.abs(np.diff(x, axis=0))
        undone = steps[1:] + steps[:-1] - np.abs(x[2:] - x[:-2])
        return 1 - float(undone.mean()) / 2


COMPONENT = Stability
