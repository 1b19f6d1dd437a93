"""Loudness: something can be heard, and it isn't clipped."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.exploring.hearing import RATE, heard
from phosphene.quality import Quality
from phosphene.request import Request

_PART = RATE // 20  # 50 ms: a click is as loud as it sounds, however long the silence around it
_FAINT = 0.01  # RMS that is worth half: 40 dB under full scale
_FULL = 0.999  # amplitude from which on a sample is clipped


@dataclass(frozen=True)
class Loudness(Quality):
    """Product of two factors, 0..1 each.

    heard:      r^2 / (r^2 + 0.01^2), r the RMS of the loudest 50 ms
    unclipped:  1 - share of clipped samples among those that sound, in the clip's own rate
    """

    name: ClassVar[str] = "loudness"
    streams: ClassVar[frozenset[str]] = frozenset({"audio"})

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Clip) -> float:
        track = heard(clip, self.name)
        rest = np.pad(track, (0, -len(track) % _PART)).reshape(-1, _PART)
        power = float(np.square(rest).mean(1).max(initial=0))
        assert clip.audio is not None
        loud = np.abs(clip.audio)
        sounding = max(int((loud > _FAINT).sum()), 1)
        clipped = float((loud >= _FULL).sum()) / sounding
        return power / (power + _FAINT**2) * (1 - clipped)


COMPONENT = Loudness
