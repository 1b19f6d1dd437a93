"""Latents: which part of a scheduler's sample is which frame and place of the picture."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.tap import Layout
from phosphene.tap.layout import coverage


@dataclass(frozen=True, eq=False)
class Latents:
    """The places of one sample `x_t`, without the samples' axis.

    Args:
        shape: of the sample.
        frame_axis: of `(c, f, h, w)` or `(f, c, h, w)`; None for a single picture `(c, h, w)` and
            for packed patches `(n, c)`.
        packed: layout of the patches of a packed sample.
        first: number of the first latent frame that the sample holds: 1 where the pipeline keeps a
            given frame back from its scheduler.
    """

    shape: tuple[int, ...]
    frame_axis: int | None
    packed: Layout | None
    first: int

    @property
    def frames(self) -> list[int]:
        """Numbers of the latent frames it holds."""
        if self.packed is not None:
            return list(range(self.first, self.first + self.packed.frames))
        count = 1 if self.frame_axis is None else self.shape[self.frame_axis]
        return list(range(self.first, self.first + count))

    def select(
        self, frames: Collection[int] | None = None, mask: np.ndarray | None = None
    ) -> torch.Tensor:
        """Bool, of the sample's shape: the part in some frames and within a mask.

        Args:
            frames: their numbers; None for all.
            mask: bool `(height, width)` of the picture; a latent is within it if half of it is, or,
                where none is, the one covered most.
        """
        wanted = [f - self.first for f in (self.frames if frames is None else frames)]
        wanted = [f for f in wanted if f >= 0]
        everywhere = np.ones((1, 1), bool) if mask is None else mask
        if self.packed is not None:
            chosen = self.packed.inside(everywhere, wanted)
            return torch.from_numpy(chosen)[:, None].expand(self.shape)
        share = coverage(everywhere[None, None], *self.shape[-2:])[0, 0]
        inside = torch.from_numpy(share >= min(0.5, float(share.max())))
        out = inside.expand(self.shape)
        if self.frame_axis is None:
            return out if 0 in wanted else torch.zeros_like(out)
        here = torch.zeros(self.shape[self.frame_axis], dtype=torch.bool)
        here[wanted] = True
        tail = [1] * (len(self.shape) - self.frame_axis - 1)
        return out & here.reshape(-1, *tail)


def locate(sample: torch.Tensor, layout: Layout) -> Latents:
    """Find the frames of a sample by the number of frames that the denoiser's tokens have.

    Args:
        sample: `x_t` of one sample as read at the scheduler, without the samples' axis.
        layout: of the denoiser's tokens.

    Raises:
        PhospheneError: it can't be told which axis counts frames.
    """
    shape = tuple(sample.shape)
    if len(shape) == 2:
        return _packed(shape, layout)
    if len(shape) == 3 and layout.frames == 1:
        return Latents(shape, None, None, 0)
    if len(shape) == 4:
        for first in (0, 1):
            axes = [a for a in (0, 1) if shape[a] == layout.frames - first]
            if len(axes) == 1:
                return Latents(shape, axes[0], None, first)
            if axes:
                break
    raise PhospheneError(
        f"it can't be told which axis of x_t {shape} counts the {layout.frames} latent frames; "
        f"choose another number of frames"
    )


def _packed(shape: tuple[int, ...], layout: Layout) -> Latents:
    """Patches in a row, in the order of the denoiser's tokens."""
    places = layout.places[layout.places[:, 0] >= 0]
    for first in (0, 1):
        left = places[places[:, 0] >= first] - np.array([first, 0, 0])
        if len(left) == shape[0]:
            return Latents(shape, None, Layout(left), first)
    raise PhospheneError(
        f"x_t has {shape[0]} patches and the denoiser {len(places)} tokens of picture; they can't "
        f"be matched"
    )
