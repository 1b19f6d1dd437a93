"""Muon in the parameters' own precision.

torch.optim.Muon orthogonalises in bfloat16, which a CPU without bf16 units emulates about a hundred
times slower than float32: there one optimiser step would cost more than the batch.
"""

from __future__ import annotations

import math
from collections.abc import Iterable

import torch


class Muon(torch.optim.Optimizer):
    """Momentum whose update is orthogonalised, for weight matrices.

    Args:
        params: 2-d parameters.
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
            for p in group["params"]:
                if p.grad is None:
                    continue
                state = self.state[p]
                if not state:
                    state["momentum"] = torch.zeros_like(p)
                state["momentum"].lerp_(p.grad, 1 - group["momentum"])
                update = orthogonal(p.grad.lerp(state["momentum"], group["momentum"]))
                p.mul_(1 - group["lr"] * group["weight_decay"])
                p.add_(update, alpha=-group["lr"] * 0.2 * math.sqrt(max(p.shape)))


def orthogonal(matrix: torch.Tensor, steps: int = 5) -> torch.Tensor:
    """The nearest (semi-)orthogonal matrix, roughly: singular values land in about 0.7..1.2.

    Quintic Newton-Schulz: X <- aX + (bA + cA^2)X with A = XX^T.
    """
    a, b, c = 3.4445, -4.7750, 2.0315
    x = matrix.T if matrix.shape[0] > matrix.shape[1] else matrix
    x = x / (x.norm() + 1e-7)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if matrix.shape[0] > matrix.shape[1] else x
