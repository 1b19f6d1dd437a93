"""Clip: what every backbone returns and every scorer reads. An image is a clip of one frame."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Literal

import numpy as np

from phosphene.errors import PhospheneError

Kind = Literal["image", "video", "audio", "audio-video"]


@dataclass(frozen=True, eq=False)
class Clip:
    """Pictures, sound, or both.

    Args:
        frames: uint8 `(t, h, w, 3)`, sRGB 0..255, t >= 1; None for sound alone.
        fps: frames a second, exact (23.976 is `Fraction(24000, 1001)`).
        audio: float32 `(channels, samples)`, nominally -1..1; None for silence by absence.
        rate: audio samples a second (Hz); needed whenever `audio` is given.

    Raises:
        PhospheneError: wrong shape, dtype or rate, or neither frames nor audio.
    """

    frames: np.ndarray | None
    fps: Fraction = field(default=Fraction(1))
    audio: np.ndarray | None = None
    rate: int | None = None

    def __post_init__(self) -> None:
        if self.frames is None and self.audio is None:
            raise PhospheneError("a Clip needs frames, audio or both; got neither")
        if self.frames is not None:
            if self.frames.dtype != np.uint8 or self.frames.ndim != 4 or self.frames.shape[3] != 3:
                raise PhospheneError(
                    f"Clip.frames must be uint8 (t, h, w, 3); got {self.frames.dtype} "
                    f"{self.frames.shape}"
                )
            if 0 in self.frames.shape:
                raise PhospheneError(f"Clip.frames is empty: {self.frames.shape}")
        if self.fps <= 0:
            raise PhospheneError(f"Clip.fps must be positive; got {self.fps}")
        if self.audio is not None:
            if self.audio.dtype != np.float32 or self.audio.ndim != 2:
                raise PhospheneError(
                    f"Clip.audio must be float32 (channels, samples); got {self.audio.dtype} "
                    f"{self.audio.shape}"
                )
            if not self.rate or self.rate <= 0:
                raise PhospheneError(f"Clip.audio needs a positive rate in Hz; got {self.rate}")

    @property
    def kind(self) -> Kind:
        if self.frames is None:
            return "audio"
        if self.audio is not None:
            return "audio-video"
        return "image" if len(self.frames) == 1 else "video"

    @property
    def size(self) -> tuple[int, int] | None:
        """`(width, height)` in pixels, None for sound alone."""
        return None if self.frames is None else (self.frames.shape[2], self.frames.shape[1])

    @property
    def duration(self) -> float:
        """Seconds: of the frames where there are any, else of the sound."""
        if self.frames is not None:
            return float(len(self.frames) / self.fps)
        assert self.audio is not None
        assert self.rate is not None
        return self.audio.shape[1] / self.rate

    @property
    def digest(self) -> str:
        """SHA-256 of shapes, rates and raw content, as 64 hex digits."""
        h = hashlib.sha256(f"{self.fps}|{self.rate}".encode())
        for array in (self.frames, self.audio):
            h.update(b"none" if array is None else f"{array.dtype}{array.shape}".encode())
            if array is not None:
                h.update(np.ascontiguousarray(array).tobytes())
        return h.hexdigest()
