"""Twin: the same network with its weights shuffled, which has learned nothing.

Each tensor keeps its entries and loses their order, so a twin of an untrained network is one more
draw of the same kind: whatever singles a network out among its twins, it has learned.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import Any

import torch

from phosphene.tap.anatomy import denoisers


@contextlib.contextmanager
def shuffled(pipeline: Any, seed: int) -> Iterator[None]:
    """Inside, the entries of each weight tensor of the denoisers are in another order; afterwards
    they are where they were, bit by bit. No copy of the weights is kept.

    Args:
        pipeline: a loaded diffusers pipeline.
        seed: of the order.
    """
    weights = [w for part in denoisers(pipeline).values() for w in part.parameters()]
    done = 0
    try:
        for number, weight in enumerate(weights):
            flat = weight.data.reshape(-1)
            weight.data.copy_(flat[_order(weight, seed, number)].view_as(weight))
            done = number + 1
        yield
    finally:
        for number, weight in enumerate(weights[:done]):
            back = torch.empty_like(weight.data.reshape(-1))
            back[_order(weight, seed, number)] = weight.data.reshape(-1)
            weight.data.copy_(back.view_as(weight))


def _order(weight: torch.Tensor, seed: int, number: int) -> torch.Tensor:
    generator = torch.Generator().manual_seed(seed * 1_000_003 + number)
    return torch.randperm(weight.numel(), generator=generator).to(weight.device)
