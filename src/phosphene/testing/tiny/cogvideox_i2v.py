"""CogVideoX image to video: the picture's latents are stacked under the noise, channel by channel.

Frames are 4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLCogVideoX,
    CogVideoXDDIMScheduler,
    CogVideoXImageToVideoPipeline,
    CogVideoXTransformer3DModel,
)

from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, t5_encoder, t5_tokenizer

_TEXT_LENGTH = 64


@seeded
def build() -> CogVideoXImageToVideoPipeline:
    return CogVideoXImageToVideoPipeline(
        tokenizer=t5_tokenizer(_TEXT_LENGTH),
        text_encoder=t5_encoder(),
        vae=AutoencoderKLCogVideoX(
            block_out_channels=(4, 4, 8, 8),
            latent_channels=4,
            layers_per_block=1,
            norm_num_groups=2,
        ),
        transformer=CogVideoXTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=16,
            in_channels=8,
            out_channels=4,
            time_embed_dim=16,
            text_embed_dim=WIDTH,
            num_layers=2,
            sample_width=8,
            sample_height=8,
            sample_frames=9,
            max_text_seq_length=_TEXT_LENGTH,
            use_rotary_positional_embeddings=True,
        ),
        scheduler=CogVideoXDDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            rescale_betas_zero_snr=True,
            set_alpha_to_one=True,
            snr_shift_scale=3.0,
            timestep_spacing="trailing",
        ),
    )


def example() -> dict[str, Any]:
    return {
        "image": picture(64, 64),
        "prompt": "it turns",
        "height": 64,
        "width": 64,
        "num_frames": 9,
        "num_inference_steps": 2,
        "max_sequence_length": _TEXT_LENGTH,
    }
