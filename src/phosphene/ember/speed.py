"""Speed: what an example costs in arithmetic, and what the machine could do."""

from __future__ import annotations

import time
from typing import Any

import torch

from phosphene.ember.network import EmberTransformer

# Dense bfloat16 peaks of the makers' data sheets, FLOP/s, by a part of the device's name.
PEAKS = {"H200": 989e12, "H100 PCIe": 756e12, "H100": 989e12, "A100": 312e12}


def training_flops(model: EmberTransformer, frames: int) -> float:
    """FLOPs of one training example of that many frames: forward and twice as much backward.

    6 x weights x places for each linear and convolutional layer, and 12 x tokens^2 x dim for each
    attention (two products of 2 tokens^2 dim, three times).
    """
    config: Any = model.config
    patches = (config.size // model.PATCH) ** 2
    tokens = frames * (patches + 1) + config.text_length
    blocks = _weights(model.transformer_blocks) * tokens
    pictures = (_weights(model.patch_in) + _weights(model.patch_out)) * frames * patches
    sounds = (_weights(model.audio_in) + _weights(model.audio_out)) * frames
    stem, side = 0, config.size
    for layer in model.stem.layers:
        if isinstance(layer, torch.nn.Conv2d):
            side //= 2
            stem += layer.weight.numel() * side**2 * frames
    attention = 12 * tokens**2 * config.dim * config.depth
    return 6.0 * (blocks + pictures + sounds + stem) + attention


def _weights(module: torch.nn.Module) -> int:
    return sum(p.numel() for p in module.parameters() if p.ndim > 1)


def peak(device: torch.device) -> tuple[float, str]:
    """FLOP/s the device could reach in this run's precision, and where the figure comes from."""
    if device.type == "cuda":
        name = torch.cuda.get_device_name(device)
        for part, flops in PEAKS.items():
            if part in name:
                return flops, f"{name}, bf16 peak of its data sheet"
        return _measured(device, torch.bfloat16), f"{name}, measured bf16 matrix product"
    return _measured(device, torch.float32), "measured float32 matrix product"


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
