"""Convolutions: from pixels to what a transformer reads, and back to pixels."""

from __future__ import annotations

import torch
import torch.nn as nn
import torch.nn.functional as F
from einops import rearrange


def zero(layer: nn.Module) -> None:
    """Make a layer put out zeros, until it learns better."""
    for parameter in layer.parameters():
        nn.init.zeros_(parameter)


class EmberConv(nn.Module):
    """Two convolutions added to what came in, `(n, channels, h, w)`: neighbours talk."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.GroupNorm(1, channels)
        self.conv1 = nn.Conv2d(channels, channels, 3, padding=1)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1)
        zero(self.conv2)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x + self.conv2(self.conv1(self.norm(x)).relu())


class EmberEye(nn.Module):
    """Frames to features at a half and a quarter of the side, and to tokens at an eighth.

    A given frame is studied: one convolution is repeated over its features `looks` times, so that
    what lies far apart can meet before anything is drawn. Trained with many numbers of looks, it
    can be given more than it ever had.

    References:
        Can You Learn an Algorithm? Generalizing from Easy to Hard Problems with Recurrent Networks
        (Schwarzschild et al., 2021), https://arxiv.org/abs/2106.04537
    """

    def __init__(self, half: int, fine: int, dim: int, looks: int) -> None:
        super().__init__()
        self.looks = looks
        self.to_half = nn.Conv2d(3, half, 3, stride=2, padding=1)
        self.to_fine = nn.Conv2d(half, fine, 3, stride=2, padding=1)
        self.conv = EmberConv(fine)
        self.study = EmberConv(fine)
        self.to_tokens = nn.Conv2d(fine, dim, 3, stride=2, padding=1)

    def forward(
        self, frames: torch.Tensor, studied: torch.Tensor, looks: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        """Frames `(n, 3, h, w)` to features `(n, half, h/2, w/2)` and `(n, fine, h/4, w/4)` and
        tokens `(n, h/8 * w/8, dim)`; `studied` holds the rows that are studied, `looks` times or as
        often as the model's own."""
        looks = self.looks if looks is None else looks
        half = self.to_half(frames).relu()
        fine = self.conv(self.to_fine(half).relu())
        if looks and len(studied):
            thought = fine[studied]
            for _ in range(looks):
                thought = self.study(thought)
            fine = fine.index_copy(0, studied, thought)
        return half, fine, self.to_tokens(fine).flatten(2).transpose(1, 2)


class EmberHand(nn.Module):
    """Tokens and features back to pictures.

    Beside a frame's own features it has those of the first frame and of the last one given before
    it, at the same places: what is there already need not pass through the tokens.
    """

    def __init__(self, half: int, fine: int, dim: int) -> None:
        super().__init__()
        self.from_tokens = nn.Linear(dim, 4 * fine)
        self.fine_in = nn.Conv2d(3 * fine, fine, 1)
        self.conv1, self.conv2 = EmberConv(fine), EmberConv(fine)
        self.to_half = nn.Conv2d(fine, 4 * half, 1)
        self.half_in = nn.Conv2d(3 * half, half, 1)
        self.conv3 = nn.Conv2d(half, half, 3, padding=1)
        self.to_pixels = nn.Conv2d(half, 4 * 4, 3, padding=1)
        # Zero at first, so training starts from a still picture.
        zero(self.to_pixels)

    def forward(
        self, tokens: torch.Tensor, half: torch.Tensor, fine: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """What changes and what share stays, `(n, 3, h, w)` and `(n, 1, h, w)` in 0..1.

        Args:
            tokens: `(n, h/8 * w/8, dim)`.
            half, fine: features `(n, 3 * half, h/2, w/2)` and `(n, 3 * fine, h/4, w/4)`: the
                frame's own, the first frame's, the earlier one's.
        """
        side = fine.shape[-1] // 2
        x = rearrange(
            self.from_tokens(tokens), "n (h w) (p q c) -> n c (h p) (w q)", h=side, p=2, q=2
        )
        x = self.conv2(self.conv1(x + self.fine_in(fine)))
        x = F.pixel_shuffle(self.to_half(x), 2) + self.half_in(half)
        x = x + self.conv3(x.relu())
        out = F.pixel_shuffle(self.to_pixels(x.relu()), 2)
        return out[:, :3], (out[:, 3:] + 2).sigmoid()
