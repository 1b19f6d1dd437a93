"""Request: everything that is asked of a backbone for one sample."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.noise import Noise


@dataclass(frozen=True, eq=False)
class Request:
    """One sample asked of a backbone. None means: what the backbone does by default.

    Args:
        prompt: what to draw or sound.
        negative: what to stay away from (classifier-free guidance).
        first_frame, last_frame: uint8 `(h, w, 3)` pictures the video starts from and ends on;
            an edit model takes the picture to edit as `first_frame`.
        width, height: pixels.
        frames: number of frames.
        fps: frames a second, exact.
        duration: seconds of sound, for sound-only backbones.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        seed, index: the sample's randomness depends on this pair and on nothing else.
        extra: further arguments of the backbone's own call, by name; JSON-able values.
        noise: stream (`video`, `audio`) -> record of a `Noise`; streams that are missing draw from
            (seed, index).
        steering: what is done to the sample while it is made, each `{"op": NAME, ...}` with the
            fields of the steer of that name (`phosphene.steer`).

    Raises:
        PhospheneError: a value out of its range.
    """

    prompt: str = ""
    negative: str | None = None
    first_frame: np.ndarray | None = None
    last_frame: np.ndarray | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: Fraction | None = None
    duration: float | None = None
    steps: int | None = None
    guidance: float | None = None
    seed: int = 0
    index: int = 0
    extra: Mapping[str, Any] = field(default_factory=dict)
    noise: Mapping[str, Sequence[Sequence[float]]] = field(default_factory=dict)
    steering: Sequence[Mapping[str, Any]] = ()

    def __post_init__(self) -> None:
        for name in ("width", "height", "frames", "steps", "fps", "duration"):
            value = getattr(self, name)
            if value is not None and value <= 0:
                raise PhospheneError(f"{name} must be at least 1; got {value}")
        if self.guidance is not None and not np.isfinite(self.guidance):
            raise PhospheneError(f"guidance must be a finite number; got {self.guidance}")
        if not 0 <= self.seed < 2**63 or self.index < 0:
            raise PhospheneError(
                f"seed must lie in 0..2^63-1 and index be >= 0; got {self.seed}, {self.index}"
            )
        for terms in self.noise.values():
            Noise.of(terms)
        for name in ("first_frame", "last_frame"):
            image = getattr(self, name)
            if image is not None and (
                image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3
            ):
                raise PhospheneError(
                    f"{name} must be uint8 (h, w, 3); got {image.dtype} {image.shape}"
                )

    def stream(self, name: str) -> int:
        """A 63-bit seed for one noise stream (`"video"`, `"audio"`, ...) of this sample.

        SHA-256 of (seed, index, name): streams are independent, so asking for sound, or for more
        frames, leaves the noise of the other stream as it was.
        """
        word = hashlib.sha256(f"{self.seed}/{self.index}/{name}".encode()).digest()
        return int.from_bytes(word[:8], "big") >> 1

    def record(self) -> dict[str, Any]:
        """JSON-able account of the request; pictures appear as `sha256:...` with their shape.

        The same record is hashed into the sample's key, so two requests share a key only if every
        field agrees.
        """
        out: dict[str, Any] = {}
        for f in fields(self):
            value = getattr(self, f.name)
            if f.name in ("noise", "steering") and not value:
                continue  # what was asked before there were such fields keeps its key
            if isinstance(value, np.ndarray):
                value = {"sha256": image_digest(value), "shape": list(value.shape)}
            elif isinstance(value, Fraction):
                value = str(value)
            elif isinstance(value, Mapping):
                value = dict(value)
            elif isinstance(value, list | tuple):
                value = [dict(v) for v in value]
            out[f.name] = value
        return out


def image_digest(image: np.ndarray) -> str:
    """SHA-256 of a picture's shape and pixels, as 64 hex digits."""
    h = hashlib.sha256(str(image.shape).encode())
    h.update(np.ascontiguousarray(image).tobytes())
    return h.hexdigest()
