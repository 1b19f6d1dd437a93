"""Sound as a lapped cosine transform: invertible, orthonormal, one row of numbers a video frame."""

from __future__ import annotations

import math
from functools import cache

import torch


@cache
def _basis(hop: int) -> torch.Tensor:
    """MDCT basis with a sine window, float32 `(2 * hop, hop)`; its columns are orthonormal.

    c_k = sqrt(2/N) sum_n w_n x_n cos(pi/N (n + 1/2 + N/2)(k + 1/2)), N = hop.

    References:
        Subband/Transform Coding Using Filter Bank Designs Based on Time Domain Aliasing
        Cancellation (Princen, Johnson, Bradley, 1987).
    """
    n = torch.arange(2 * hop, dtype=torch.float64)[:, None]
    k = torch.arange(hop, dtype=torch.float64)[None, :]
    window = torch.sin(math.pi / (2 * hop) * (n + 0.5))
    wave = torch.cos(math.pi / hop * (n + 0.5 + hop / 2) * (k + 0.5))
    return (math.sqrt(2 / hop) * window * wave).float()


def to_rows(audio: torch.Tensor, frames: int, hop: int) -> torch.Tensor:
    """`(b, samples)` to `(b, frames, samples / frames)`.

    Exactly invertible where the last `hop` samples are silent: nothing overlaps them.

    Raises:
        ValueError: samples is no multiple of frames * hop.
    """
    samples = audio.shape[-1]
    if samples % (frames * hop):
        raise ValueError(f"{samples} samples don't divide into {frames} frames of hops of {hop}")
    blocks = torch.nn.functional.pad(audio, (hop, 0)).unfold(-1, 2 * hop, hop)
    rows = blocks @ _basis(hop).to(audio)
    return rows.reshape(len(audio), frames, samples // frames)


def from_rows(rows: torch.Tensor, hop: int) -> torch.Tensor:
    """`(b, frames, n)` back to audio `(b, frames * n)`: the transpose of `to_rows`."""
    blocks = rows.reshape(len(rows), -1, hop) @ _basis(hop).to(rows).T
    first, second = blocks.split(hop, -1)
    # Block k starts a hop before sample k * hop, so its second half lands on hop k.
    late = torch.nn.functional.pad(first, (0, 0, 0, 1))[:, 1:]
    return (second + late).reshape(len(rows), -1)
