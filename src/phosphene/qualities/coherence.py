"""Coherence: what is heard goes with what is seen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.exploring.hearing import HOP, RATE, heard, log_mel, rises
from phosphene.exploring.seeing import changes, pictures
from phosphene.quality import Quality
from phosphene.request import Request

_STILL = 1e-4  # mean change of brightness, of 1, below which nothing moves
_FLAT = 1e-6  # deviation below which a course is the same throughout


@dataclass(frozen=True)
class Coherence(Quality):
    """Correlation of sounds' onsets with movement in time, less that of the best shift.

        r(0) - max over 0 < |k| <= reach of r(k)

    r(k) is the correlation of onset strength and movement, both in the time between one frame and
    the next, with the sound k of these later; a shift wraps around. Only timing counts, so a sound
    that fits anywhere comes to nothing. None for silence, for still pictures, for movement or
    sound that never varies, and for fewer than 4 frames.

    Args:
        reach: how far the sound is shifted, seconds.

    Raises:
        PhospheneError: `reach` is not positive.

    References:
        Out of Time: Automated Lip Sync in the Wild (Chung, Zisserman, 2016): confidence as the
        margin of one offset over the others, https://doi.org/10.1007/978-3-319-54427-4_19
    """

    name: ClassVar[str] = "coherence"
    streams: ClassVar[frozenset[str]] = frozenset({"video", "audio"})

    reach: float = 0.5

    def __post_init__(self) -> None:
        if self.reach <= 0:
            raise PhospheneError(f"coherence.reach must be positive; got {self.reach}")

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Clip) -> float | None:
        seen = changes(pictures(clip, self.name))
        if len(seen) < 3 or seen.mean() < _STILL:
            return None
        sound = _onsets(clip, len(seen))
        if seen.std() < _FLAT or sound.std() < _FLAT:
            return None
        reach = min(max(1, round(self.reach * float(clip.fps))), (len(seen) - 1) // 2)
        here = _correlation(sound, seen)
        shifts = [k for k in range(-reach, reach + 1) if k]
        return here - max(_correlation(np.roll(sound, k), seen) for k in shifts)


def _onsets(clip: Clip, count: int) -> np.ndarray:
    """Onset strength between each frame and the next: `(count,)`."""
    strength = rises(log_mel(heard(clip, Coherence.name)))
    times = np.arange(len(strength)) * HOP / RATE
    slot = np.floor(times * float(clip.fps)).astype(int)
    kept = slot < count
    return np.bincount(slot[kept], strength[kept], count)


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    a, b = a - a.mean(), b - b.mean()
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


COMPONENT = Coherence
