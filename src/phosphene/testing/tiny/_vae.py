"""Tiny autoencoders that several families share, with the compression of the real ones."""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import AutoencoderKL, AutoencoderKLWan


def image_vae(latent_channels: int = 4, **changes: Any) -> AutoencoderKL:
    """`(b, 3, h, w)` <-> `(b, latent_channels, h/8, w/8)`; the quant convolutions as in SD 1."""
    return AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4,
        up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(4, 4, 8, 8),
        norm_num_groups=2,
        sample_size=64,
        latent_channels=latent_channels,
        **changes,
    )


def flow_vae() -> AutoencoderKL:
    """As `image_vae`, 16 latent channels, shifted, no quant convolutions (SD3, Flux)."""
    return image_vae(
        16,
        scaling_factor=0.3611,
        shift_factor=0.1159,
        use_quant_conv=False,
        use_post_quant_conv=False,
    )


def wan_vae() -> AutoencoderKLWan:
    """`(b, 3, 4k+1, h, w)` <-> `(b, 16, k+1, h/8, w/8)`, causal in time."""
    return AutoencoderKLWan(base_dim=4, dim_mult=[1, 1, 2, 2], num_res_blocks=1)
