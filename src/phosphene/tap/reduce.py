"""Reducers: what is kept of an activation, decided when it is seen and never after.

Raw activations of a 14-billion-parameter video model are over a terabyte a run; frame means of the
same are under a gigabyte.
"""

from __future__ import annotations

import abc
import weakref
from collections.abc import MutableMapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.tap.address import Address
from phosphene.tap.layout import Layout


class Reducer(abc.ABC):
    """Turns an activation into what is kept of it."""

    @property
    def needs_layout(self) -> bool:
        """Whether it has to know which token is which part of the picture. A read of all layers
        then leaves out those that hold no picture, as a text refiner's."""
        return False

    @property
    def sees_layout(self) -> bool:
        """Whether it looks at the layout at all. Finding and following it takes a little time."""
        return True

    @property
    def of_maps(self) -> bool:
        """Whether it reduces attention maps, not tokens."""
        return False

    @abc.abstractmethod
    def __call__(self, value: Any, layout: Layout | None, at: Address) -> Any:
        """Reduce.

        Args:
            value: `(samples, tokens, width)` or `(samples, tokens, heads, dim)`; at the
                scheduler's sites, the sample as it is; at maps, an `AttentionMap`.
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
            f"reduce by Tokens, Mean or Mass instead"
        )
    return layout


def host(value: torch.Tensor, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    """On its way to the CPU. From an accelerator of Nvidia's it need not have arrived before
    `landed`: waiting for each would stall the model at every block."""
    return value.detach().to("cpu", dtype, non_blocking=value.is_cuda)


def landed() -> None:
    """Wait for what is on its way."""
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()


@dataclass(frozen=True)
class Keep(Reducer):
    """Everything, `(samples, tokens, width)`, in another dtype if one is named."""

    dtype: torch.dtype = torch.float32

    @property
    def sees_layout(self) -> bool:
        return False

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        kept = host(value, self.dtype)
        return kept.clone() if kept.data_ptr() == value.data_ptr() else kept


@dataclass(frozen=True)
class Mean(Reducer):
    """The mean over all tokens, `(samples, width)`."""

    @property
    def sees_layout(self) -> bool:
        return False

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        return host(value.mean(1, dtype=torch.float32))


@dataclass(frozen=True)
class Tokens(Reducer):
    """Chosen tokens, `(samples, len(which), width)`."""

    which: tuple[int, ...]

    @property
    def sees_layout(self) -> bool:
        return False

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        return host(value.detach()[:, list(self.which)])


@dataclass(frozen=True, eq=False)
class Frames(Reducer):
    """Means over the tokens of each frame, `(samples, frames, groups, width)`.

    Args:
        masks: `(samples or 1, groups, height, width)` in 0..1, parts of the picture at any
            resolution; a frame's mean over each of them is kept. None for the whole picture.
        dtype: of what is kept.
    """

    masks: np.ndarray | None = None
    dtype: torch.dtype = torch.float32
    _weights: MutableMapping[Layout, torch.Tensor] = field(
        default_factory=weakref.WeakKeyDictionary, init=False, repr=False
    )

    @property
    def needs_layout(self) -> bool:
        return True

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> torch.Tensor:
        layout = known(layout, at)
        start = layout.in_order if self.masks is None else None
        if start is not None:
            n = layout.frames * layout.rows * layout.columns
            tokens = value.narrow(1, start, n).unflatten(1, (layout.frames, -1))
            mean = tokens.sum(2, dtype=torch.float32) / tokens.shape[2]
            return host(mean.unsqueeze(2), self.dtype)
        weights = self._weights.get(layout)
        if weights is None or weights.device != value.device:
            weights = layout.weights(self.masks).to(value.device)
            self._weights[layout] = weights
        if len(weights) not in (1, len(value)):
            raise PhospheneError(f"{len(weights)} masks for {len(value)} samples; give one each")
        rounded = weights.to(value.dtype).expand(len(value), -1, -1, -1).flatten(1, 2)
        pooled = torch.bmm(rounded, value.detach().flatten(2)).float()
        # In half precision the rounded weights no longer sum to one.
        pooled = pooled / rounded.sum(-1, keepdim=True, dtype=torch.float32)
        return host(
            pooled.unflatten(-1, value.shape[2:]).unflatten(1, (layout.frames, -1)), self.dtype
        )


@dataclass(eq=False)
class Moments(Reducer):
    """Running mean and variance over samples, tokens and runs, `(width,)` at each address; nothing
    is kept of a single run.

    References:
        Updating Formulae and a Pairwise Algorithm for Computing Sample Variances (Chan, Golub,
        LeVeque, 1979).
    """

    sums: dict[Address, tuple[int, torch.Tensor, torch.Tensor]] = field(default_factory=dict)

    @property
    def sees_layout(self) -> bool:
        return False

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> None:
        rows = value.detach().double().flatten(0, -2)
        n, mean = len(rows), rows.mean(0)
        spread = (rows - mean).square().sum(0).cpu()
        mean = mean.cpu()
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

    @property
    def needs_layout(self) -> bool:
        return self.of.needs_layout

    @property
    def sees_layout(self) -> bool:
        return self.of.sees_layout

    @property
    def of_maps(self) -> bool:
        return self.of.of_maps

    def __call__(self, value: Any, layout: Layout | None, at: Address) -> None:
        from safetensors.torch import save_file

        kept = self.of(value, layout, at)
        if kept is not None:
            landed()
            self.directory.mkdir(parents=True, exist_ok=True)
            save_file({"value": kept.contiguous()}, self.path(at))

    def path(self, at: Address) -> Path:
        """The file of an address."""
        place = f"{at.step:04d}-{at.branch}-{at.layer:03d}-{at.site}-{at.stream}-{at.call}"
        return self.directory / f"{self.run:06d}-{place}.safetensors"

    def load(self, at: Address) -> torch.Tensor:
        """What was kept at an address."""
        from safetensors.torch import load_file

        return load_file(self.path(at))["value"]
