"""Fake: a backbone without weights, for tests of everything that drives one."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import Literal

import numpy as np

from phosphene.backbone import Backbone, BackboneSpec, Capabilities
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request


@dataclass(frozen=True, eq=False)
class FakeBackbone(Backbone):
    """Draws a coloured square that moves right, and a tone; both follow from the request alone.

    Args:
        produces: `image`, `video`, `audio` or `audio-video`.
        spec: part of the key, as with any backbone.
        weights: stands for them in the fingerprint.
        fail_at: indices of requests whose sample raises.
        oom_above: a batch larger than this runs out of memory; 0 fails even one sample.
        delay: seconds each sample takes.
        log: a file that gets a line `index` for every sample made; several processes may share it.
        rate: sound samples a second (Hz).
    """

    produces: Literal["image", "video", "audio", "audio-video"] = "audio-video"
    spec: BackboneSpec = field(default_factory=lambda: BackboneSpec("fake"))
    weights: str = "fake:1"
    fail_at: frozenset[int] = frozenset()
    oom_above: int | None = None
    delay: float = 0.0
    log: Path | None = None
    rate: int = 16000

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def fingerprint(self) -> str:
        return self.weights

    @property
    def capabilities(self) -> Capabilities:
        accepts = {"prompt", "negative", "first_frame", "width", "height", "frames", "fps"}
        return Capabilities(
            produces=frozenset(self.produces.split("-")),
            accepts=frozenset(accepts | {"duration", "steps", "guidance", "seed", "index"}),
            extra=frozenset({"hue"}),
            defaults={"width": 64, "height": 48, "frames": 9, "fps": Fraction(8)},
        )

    def check(self, request: Request) -> None:
        if request.last_frame is not None:
            raise PhospheneError("backbone 'fake' can't honour last_frame; leave it out")

    def like(self, request: Request) -> tuple:
        return (request.width, request.height, request.frames, request.fps, request.duration)

    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        if self.oom_above is not None and len(requests) > self.oom_above:
            raise MemoryError(f"fake: {len(requests)} at once")
        for request in requests:
            if request.index in self.fail_at:
                raise RuntimeError(f"fake: told to fail at {request.index}")
        return [self._one(request) for request in requests]

    def _one(self, request: Request) -> Clip:
        time.sleep(self.delay)
        if self.log is not None:
            with open(self.log, "a") as file:
                file.write(f"{request.index}\n")
        fps = request.fps or Fraction(8)
        seen = None if self.produces == "audio" else _square(request, self.produces == "image")
        count = len(seen) / fps if seen is not None else Fraction(request.duration or 1)
        if "audio" not in self.produces:
            return Clip(seen, fps)
        return Clip(seen, fps, _tone(request, int(count * self.rate), self.rate), self.rate)


def _square(request: Request, still: bool) -> np.ndarray:
    """uint8 `(t, h, w, 3)`; colour and height from the video stream, ground from the prompt."""
    rng = np.random.default_rng(request.stream("video"))
    width, height = request.width or 64, request.height or 48
    count = 1 if still else request.frames or 9
    asked = (request.prompt, request.negative, request.steps, request.guidance, request.extra)
    ground = np.frombuffer(hashlib.sha256(repr(asked).encode()).digest()[:3], np.uint8)
    frames = np.empty((count, height, width, 3), np.uint8)
    frames[:] = ground if request.first_frame is None else request.first_frame.mean((0, 1))
    colour = rng.integers(0, 256, 3)
    side = max(1, min(width, height) // 4)
    top = int(rng.integers(0, height - side + 1))
    for t in range(count):
        left = (width - side) * t // max(1, count - 1)
        frames[t, top : top + side, left : left + side] = colour
    return frames


def _tone(request: Request, samples: int, rate: int) -> np.ndarray:
    """float32 `(1, samples)`: a sine of 200 to 1000 Hz from the audio stream."""
    pitch = np.random.default_rng(request.stream("audio")).uniform(200, 1000)
    time_s = np.arange(samples) / rate
    return (0.3 * np.sin(2 * np.pi * pitch * time_s))[None].astype(np.float32)
