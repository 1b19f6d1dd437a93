"""Noise that depends on (seed, example) alone: the same on every device, in every batch.

A counter goes in and a random number comes out, so nothing is remembered between steps.

References:
    Parallel Random Numbers: As Easy as 1, 2, 3 (Salmon, Moraes, Dror, Shaw, 2011): Philox 4x32-10.
"""

from __future__ import annotations

import math

import torch

_WORD = 0xFFFFFFFF
_MULTIPLIERS = (0xD2511F53, 0xCD9E8D57)
_STEPS = (0x9E3779B9, 0xBB67AE85)


def philox(counter: tuple[torch.Tensor, ...], key: tuple[int, int]) -> tuple[torch.Tensor, ...]:
    """Four random 32-bit words for each counter of four 32-bit words, all held in int64."""
    a, b, c, d = counter
    k, m = key
    for _ in range(10):
        # Products wrap at 64 bits, which leaves both halves right.
        first, second = a * _MULTIPLIERS[0], c * _MULTIPLIERS[1]
        high, higher = (first >> 32) & _WORD, (second >> 32) & _WORD
        a, b, c, d = higher ^ b ^ k, second & _WORD, high ^ d ^ m, first & _WORD
        k, m = (k + _STEPS[0]) & _WORD, (m + _STEPS[1]) & _WORD
    return a, b, c, d


def _words(seed: int, indices: torch.Tensor, stream: int, blocks: int) -> tuple[torch.Tensor, ...]:
    """Random words, four of shape `(b, blocks)`."""
    place = torch.arange(blocks, device=indices.device)[None, :]
    zero = torch.zeros_like(place) + 0 * indices[:, None]
    low, high = (indices & _WORD)[:, None] + zero, (indices >> 32)[:, None] + zero
    key = (seed & _WORD, (seed >> 32) & _WORD)
    return philox((place + zero, low, high, zero + stream), key)


def uniform(seed: int, indices: torch.Tensor, stream: int, count: int) -> torch.Tensor:
    """Numbers in 0..1, both excluded, float32 `(b, count)`.

    Args:
        seed: of the run.
        indices: int64 `(b,)`, the examples' numbers; the result lives on their device.
        stream: tells the uses of one example's noise apart.
        count: how many for each example.
    """
    words = torch.stack(_words(seed, indices, stream, -(-count // 4)), -1).flatten(1)[:, :count]
    # The upper 23 bits and a half: exact in float32, never 0 nor 1.
    return ((words >> 9).float() + 0.5) * 2.0**-23


def normal(seed: int, indices: torch.Tensor, stream: int, count: int) -> torch.Tensor:
    """Standard normal numbers, float32 `(b, count)`, by Box and Muller; see `uniform`."""
    u = uniform(seed, indices, stream, 2 * (-(-count // 2)))
    radius, angle = (-2 * u[:, ::2].log()).sqrt(), 2 * math.pi * u[:, 1::2]
    return torch.stack([radius * angle.cos(), radius * angle.sin()], -1).flatten(1)[:, :count]
