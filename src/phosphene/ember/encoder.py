"""Ember's eyes and ears: pictures, words and sound as points on one sphere.

References:
    Learning Transferable Visual Models From Natural Language Supervision (Radford et al., 2021),
    https://arxiv.org/abs/2103.00020
    ImageBind: One Embedding Space To Bind Them All (Girdhar et al., 2023),
    https://arxiv.org/abs/2305.05665
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import torch
import torch.nn as nn
import torch.nn.functional as F
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from einops import rearrange

from phosphene.clip import Clip
from phosphene.ember.network import EmberBlock
from phosphene.ember.sound import to_rows
from phosphene.ember.words import word_ids
from phosphene.ember.world import HOP, SOUND_SCALE
from phosphene.errors import PhospheneError

_QUIET = 1e-3  # rows below this are silence to a logarithm


class EmberStem(nn.Module):
    """Frames `(n, 3, h, w)` to tokens `(n, h/16 * w/16, dim)`: overlapping convolutions, so that a
    shape means the same wherever it falls on the grid of patches."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        widths = (3, 16, 32, 64, dim)
        layers: list[nn.Module] = []
        for a, b in pairwise(widths):
            layers += [nn.Conv2d(a, b, 3, stride=2, padding=1), nn.GELU(approximate="tanh")]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, frames: torch.Tensor) -> torch.Tensor:
        return self.layers(frames).flatten(2).transpose(1, 2)


class EmberEncoder(ModelMixin, ConfigMixin):
    """Three towers of transformer blocks, each ending on a unit vector of `width` numbers.

    Args:
        size: side of the square pictures in pixels, a multiple of 16.
        looks: frames looked at, evenly from the first to the last.
        rows: rows of sound a clip has, one a video frame.
        audio_dim: numbers in a row.
        dim, depth, heads: of each tower.
        width: of the embedding.
        vocabulary, text_length: as Ember's own.
    """

    @register_to_config
    def __init__(
        self,
        size: int = 64,
        looks: int = 3,
        rows: int = 9,
        audio_dim: int = 1000,
        dim: int = 128,
        depth: int = 4,
        heads: int = 4,
        width: int = 64,
        vocabulary: int = 2048,
        text_length: int = 24,
    ) -> None:
        super().__init__()
        patches = (size // 16) ** 2
        self.stem = EmberStem(dim)
        self.picture_place = nn.Parameter(0.5 * torch.randn(looks, patches, dim))
        self.picture_tower = _Tower(dim, depth, heads, width)
        self.words = nn.Embedding(vocabulary, dim)
        self.text_place = nn.Parameter(0.5 * torch.randn(text_length, dim))
        self.text_tower = _Tower(dim, max(1, depth // 2), heads, width)
        self.hear = nn.Linear(HOP, dim)
        self.sound_place = nn.Parameter(0.5 * torch.randn(rows * audio_dim // HOP, dim))
        self.sound_tower = _Tower(dim, max(1, depth // 2), heads, width)
        self.temperature = nn.Parameter(torch.tensor(2.7))  # log of 1 / 0.07
        nn.init.normal_(self.words.weight, std=0.5)

    def pictures(self, frames: torch.Tensor) -> torch.Tensor:
        """`(b, looks, 3, size, size)` in -1..1 to unit vectors `(b, width)`."""
        b, f = frames.shape[:2]
        x = self.stem(frames.flatten(0, 1)).unflatten(0, (b, f)) + self.picture_place
        return self.picture_tower(x.flatten(1, 2))

    def texts(self, ids: torch.Tensor) -> torch.Tensor:
        """Word ids `(b, n)`, n up to `text_length`, 0 for padding, to unit vectors `(b, width)`."""
        x = self.words(ids) + self.text_place[: ids.shape[1]]
        return self.text_tower(x * (ids > 0)[..., None])

    def sounds(self, rows: torch.Tensor) -> torch.Tensor:
        """Ember's rows of sound `(b, rows, audio_dim)` to unit vectors `(b, width)`.

        What is heard is how loud each of `HOP` bands is at each hop, on a logarithmic scale.
        """
        loud = torch.log10(rows.square() + _QUIET**2) / 6 + 0.5
        x = self.hear(rearrange(loud, "b f (t k) -> b (f t) k", k=HOP)) + self.sound_place
        return self.sound_tower(x)

    @torch.no_grad()
    def embed_clips(self, clips: Sequence[Clip]) -> np.ndarray:
        """Unit vectors float32 `(n, width)` of clips' pictures, of any size and length.

        Raises:
            PhospheneError: a clip without pictures.
        """
        return self.pictures(torch.stack([self._seen(c) for c in clips])).numpy()

    @torch.no_grad()
    def embed_sounds(self, clips: Sequence[Clip]) -> np.ndarray:
        """Unit vectors float32 `(n, width)` of clips' sound, of any rate and length.

        Raises:
            PhospheneError: a clip without sound.
        """
        return self.sounds(torch.cat([self._heard(c) for c in clips])).numpy()

    @torch.no_grad()
    def embed_texts(self, texts: Sequence[str]) -> np.ndarray:
        """Unit vectors float32 `(n, width)`."""
        config: Any = self.config
        return self.texts(word_ids(list(texts), config.text_length, config.vocabulary)).numpy()

    def _seen(self, clip: Clip) -> torch.Tensor:
        if clip.frames is None:
            raise PhospheneError("an encoder of pictures was given a clip of sound alone")
        config: Any = self.config
        size, looks = config.size, config.looks
        which = np.linspace(0, len(clip.frames) - 1, looks).round().astype(int)
        frames = torch.from_numpy(clip.frames[which]).permute(0, 3, 1, 2).float() / 127.5 - 1
        if frames.shape[-2:] != (size, size):
            frames = F.interpolate(frames, (size, size), mode="bicubic", antialias=True)
        return frames.clamp(-1, 1)

    def _heard(self, clip: Clip) -> torch.Tensor:
        if clip.audio is None:
            raise PhospheneError("an encoder of sound was given a silent clip")
        config: Any = self.config
        samples = config.rows * config.audio_dim
        track = torch.from_numpy(clip.audio.mean(0, keepdims=True))
        if track.shape[-1] != samples:
            track = F.interpolate(track[None], samples, mode="linear", align_corners=False)[0]
        return to_rows(track, config.rows, HOP) * SOUND_SCALE


class _Tower(nn.Module):
    """Blocks over tokens `(b, n, dim)`, their mean, and a map onto the sphere."""

    def __init__(self, dim: int, depth: int, heads: int, width: int) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(EmberBlock(dim, heads) for _ in range(depth))
        self.norm = nn.RMSNorm(dim, eps=1e-6)
        self.out = nn.Linear(dim, width, bias=False)

    def forward(self, tokens: torch.Tensor) -> torch.Tensor:
        for block in self.blocks:
            tokens = block(tokens)
        return F.normalize(self.out(self.norm(tokens).mean(1)), dim=-1)


def contrast(a: torch.Tensor, b: torch.Tensor, same: torch.Tensor, scale: torch.Tensor):
    """Symmetric contrastive loss with several right partners.

        L = -mean_i log sum_{j in P(i)} softmax_j(scale a_i . b_j), both ways

    Args:
        a, b: unit vectors `(n, width)`.
        same: bool `(n, n)`: which pairs belong together; true on the diagonal.
        scale: inverse temperature.

    References:
        Supervised Contrastive Learning (Khosla et al., 2020), https://arxiv.org/abs/2004.11362
    """
    logits = scale * a @ b.T
    kept = torch.where(same, logits, -torch.inf)
    across = logits.logsumexp(1) - kept.logsumexp(1)
    down = logits.logsumexp(0) - kept.logsumexp(0)
    return (across.mean() + down.mean()) / 2
