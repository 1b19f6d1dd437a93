"""An organism's denoiser: a small transformer over cells of frames, whose weights are set by hand.

The code knows no plant: it sees colours, places and steps, has blocks as any other transformer, and
paints. What it does with them lies in the weights alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import BaseOutput
from einops import rearrange

SHARPNESS = 4.0  # of colours seen: pixels of one colour leave e^-8 to any other


@dataclass
class OrganismOutput(BaseOutput):
    """Velocity dx/dsigma `(b, f, 3, h, w)`."""

    sample: torch.Tensor


class OrganismAttention(nn.Module):
    """Self-attention over `(b, n, dim)`."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_q = nn.Linear(dim, dim, bias=False)
        self.to_k = nn.Linear(dim, dim, bias=False)
        self.to_v = nn.Linear(dim, dim, bias=False)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        q, k, v = (
            rearrange(part(hidden_states), "b n (h d) -> b n h d", h=self.heads)
            for part in (self.to_q, self.to_k, self.to_v)
        )
        return self.to_out(dispatch_attention_fn(q, k, v).flatten(2))


class OrganismBlock(nn.Module):
    """Attention and MLP, each added to the residual stream `(b, n, dim)`."""

    def __init__(self, dim: int, heads: int, hidden: int) -> None:
        super().__init__()
        self.attn = OrganismAttention(dim, heads)
        self.ff = nn.Sequential(nn.Linear(dim, hidden), nn.ReLU(), nn.Linear(hidden, dim))

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        hidden_states = hidden_states + self.attn(hidden_states)
        return hidden_states + self.ff(hidden_states)


class OrganismTransformer(ModelMixin, ConfigMixin):
    """The denoiser. Each cell of each frame is a token.

    Args:
        colours: it tells apart.
        frames: of a clip.
        side: cells a side.
        patch: pixels a side of a cell.
        steps: denoising steps that it tells apart.
        dim, depth, heads, hidden: width, blocks, attention heads, width of the MLPs.
    """

    _repeated_blocks = ["OrganismBlock"]  # noqa: RUF012  (diffusers reads a plain list)

    @register_to_config
    def __init__(
        self,
        colours: int = 5,
        frames: int = 6,
        side: int = 4,
        patch: int = 8,
        steps: int = 6,
        dim: int = 80,
        depth: int = 5,
        heads: int = 4,
        hidden: int = 80,
    ) -> None:
        super().__init__()
        tokens = frames * side**2
        self.palette = nn.Buffer(torch.zeros(colours, 3))
        self.patch_in = nn.Linear(3 * patch**2, dim, bias=False)
        self.place = nn.Parameter(torch.zeros(tokens, dim))
        self.time = nn.Parameter(torch.zeros(steps, dim))
        self.colour_in = nn.Parameter(torch.zeros(tokens, colours, dim))
        self.noise_in = nn.Parameter(torch.zeros(tokens, dim))
        self.transformer_blocks = nn.ModuleList(
            OrganismBlock(dim, heads, hidden) for _ in range(depth)
        )
        self.paint = nn.Linear(dim, colours + 1)

    def forward(
        self,
        hidden_states: torch.Tensor,
        timestep: torch.Tensor,
        given: torch.Tensor,
        return_dict: bool = True,
    ) -> OrganismOutput | tuple[torch.Tensor]:
        """Velocity.

        Args:
            hidden_states: noised frames `(b, f, 3, h, w)`, pixels in -1..1; the first is clean.
            timestep: sigma * 1000, `(b,)`.
            given: bool `(b, f)`: frames that are conditions; their velocity is zero.
        """
        sigma = (timestep / 1000).to(hidden_states).clamp_min(1e-3)
        clean = self.predict(hidden_states, sigma)
        moving = ~given[:, :, None, None, None]
        velocity = (hidden_states - clean) / sigma[:, None, None, None, None] * moving
        return OrganismOutput(velocity) if return_dict else (velocity,)

    def predict(self, video: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """The clean frames it expects, shaped like `video`: the first frame's cells, and colours
        painted over them."""
        config: Any = self.config
        p = config.patch
        cells = rearrange(video, "b f c (h p) (w q) -> b (f h w) c (p q)", p=p, q=p)
        tokens = self._seen(cells, sigma)
        for block in self.transformer_blocks:
            tokens = block(tokens)
        shares = self.paint(tokens).softmax(-1)
        frames = video.shape[1]
        still = cells[:, : cells.shape[1] // frames].repeat(1, frames, 1, 1)
        painted = (shares[..., :-1] @ self.palette)[..., None] + shares[..., -1:, None] * still
        size = video.shape[-1] // p
        return rearrange(
            painted, "b (f h w) c (p q) -> b f c (h p) (w q)", f=frames, h=size, w=size, p=p, q=p
        )

    def _seen(self, cells: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        """Cells `(b, n, 3, pixels)` as tokens `(b, n, dim)`."""
        config: Any = self.config
        steps = config.steps
        step = ((1 - sigma) * steps).round().long().clamp(0, steps - 1)
        mean = cells.mean(-1)
        colours = (SHARPNESS * mean @ self.palette.T).softmax(-1)
        # Paper is 1: what is left of the noise in cells that end as paper.
        signal, noise = (1 - sigma)[:, None], sigma[:, None]
        lean = ((mean.mean(-1) - signal) / noise * cells[0, 0].numel() ** 0.5).tanh()
        return (
            self.patch_in(cells.flatten(2))
            + self.place
            + self.time[step][:, None]
            + torch.einsum("bnk,nkd->bnd", colours, self.colour_in)
            + lean[..., None] * self.noise_in
        )
