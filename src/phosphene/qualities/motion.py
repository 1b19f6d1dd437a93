"""Motion: something happens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import changes, pictures
from phosphene.quality import Quality
from phosphene.request import Request


@dataclass(frozen=True)
class Motion(Quality):
    """How much moves, E / (E + half), 0..1; None for a single picture.

    E is the mean change of brightness from one frame to the next at 32 x 32 pixels: grain hardly
    counts, but flicker does, so ask `stability` too.

    Args:
        half: E, of 1, that is worth half.

    Raises:
        PhospheneError: `half` is not positive.
    """

    name: ClassVar[str] = "motion"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    half: float = 0.02

    def __post_init__(self) -> None:
        if self.half <= 0:
            raise PhospheneError(f"motion.half must be positive; got {self.half}")

    def score(self, clips: Sequence[Clip], requests: Sequence[Request]) -> list[float | None]:
        return [self._one(clip) for clip in clips]

    def _one(self, clip: Clip) -> float | None:
        frames = pictures(clip, self.name)
        if len(frames) < 2:
            return None
        energy = float(changes(frames).mean())
        return energy / (energy + self.half)


COMPONENT = Motion
