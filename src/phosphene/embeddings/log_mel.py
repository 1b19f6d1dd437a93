"""Log-mel: what a sound is made of and how it goes, without any weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding
from phosphene.errors import PhospheneError
from phosphene.exploring.hearing import FLOOR, heard, log_mel

_REGIONS = 4  # groups of bands whose course over time is kept


@dataclass(frozen=True)
class LogMel(Embedding):
    """Levels in mel bands: their mean and deviation over time, and a coarse course.

    Levels are scaled so that silence is 0 and full scale 1; each of the three parts counts alike,
    and one number that is always the same joins them, so that silence is a point and loudness
    counts. The vector has 2 bands + 4 moments + 1 numbers.

    Args:
        bands: mel bands, 40 Hz to 7.6 kHz, a multiple of 4.
        moments: parts of equal length in which the course over time is kept.

    Raises:
        PhospheneError: a setting out of its range.
    """

    name: ClassVar[str] = "log_mel"
    streams: ClassVar[frozenset[str]] = frozenset({"audio"})

    bands: int = 32
    moments: int = 8

    def __post_init__(self) -> None:
        if self.bands < _REGIONS or self.bands % _REGIONS or self.moments < 1:
            raise PhospheneError(
                f"log_mel wants bands in multiples of {_REGIONS} and at least 1 moment; got "
                f"{self.bands}, {self.moments}"
            )

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        if not clips:
            return np.zeros((0, 2 * self.bands + _REGIONS * self.moments + 1), np.float32)
        return np.stack([self._one(clip) for clip in clips])

    def _one(self, clip: Clip) -> np.ndarray:
        levels = 1 - log_mel(heard(clip, self.name), self.bands) / FLOOR
        regions = levels.reshape(len(levels), _REGIONS, -1).mean(2)
        edges = np.linspace(0, len(levels), self.moments + 1)
        course = [
            regions[int(a) : max(int(np.ceil(b)), int(a) + 1)].mean(0) for a, b in pairwise(edges)
        ]
        parts = [levels.mean(0), 2 * levels.std(0), np.concatenate(course)]
        vector = np.concatenate([p / np.sqrt(len(p)) for p in parts] + [np.full(1, 0.3)])
        return (vector / np.linalg.norm(vector)).astype(np.float32)


COMPONENT = LogMel
