"""Reducers: what is kept of an activation, decided when it is seen and never after.

Raw activations of a 14-billion-parameter video model are over a terabyte a run; frame means of the
same are under a gigabyte.
"""

from __future__ import annotations

import abc
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.tap.address import Address
from phosphene.tap.layout import Layout


class Reducer(abc.ABC):
    """Turns an activation into what is kept of it.

    Class attributes:
        NEEDS_LAYOUT: it has to know which token is which part of the picture. A read of all layers
            then leaves out those that hold no picture, as a text refiner's.
    """

    NEEDS_LAYOUT: ClassVar[bool] = False

    @abc.abstractmethod
    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> Any:
        """Reduce.

        Args:
            value: `(samples, tokens, width)`; at the scheduler's sites, the sample as it is.
            layout: where its tokens lie in the picture; None where that isn't known.
            at: its address.

        Returns:
            a new tensor whose first axis counts samples, or None where nothing is kept.
        """


def known(layout: Layout | None, at: Address) -> Layout:
    """The layout, where there is one.

    Raises:
        PhospheneError: it isn't known which token is which part of the picture.
    """
    if layout is None:
        raise PhospheneError(
            f"it can't be told which tokens of layer {at.layer} ({at.site}) belong to which frame; "
            f"reduce by Tokens or Mean instead"
        )
    return layout


@dataclass(frozen=True)
class Keep(Reducer):
    """Everything, `(samples, tokens, width)`, in another dtype if one is named."""

    dtype: torch.dtype = torch.float32

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        return value.detach().to("cpu", self.dtype, copy=True)


@dataclass(frozen=True)
class Mean(Reducer):
    """The mean over all tokens, `(samples, width)`."""

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        return value.detach().float().mean(1).cpu()


@dataclass(frozen=True)
class Tokens(Reducer):
    """Chosen tokens, `(samples, len(which), width)`."""

    which: tuple[int, ...]

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        return value.detach()[:, list(self.which)].float().cpu()


@dataclass(frozen=True, eq=False)
class Frames(Reducer):
    """Means over the tokens of each frame, `(samples, frames, groups, width)`.

    Args:
        masks: `(samples or 1, groups, height, width)` in 0..1, parts of the picture at any
            resolution; a frame's mean over each of them is kept. None for the whole picture.
        dtype: of what is kept.
    """

    NEEDS_LAYOUT = True

    masks: np.ndarray | None = None
    dtype: torch.dtype = torch.float32

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        weights = known(layout, at).weights(self.masks).to(value)
        if len(weights) not in (1, len(value)):
            raise PhospheneError(f"{len(weights)} masks for {len(value)} samples; give one each")
        weights = weights.expand(len(value), -1, -1, -1).flatten(1, 2)
        pooled = torch.bmm(weights, value.detach()).unflatten(1, (known(layout, at).frames, -1))
        return pooled.to("cpu", self.dtype)


@dataclass(eq=False)
class Moments(Reducer):
    """Running mean and variance over samples, tokens and runs, `(width,)` at each address; nothing
    is kept of a single run.

    References:
        Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (Chan, Golub,
        LeVeque, 1979).
    """

    sums: dict[Address, tuple[int, torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> None:
        rows = value.detach().double().flatten(0, -2).cpu()
        n, mean = len(rows), rows.mean(0)
        spread = (rows - mean).square().sum(0)
        if at in self.sums:
            m, before, scatter = self.sums[at]
            step = mean - before
            spread = scatter + spread + step.square() * (m * n / (m + n))
            mean, n = before + step * (n / (m + n)), m + n
        self.sums[at] = (n, mean, spread)

    def result(self, at: Address) -> tuple[int, torch.Tensor, torch.Tensor]:
        """Count, mean and variance (by n - 1) at an address."""
        n, mean, spread = self.sums[at]
        return n, mean, spread / max(n - 1, 1)


@dataclass(eq=False)
class Spill(Reducer):
    """Writes what another reducer keeps to safetensors files, one an address, and keeps nothing.

    Args:
        directory: where; a run's files are replaced by the next run's of the same number.
        of: what to keep.
        run: number that the files' names begin with.
    """

    directory: Path
    of: Reducer
    run: int = 0

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> None:
        from safetensors.torch import save_file

        kept = self.of(value, layout, at)
        if kept is not None:
            self.directory.mkdir(parents=True, exist_ok=True)
            save_file({"value": kept.contiguous()}, self.path(at))

    def path(self, at: Address) -> Path:
        """The file of an address."""
        name = f"{self.run:06d}-{at.step:04d}-{at.branch}-{at.layer:03d}-{at.site}-{at.stream}"
        return self.directory / f"{name}.safetensors"

    def load(self, at: Address) -> torch.Tensor:
        """What was kept at an address."""
        from safetensors.torch import load_file

        return load_file(self.path(at))["value"]


def stack(values: Sequence[torch.Tensor]) -> torch.Tensor:
    """Values of several runs, one after another along the samples' axis."""
    return torch.cat(list(values))
