"""Patching: activations of one run put into another, sample by sample."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.subject import Observation
from phosphene.tap import Address, Edit
from phosphene.tap.address import Site

Values = Mapping[Address, torch.Tensor]


def together(seen: Sequence[Observation]) -> dict[Address, torch.Tensor]:
    """Values of several samples, the samples' axis in front."""
    return {at: torch.stack([o.values[at] for o in seen]) for at in seen[0].values}


def graft(
    site: Site,
    values: Values,
    tokens: np.ndarray,
    layers: Collection[int] | None = None,
    steps: Collection[int] | None = None,
) -> Edit:
    """Puts the values' tokens in the place of the run's own.

    Args:
        values: of the donors, in the order of the samples to be changed.
        tokens: bool `(samples, tokens)`: which.
    """
    chosen = torch.as_tensor(tokens)

    def change(value: torch.Tensor, at: Address) -> torch.Tensor:
        new = _of(values, at, value)
        return torch.where(chosen[..., None].to(value.device), new, value)

    return Edit(site, change, layers, steps)


def jolt(
    site: Site,
    values: Values,
    tokens: np.ndarray,
    seeds: Sequence[int],
    layers: Collection[int] | None = None,
    steps: Collection[int] | None = None,
) -> Edit:
    """The placebo of `graft`: each token moves as far as it would there, in a random direction.

    Args:
        seeds: of the direction, one a sample.
    """
    chosen = torch.as_tensor(tokens)

    def change(value: torch.Tensor, at: Address) -> torch.Tensor:
        far = (_of(values, at, value) - value).float().norm(dim=-1, keepdim=True)
        way = torch.stack([_noise(value[i].shape, s, at) for i, s in enumerate(seeds)]).to(far)
        moved = value + (far * way / way.norm(dim=-1, keepdim=True)).to(value)
        return torch.where(chosen[..., None].to(value.device), moved, value)

    return Edit(site, change, layers, steps)


def _of(values: Values, at: Address, value: torch.Tensor) -> torch.Tensor:
    if at not in values or values[at].shape != value.shape:
        held = tuple(values[at].shape) if at in values else "nothing"
        raise PhospheneError(
            f"the runs of a pair don't match at {at}: {held} against {tuple(value.shape)}; probe "
            f"with batch 1"
        )
    return values[at].to(value)


def _noise(shape: torch.Size, seed: int, at: Address) -> torch.Tensor:
    """Normal noise that depends on the seed and the address alone."""
    branch = sum(map(ord, at.branch))
    draw = np.random.default_rng([seed, at.step, at.layer + 1, branch])
    return torch.from_numpy(draw.standard_normal(tuple(shape), dtype=np.float32))
