"""Ember's denoiser: one transformer over the tokens of pictures, sound and words together.

Convolutions lead from pixels to tokens and back. It predicts the clean sample directly
(x-prediction) and returns the velocity that flow-matching schedulers expect.

References:
    Back to Basics: Let Denoising Generative Models Denoise (Li, He, 2025),
    https://arxiv.org/abs/2511.13720
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
import torch.nn as nn
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.attention_dispatch import dispatch_attention_fn
from diffusers.models.cache_utils import CacheMixin
from diffusers.models.modeling_utils import ModelMixin
from diffusers.utils import BaseOutput

from phosphene.ember.convolutions import EmberEye, EmberHand, zero


@dataclass
class EmberOutput(BaseOutput):
    """Velocities dx/dsigma: `sample` `(b, f, 3, h, w)`, `audio_sample` `(b, f, audio_dim)`."""

    sample: torch.Tensor
    audio_sample: torch.Tensor


class EmberNorm(nn.RMSNorm):
    """RMSNorm in the precision of what comes in, for which there is one fused operation."""

    def __init__(self, width: int) -> None:
        super().__init__(width, eps=1e-6)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return F.rms_norm(x, self.normalized_shape, self.weight.to(x.dtype), self.eps)


class EmberAttention(nn.Module):
    """Self-attention with normalised queries and keys over `(b, n, dim)`."""

    def __init__(self, dim: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.to_qkv = nn.Linear(dim, 3 * dim, bias=False)
        self.norm_q = EmberNorm(dim // heads)
        self.norm_k = EmberNorm(dim // heads)
        self.to_out = nn.Linear(dim, dim, bias=False)

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        qkv = self.to_qkv(hidden_states)
        q, k, v = qkv.unflatten(-1, (3, self.heads, -1)).unbind(2)
        mixed = dispatch_attention_fn(self.norm_q(q), self.norm_k(k), v)
        return self.to_out(mixed.flatten(2))


class EmberBlock(nn.Module):
    """Pre-norm attention and MLP, each added to the residual stream `(b, n, dim)`."""

    def __init__(self, dim: int, heads: int, activation: nn.Module | None = None) -> None:
        super().__init__()
        self.norm1 = EmberNorm(dim)
        self.attn = EmberAttention(dim, heads)
        self.norm2 = EmberNorm(dim)
        bend = activation or nn.GELU(approximate="tanh")
        self.ff = nn.Sequential(nn.Linear(dim, 4 * dim), bend, nn.Linear(4 * dim, dim))

    def forward(self, hidden_states: torch.Tensor) -> torch.Tensor:
        hidden_states = hidden_states + self.attn(self.norm1(hidden_states))
        return hidden_states + self.ff(self.norm2(hidden_states))


class SquaredReLU(nn.Module):
    """relu(x)^2, where GELU's tanh would cost a CPU as much as the matrix product before it.

    References:
        Primer: Searching for Efficient Transformers (So et al., 2021),
        https://arxiv.org/abs/2109.08668
    """

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x.relu().square()


class EmberTransformer(ModelMixin, ConfigMixin, CacheMixin):
    """The denoiser.

    Args:
        size: side of the square picture in pixels, a multiple of 8.
        frames: most frames it has places for.
        audio_dim: numbers a row of sound has; one row belongs to one frame.
        dim, depth, heads: width, blocks, attention heads.
        half, fine: channels of the features at a half and a quarter of the side.
        looks: how often a given frame's features are looked over.
        vocabulary: rows of the word embedding.
        text_length: words read of a prompt.
    """

    PATCH = 8
    _repeated_blocks = ["EmberBlock"]  # noqa: RUF012  (diffusers reads a plain list)

    @register_to_config
    def __init__(
        self,
        size: int = 64,
        frames: int = 9,
        audio_dim: int = 1000,
        dim: int = 128,
        depth: int = 5,
        heads: int = 4,
        half: int = 24,
        fine: int = 64,
        looks: int = 6,
        vocabulary: int = 2048,
        text_length: int = 12,
    ) -> None:
        super().__init__()
        patches = (size // self.PATCH) ** 2
        self.text_embedding = nn.Embedding(vocabulary, dim)
        # As large as what they are added to: smaller ones are drowned, and nothing finds its place.
        self.text_place = nn.Parameter(0.5 * torch.randn(text_length, dim))
        self.frame_place = nn.Embedding(frames, dim)
        self.patch_place = nn.Parameter(0.5 * torch.randn(patches, dim))
        self.audio_place = nn.Parameter(0.5 * torch.randn(dim))
        self.given = nn.Parameter(0.5 * torch.randn(dim))
        self.noise_level = nn.Sequential(nn.Linear(64, dim), nn.SiLU(), nn.Linear(dim, dim))
        self.eye = EmberEye(half, fine, dim, looks)
        self.audio_in = nn.Linear(audio_dim, dim)
        self.transformer_blocks = nn.ModuleList(
            EmberBlock(dim, heads, SquaredReLU()) for _ in range(depth)
        )
        self.norm_out = EmberNorm(dim)
        self.hand = EmberHand(half, fine, dim)
        self.audio_out = _head(dim, audio_dim)
        nn.init.normal_(self.text_embedding.weight, std=0.5)
        nn.init.normal_(self.frame_place.weight, std=0.5)

    def encode_text(self, ids: torch.Tensor) -> torch.Tensor:
        """Word ids `(b, n)` to embeddings `(b, n, dim)`."""
        return self.text_embedding(ids) + self.text_place[: ids.shape[1]]

    def forward(
        self,
        hidden_states: torch.Tensor,
        audio_hidden_states: torch.Tensor,
        timestep: torch.Tensor,
        encoder_hidden_states: torch.Tensor,
        given: torch.Tensor | None = None,
        frame_ids: torch.Tensor | None = None,
        looks: int | None = None,
        return_dict: bool = True,
    ) -> EmberOutput | tuple[torch.Tensor, torch.Tensor]:
        """Velocity of pictures and sound.

        Args:
            hidden_states: noised frames `(b, f, 3, h, w)`, pixels in -1..1; frames that `given`
                marks are clean.
            audio_hidden_states: noised sound rows `(b, f, audio_dim)`.
            timestep: sigma * 1000, `(b,)` or one for each frame and its row of sound `(b, f)`;
                at 0 a row of sound is given, and its velocity is zero.
            encoder_hidden_states: `(b, words, dim)` from `encode_text`, or word ids `(b, words)`.
            given: bool `(b, f)`: frames that are conditions, not noise, whatever the noise in their
                rows of sound; their velocity is zero. Those of timestep 0 when None.
            frame_ids: int `(b, f)` places in time; 0..f-1 when None.
            looks: how often given frames are looked over; the model's own number when None.
        """
        sigma = (timestep / 1000).to(hidden_states.dtype)
        sigma = _by_frame(sigma)
        if given is None:
            given = (sigma == 0).expand(hidden_states.shape[:2])
        if not encoder_hidden_states.is_floating_point():
            encoder_hidden_states = self.encode_text(encoder_hidden_states)
        clean, audio_clean = self.predict(
            hidden_states,
            audio_hidden_states,
            sigma,
            encoder_hidden_states,
            given,
            frame_ids,
            looks,
        )
        scale = sigma.clamp_min(1e-3)[:, :, None]
        moving, sounding = ~given[:, :, None, None, None], (sigma > 0)[:, :, None]
        video = (hidden_states - clean) / scale[..., None, None] * moving
        audio = (audio_hidden_states - audio_clean) / scale * sounding
        return EmberOutput(video, audio) if return_dict else (video, audio)

    def predict(
        self,
        video: torch.Tensor,
        audio: torch.Tensor,
        sigma: torch.Tensor,
        words: torch.Tensor,
        given: torch.Tensor,
        frame_ids: torch.Tensor | None = None,
        looks: int | None = None,
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The clean pictures and sound it expects, shaped like `video` and `audio`.

        A frame is predicted as the first one, where that is given, with a share of what the last
        one given before it has changed, and what is new: what stays still costs nothing to draw.
        `sigma` is `(b,)` or `(b, f)`.
        """
        b, f = video.shape[:2]
        sigma = _by_frame(sigma).expand(b, f)
        if frame_ids is None:
            frame_ids = torch.arange(f, device=video.device).expand(b, f)
        time = self.frame_place(frame_ids)
        level = self.noise_level(_waves(sigma))
        # Noise says nothing of the answer, so it comes in as faintly as the signal in it.
        signal = (1 - sigma)[..., None]
        share = torch.where(given[..., None], 1.0, signal)[..., None, None]
        half, fine, seen = self.eye((share * video).flatten(0, 1), _rows(given), looks)
        state = torch.where(given[..., None], self.given, level)
        x = seen.unflatten(0, (b, f)) + self.patch_place + (time + state)[:, :, None]
        y = signal * self.audio_in(audio) + self.audio_place + time + level
        tokens = torch.cat([x.flatten(1, 2), y, words], 1)
        for block in self.transformer_blocks:
            tokens = block(tokens)
        tokens = self.norm_out(tokens)
        n = x.shape[1] * x.shape[2]
        # A given frame needs no drawing.
        drawn, earlier = _rows(~given), _earlier(given)
        patches = tokens[:, :n].unflatten(1, (f, -1)).flatten(0, 1)[drawn]
        first = (torch.arange(b * f, device=video.device) // f * f)[drawn]
        before = earlier.flatten()[drawn]
        shown = given.flatten()[:, None, None, None]

        def beside(features: torch.Tensor) -> torch.Tensor:
            clear = features * shown
            return torch.cat([features[drawn], clear[first], clear[before]], 1)

        change, stays = self.hand(patches, beside(half), beside(fine))
        pictures = (video * given[:, :, None, None, None]).flatten(0, 1)
        anchor, latest = pictures[first], pictures[before]
        made = anchor + stays.to(anchor) * (latest - anchor) + change.to(anchor)
        clean = pictures.index_copy(0, drawn, made).unflatten(0, (b, f))
        return clean, self.audio_out(tokens[:, n : n + f])


def _rows(chosen: torch.Tensor) -> torch.Tensor:
    """Where a bool tensor, laid out flat, holds true: int `(n,)`."""
    return chosen.flatten().nonzero()[:, 0]


def _earlier(given: torch.Tensor) -> torch.Tensor:
    """For each frame `(b, f)` the last one given before it, as a row of all frames laid out flat;
    the first one where there is none."""
    b, f = given.shape
    places = torch.arange(f, device=given.device)
    latest = torch.where(given, places, 0).cummax(1).values
    latest = torch.cat([torch.zeros_like(latest[:, :1]), latest[:, :-1]], 1)
    return latest + f * torch.arange(b, device=given.device)[:, None]


def _head(dim: int, out: int) -> nn.Sequential:
    """Two layers from tokens to rows of sound; zero at first: training starts from silence."""
    last = nn.Linear(2 * dim, out)
    zero(last)
    return nn.Sequential(nn.Linear(dim, 2 * dim), SquaredReLU(), last)


def _by_frame(sigma: torch.Tensor) -> torch.Tensor:
    """Noise levels `(b, f)`; `(b, 1)` where all frames of an example share one."""
    return sigma[:, None] if sigma.ndim == 1 else sigma


def _waves(sigma: torch.Tensor) -> torch.Tensor:
    """Sinusoidal features `(b, f, 64)` of noise levels `(b, f)` in 0..1."""
    angles = sigma[..., None] * torch.logspace(0, 3, 32, device=sigma.device, dtype=sigma.dtype)
    return torch.cat([angles.sin(), angles.cos()], -1)
