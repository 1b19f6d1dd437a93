"""Muon in float32 on CPUs.

torch.optim.Muon orthogonalises in bfloat16, which a CPU without bf16 units emulates about a hundred
times slower than float32: there one optimiser step would cost more than the batch. Matrices of one
shape are taken together, since a GPU is slow at many small products.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for weight matrices.

    Args:
        params: matrices, and convolutions, each as a matrix of a row for each channel it makes.
        lr: learning rate; the update is scaled to the size AdamW's would have, so rates carry over.
        weight_decay: decoupled.
        momentum: Nesterov momentum.

    References:
        Muon: An optimizer for hidden layers in neural networks (Jordan et al., 2024),
        https://kellerjordan.github.io/posts/muon/
        Muon is Scalable for LLM Training (Liu et al., 2025), https://arxiv.org/abs/2502.16982
    """

    def __init__(
        self,
        params: Iterable[torch.nn.Parameter],
        lr: float = 1e-3,
        weight_decay: float = 0.01,
        momentum: float = 0.95,
    ) -> None:
        super().__init__(params, {"lr": lr, "weight_decay": weight_decay, "momentum": momentum})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        for group in self.param_groups:
            alike: dict[torch.Size, list[torch.nn.Parameter]] = {}
            for p in group["params"]:
                if p.grad is not None:
                    alike.setdefault(p.shape, []).append(p)
            for shape, same in alike.items():
                ahead = torch.stack([self._momentum(p, group).flatten(1) for p in same])
                updates = orthogonal(ahead)
                rate = group["lr"] * 0.2 * math.sqrt(max(ahead.shape[1:]))
                for p, update in zip(same, updates, strict=True):
                    p.mul_(1 - group["lr"] * group["weight_decay"])
                    p.add_(update.view(shape), alpha=-rate)

    def _momentum(self, p: torch.nn.Parameter, group: dict) -> torch.Tensor:
        """The gradient of the step to come, as Nesterov looks ahead."""
        assert p.grad is not None
        state = self.state[p]
        if not state:
            state["momentum"] = torch.zeros_like(p)
        state["momentum"].lerp_(p.grad, 1 - group["momentum"])
        return p.grad.lerp(state["momentum"], group["momentum"])


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest (semi-)orthogonal matrix, roughly: singular values land in about 0.7..1.2.

    Quintic Newton-Schulz: X <- aX + (bA + cA^2)X with A = XX^T. A stack `(n, rows, columns)` is
    taken matrix by matrix.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    tall = matrix.shape[-2] > matrix.shape[-1]
    x = matrix.mT if tall else matrix
    if x.is_cuda:
        x = x.bfloat16()
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.mT
        x = a * x + (b * gram + c * gram @ gram) @ x
    return (x.mT if tall else x).to(matrix.dtype)
