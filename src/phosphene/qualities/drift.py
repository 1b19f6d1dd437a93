"""Drift: a clip that keeps showing what it hasn't shown yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding, embeddings
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import pictures
from phosphene.quality import Quality
from phosphene.request import Request


@dataclass(frozen=True)
class Drift(Quality):
    """Open-endedness of one clip: how far each frame is from the nearest one before it.

        mean over t > 0 of 1 - max_{t' < t} <z_t, z_t'>

    0 for a still picture and for a loop's later rounds; None for a single picture.

    Args:
        embedding: of pictures; see `phosphene ls embeddings`.
        settings: its fields.
        looks: frames looked at, evenly from the first to the last.

    Raises:
        PhospheneError: an embedding that looks at more than pictures.

    References:
        Automating the Search for Artificial Life with Foundation Models (Kumar et al., 2024),
        section 3.2, https://arxiv.org/abs/2412.17799
    """

    name: ClassVar[str] = "drift"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    embedding: str = "pixels"
    settings: Mapping[str, Any] = field(default_factory=dict)
    looks: int = 16

    @cached_property
    def _space(self) -> Embedding:
        space = embeddings.get(self.embedding)(**self.settings)
        if space.streams != self.streams:
            raise PhospheneError(
                f"drift looks at single frames; embedding {self.embedding} doesn't look at "
                f"pictures alone: choose pixels, efficientnet or open_clip"
            )
        return space

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Clip) -> float | None:
        frames = pictures(clip, self.name, self.looks)
        if len(frames) < 2:
            return None
        points = self._space.embed([Clip(frame[None]) for frame in frames])
        alike = np.where(np.tri(len(points), k=-1, dtype=bool), points @ points.T, -np.inf)
        return float((1 - alike[1:].max(1)).mean())


COMPONENT = Drift
