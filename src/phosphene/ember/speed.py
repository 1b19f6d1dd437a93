"""Speed: what an example costs in arithmetic, and what the machine could do."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from phosphene.ember.network import EmberTransformer

# Dense bfloat16 peaks of the makers' data sheets, FLOP/s, by a part of the device's name.
PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12}


def multiplies_bf16() -> bool:
    """Whether training gains from bfloat16: many CPUs emulate it a hundredfold slower."""
    return torch.cuda.is_available() or torch.cpu._is_avx512_bf16_supported()


@contextmanager
def plain_attention() -> Iterator[None]:
    """On a CPU, attention as two matrix products, which are faster for few tokens than flash
    attention is (23 against 39 ms, 32 x 4 heads x 207 tokens x 32, forward and backward)."""
    if torch.cuda.is_available():
        yield
        return
    before = torch.backends.cuda.fp16_bf16_reduction_math_sdp_allowed()
    torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(True)
    try:
        with sdpa_kernel(SDPBackend.MATH):
            yield
    finally:
        torch.backends.cuda.allow_fp16_bf16_reduction_math_sdp(before)


def training_flops(model: EmberTransformer, frames: int) -> float:
    """FLOPs of one training example of that many frames: forward and twice as much backward.

    6 x weights x places for each linear and convolutional layer, and 12 x tokens^2 x dim for each
    attention (two products of 2 tokens^2 dim, three times). The first frame alone counts as given:
    the others are drawn.
    """
    config: Any = model.config
    patches = (config.size // model.PATCH) ** 2
    tokens = frames * (patches + 1) + config.text_length
    blocks = _weights(model.transformer_blocks) * tokens
    sounds = (_weights(model.audio_in) + _weights(model.audio_out)) * frames
    eye, hand, drawn = model.eye, model.hand, frames - 1
    halves, quarters = 16 * patches, 4 * patches
    seen = _weights(eye.to_half) * halves + (_weights(eye.to_fine) + _weights(eye.conv)) * quarters
    seen = (seen + _weights(eye.to_tokens) * patches) * frames
    seen += _weights(eye.study) * quarters * eye.looks
    fine = sum(map(_weights, (hand.fine_in, hand.conv1, hand.conv2, hand.to_half)))
    half = sum(map(_weights, (hand.half_in, hand.conv3, hand.to_pixels)))
    made = _weights(hand.from_tokens) * patches + fine * quarters + half * halves
    attention = 12 * tokens**2 * config.dim * config.depth
    return 6.0 * (blocks + sounds + seen + made * drawn) + attention


def _weights(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.ndim > 1)


def peak(device: torch.device, bf16: bool) -> tuple[float, str]:
    """FLOP/s the device could reach in this run's precision, and where the figure comes from."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for part, flops in PEAKS.items():
            if part in name:
                return flops, f"{name}, bf16 peak of its data sheet"
        return _measured(device, torch.bfloat16), f"{name}, measured bf16 matrix product"
    kind = torch.bfloat16 if bf16 else torch.float32
    return _measured(device, kind), f"measured {str(kind)[6:]} matrix product"


def _measured(device: torch.device, dtype: torch.dtype) -> float:
    """FLOP/s of the fastest of several square matrix products; others may use the machine too."""
    n = 8192 if device.type == "cuda" else 1024
    a = torch.ones(n, n, device=device, dtype=dtype)
    best = float("inf")
    for _ in range(24):
        start = time.perf_counter()
        product = a @ a
        # Reading a number waits for the device.
        product[0, 0].item()
        best = min(best, time.perf_counter() - start)
    return 2 * n**3 / best
