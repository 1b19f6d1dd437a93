"""Pixels: the picture itself, small. Knows nothing: the control for embeddings that do."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import pictures, shrunk


@dataclass(frozen=True)
class Pixels(Embedding):
    """Colours at `side` x `side` pixels, the mean of a few frames.

    Values are standardised by (x - 0.5) / 0.25 and one number that is always the same joins them,
    so that mid-grey is a point too and contrast counts. The vector has 3 side^2 + 1 numbers.

    Args:
        side: of the small picture.
        looks: frames it is the mean of, evenly from the first to the last.

    Raises:
        PhospheneError: a setting below 1.

    References:
        Automating the Search for Artificial Life with Foundation Models (Kumar et al., 2024),
        where pixels are compared with learned embeddings, https://arxiv.org/abs/2412.17799
    """

    name: ClassVar[str] = "pixels"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    side: int = 16
    looks: int = 5

    def __post_init__(self) -> None:
        if self.side < 1 or self.looks < 1:
            raise PhospheneError(
                f"pixels wants side and looks of at least 1; got {self.side}, {self.looks}"
            )

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        if not clips:
            return np.zeros((0, 3 * self.side**2 + 1), np.float32)
        return np.stack([self._one(clip) for clip in clips])

    def _one(self, clip: Clip) -> np.ndarray:
        small = shrunk(pictures(clip, self.name, self.looks), self.side).mean(0).ravel()
        values = (small / 255 - 0.5) / 0.25
        vector = np.append(values / np.sqrt(len(values)), 1)
        return (vector / np.linalg.norm(vector)).astype(np.float32)


COMPONENT = Pixels
