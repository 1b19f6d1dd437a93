"""Repel: samples are pushed away from what was made before."""

from __future__ import annotations

import contextlib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from phosphene.errors import PhospheneError
from phosphene.exploring import latents
from phosphene.request import Request
from phosphene.steer import Steer, number, shares
from phosphene.tap import Address, Edit, Tap

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Repel(Steer):
    """Sparse repulsion: the expected clean sample leaves the balls around given points.

        x0' = x0 + sum_i relu(r / |x0 - z_i| - 1) (x0 - z_i)

    A sample inside one ball alone lands on its surface; outside of all it is left as it is. The
    prediction is changed so that it implies x0': x0 is affine in it, element by element.

    Args:
        radius: of the balls, in root mean square differences of an element, so that it does not
            depend on the size of the latent.
        share: of the steps, from the first on, in which it acts.
        points: names of latents of the main stream (`phosphene.exploring.latents`).

    References:
        Sparse Repellency for Shielded Generation in Text-to-image Diffusion Models (Kirchhof et
        al., 2024), equation 5, https://arxiv.org/abs/2410.06025
    """

    radius: float
    points: Sequence[str]
    share: float = 0.6

    name: ClassVar[str] = "repel"

    def __post_init__(self) -> None:
        number(self.name, "radius", self.radius, 0)
        number(self.name, "share", self.share, 0, 1)
        for point in self.points:
            if not isinstance(point, str) or not _DIGEST.fullmatch(point):
                raise PhospheneError(f"points of 'repel' are SHA-256 digests; got {point!r}")

    @classmethod
    @contextlib.contextmanager
    def applied(
        cls, rows: Sequence[Repel], pipeline: Any, requests: Sequence[Request]
    ) -> Iterator[None]:
        points = [[latents.load(p) for p in row.points] for row in rows]

        def change(prediction: torch.Tensor, at: Address) -> torch.Tensor:
            total = len(pipeline.scheduler.timesteps)
            active = [at.step < row.share * total for row in rows]
            if at.stream or not any(active):
                return prediction
            x0 = tap.expected(prediction)
            pushes = [
                push(own, near, row.radius) if on else torch.zeros_like(own)
                for own, near, row, on in zip(
                    shares(x0, len(rows)), points, rows, active, strict=True
                )
            ]
            return _implying(tap, prediction, torch.cat(pushes).reshape(x0.shape))

        with Tap(pipeline, edits=[Edit("prediction", change)], runs=len(rows)) as tap:
            yield


def push(x0: torch.Tensor, points: Sequence[torch.Tensor], radius: float) -> torch.Tensor:
    """What is added to one sample `(n, ...)`, n rows of the batch being its own.

    Raises:
        PhospheneError: a point of another shape.
    """
    out = torch.zeros_like(x0)
    for point in points:
        if point.numel() != x0.numel():
            raise PhospheneError(
                f"a point of repulsion has shape {tuple(point.shape)}, the sample "
                f"{tuple(x0.shape[1:])}; points must be of the same size and length"
            )
        away = x0 - point.to(x0).reshape(x0.shape)
        distance = away.square().mean().sqrt().clamp_min(1e-6)
        out += torch.relu(radius / distance - 1) * away
    return out


def _implying(tap: Tap, prediction: torch.Tensor, push: torch.Tensor) -> torch.Tensor:
    """The prediction whose clean sample is moved by `push`."""
    whole = prediction.float()
    one, none = tap.expected(torch.ones_like(whole)), tap.expected(torch.zeros_like(whole))
    slope = one - none
    change = torch.where(slope.abs() > 1e-4, push / slope, 0.0)
    if change.shape != prediction.shape:  # the second half of the channels is a learned variance
        change = torch.cat([change, torch.zeros_like(change)], 1)
    return whole + change


COMPONENT = Repel
