"""Changes of a thought: what a do-intervention feeds in its place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from phosphene.minds.task import TextProblem

Kind = Literal["zero", "mean", "twin", "other"]
KINDS: tuple[Kind, ...] = ("zero", "mean", "twin", "other")


def changed(kind: Kind, clean: torch.Tensor, twin: torch.Tensor) -> torch.Tensor:
    """What takes the place of each thought.

    Args:
        kind: zero; mean, of the same thought over the other problems of the batch; twin, the twin's
            thought; other, that of another problem of the batch.
        clean, twin: `(thoughts, b, d)`, what the problems and their twins think.

    Returns:
        `(thoughts, b, d)`.
    """
    if kind == "zero":
        return torch.zeros_like(clean)
    if kind == "mean":
        return others_mean(clean)
    return twin if kind == "twin" else clean.roll(1, 1)


def others_mean(clean: torch.Tensor) -> torch.Tensor:
    """Mean over the other problems of a batch, `(thoughts, b, d)`."""
    return (clean.sum(1, keepdim=True) - clean) / (clean.shape[1] - 1)


def jolted(
    clean: torch.Tensor, changed: torch.Tensor, problems: Sequence[TextProblem], salt: int = 0
) -> torch.Tensor:
    """The placebo of a change: as far from the clean thoughts, in a random direction.

    Args:
        clean, changed: `(thoughts, b, d)`.
        problems: `(b,)`; the direction depends on (salt, problem, thought) alone.
    """
    far = (changed - clean).float().norm(dim=-1, keepdim=True)
    way = torch.stack(
        [
            torch.stack([_direction(clean.shape[-1], p.seed, salt, t) for p in problems])
            for t in range(len(clean))
        ]
    ).to(clean.device)
    return clean + (far * way).to(clean)


def _direction(width: int, *key: int) -> torch.Tensor:
    drawn = np.random.default_rng([abs(k) for k in key]).standard_normal(width, dtype=np.float32)
    return torch.from_numpy(drawn / np.linalg.norm(drawn))
