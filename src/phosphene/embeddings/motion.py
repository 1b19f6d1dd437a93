"""Motion: how much moves, when, where and which way, without any weights."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.embedding import Embedding
from phosphene.errors import PhospheneError
from phosphene.exploring.seeing import changes, luma, pictures, shrunk

HALF = 0.02  # mean change of brightness a frame, of 1, at which a clip is half way to restless
_SIDE = 32  # pixels; movements of a few of them at this size are found
_BLOCK = 4  # blocks a side: where something moves
_WAYS = 8  # directions


@dataclass(frozen=True)
class Motion(Embedding):
    """Frame differences told as shares, and their amount as an angle.

        v = (cos a, sin a u),    a = pi/2 E / (E + HALF)

    E is the mean change of brightness from frame to frame. u joins three unit vectors, square
    roots of the shares of energy: over time, over 4 x 4 places, and over 8 directions of flow and
    one more for change that is no movement. Still pictures are (1, 0, ...): all the same point.

    Args:
        moments: parts of equal length in which the course over time is kept.
        looks: frames looked at, evenly from the first to the last.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        An Iterative Image Registration Technique (Lucas, Kanade, 1981): the flow of a block is the
        least-squares solution of Ix u + Iy v + It = 0.
    """

    name: ClassVar[str] = "motion"
    streams: ClassVar[frozenset[str]] = frozenset({"video"})

    moments: int = 8
    looks: int = 32

    def __post_init__(self) -> None:
        if self.moments < 1 or self.looks < 2:
            raise PhospheneError(
                f"motion wants at least 1 moment and 2 looks; got {self.moments}, {self.looks}"
            )

    def embed(self, clips: Sequence[Clip]) -> np.ndarray:
        out = np.zeros((len(clips), 1 + self.moments + _BLOCK**2 + _WAYS + 1), np.float32)
        for row, clip in zip(out, clips, strict=True):
            row[:] = self._one(pictures(clip, self.name, self.looks))
        return out

    def _one(self, frames: np.ndarray) -> np.ndarray:
        still = np.eye(1, 1 + self.moments + _BLOCK**2 + _WAYS + 1)[0]
        if len(frames) < 2:
            return still
        energy = float(changes(frames).mean())
        if energy == 0:
            return still
        blocks, ways = _flow(shrunk(luma(frames), _SIDE).astype(np.float64))
        shares = [_resampled(blocks.sum((1, 2)), self.moments), blocks.sum(0).ravel(), ways]
        angle = np.pi / 2 * energy / (energy + HALF)
        unit = np.concatenate([np.sqrt(s / s.sum()) for s in shares]) / np.sqrt(len(shares))
        return np.append(np.cos(angle), np.sin(angle) * unit)


def _flow(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Energy of change in each block `(t - 1, 4, 4)`, and its sum by direction `(9,)`.

    Directions go from right (0) through down (2) and left (4) to up (6); the last entry holds what
    no flow explains, e.g. flicker.
    """
    down, right = np.gradient((x[1:] + x[:-1]) / 2, axis=(1, 2))
    later = np.diff(x, axis=0)
    pairs = ((right, right), (right, down), (down, down), (right, later), (down, later))
    xx, xy, yy, xt, yt = (_sums(np.multiply(a, b)) for a, b in pairs)
    energy = _sums(np.square(later))
    # A faint ridge: where there is no structure there is no flow.
    ridge = 1e-3 * (xx + yy) + 1e-9
    inverse = 1 / ((xx + ridge) * (yy + ridge) - xy**2)
    u = -((yy + ridge) * xt - xy * yt) * inverse
    v = -((xx + ridge) * yt - xy * xt) * inverse
    told = np.clip(-(u * xt + v * yt), 0, energy)
    place = np.mod(np.arctan2(v, u) * _WAYS / (2 * np.pi), _WAYS)
    lower = np.floor(place).astype(int) % _WAYS
    part = place - np.floor(place)
    ways = np.zeros(_WAYS + 1)
    np.add.at(ways, lower, told * (1 - part))
    np.add.at(ways, (lower + 1) % _WAYS, told * part)
    ways[-1] = (energy - told).sum()
    return energy, ways


def _sums(values: np.ndarray) -> np.ndarray:
    """Over blocks: `(t, 32, 32)` to `(t, 4, 4)`."""
    size = _SIDE // _BLOCK
    return values.reshape(len(values), _BLOCK, size, _BLOCK, size).sum((2, 4))


def _resampled(course: np.ndarray, count: int) -> np.ndarray:
    """A course over time in `count` equal parts, its sum kept."""
    total = np.concatenate([[0.0], np.cumsum(course)])
    at = np.linspace(0, len(course), count + 1)
    return np.diff(np.interp(at, np.arange(len(total)), total))


COMPONENT = Motion
