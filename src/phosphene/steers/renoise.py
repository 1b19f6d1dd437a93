"""Renoise: part of a sample's noise is drawn anew on the way."""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from phosphene.errors import PhospheneError
from phosphene.exploring.latents import Latest
from phosphene.request import Request
from phosphene.steer import Steer, number, salted, shares
from phosphene.tap import Address, Edit, Read, Tap


@dataclass(frozen=True)
class Renoise(Steer):
    """A norm-preserving step of the noise in x_t, at the start of one step of the scheduler.

        x_t = a x0 + s e,    e = (x_t - a x0) / s,    x_t' = a x0 + s (sqrt(1 - b^2) e + b e')

    x0 is what the step before expected. What shares all steps before it branches here, on samplers
    without randomness too. Parts of a sample that are given (x0 = x_t) stay as they are.

    Args:
        step: number of the step, at least 1: before that, change the starting noise.
        b: 0 (nothing changes) to 1 (nothing is left of the noise).
        seed: of e', drawn on the CPU in fp32, for each stream by itself.

    References:
        MCMC Methods for Functions (Cotter et al., 2013), https://arxiv.org/abs/1202.0709
        Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps (Ma et al.,
        2025), search over paths, https://arxiv.org/abs/2501.09732
    """

    step: int
    b: float
    seed: int

    name: ClassVar[str] = "renoise"

    def __post_init__(self) -> None:
        number(self.name, "step", self.step, 1, whole=True)
        number(self.name, "b", self.b, 0, 1)
        number(self.name, "seed", self.seed, 0, 2**63 - 1, whole=True)

    @classmethod
    @contextlib.contextmanager
    def applied(
        cls, rows: Sequence[Renoise], pipeline: Any, requests: Sequence[Request]
    ) -> Iterator[None]:
        due = {row.step for row in rows}
        held = Latest()

        def change(x: torch.Tensor, at: Address) -> torch.Tensor:
            due.discard(at.step)
            if all(row.step != at.step for row in rows):
                return x
            a, s = (torch.as_tensor(v, dtype=torch.float32) for v in tap.mixture())
            x0 = held.values[at.stream].to(x.device)
            here = [row if row.step == at.step else None for row in rows]
            return renoised(x, x0, a.to(x.device), s.to(x.device), here, at.stream)

        with Tap(pipeline, [Read("x0", held)], [Edit("x_t", change)], runs=len(rows)) as tap:
            yield
        if due and tap.calls:
            raise PhospheneError(
                f"renoise at step {max(due)} can't be honoured: the run has no step after that; "
                f"ask for an earlier one"
            )


def renoised(
    x: torch.Tensor,
    x0: torch.Tensor,
    a: torch.Tensor,
    s: torch.Tensor,
    rows: Sequence[Renoise | None],
    stream: int,
) -> torch.Tensor:
    """x_t' of a batch `(samples * n, ...)`; samples without a row stay as they are.

    Args:
        x, x0: shaped alike.
        a, s: scalars, or shaped so that they multiply x.
        stream: salts the seeds, so that sound and pictures draw differently.
    """
    old = (x.float() - a * x0) / s.clamp_min(1e-6)
    parts = []
    for now, e, clean, row in zip(*(shares(v, len(rows)) for v in (x, old, x0)), rows, strict=True):
        if row is None:
            parts.append(now)
            continue
        generator = torch.Generator().manual_seed(salted(row.seed, stream))
        fresh = torch.randn(tuple(e.shape), generator=generator, dtype=torch.float32).to(e.device)
        moved = now + s * ((math.sqrt(1 - row.b**2) - 1) * e + row.b * fresh)
        parts.append(torch.where(now == clean, now, moved).to(x))
    return torch.cat(parts).reshape(x.shape)


COMPONENT = Renoise
