"""Stable Diffusion XL: text to image, two text encoders and size conditioning.

Width and height are multiples of 8.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import EulerDiscreteScheduler, StableDiffusionXLPipeline, UNet2DConditionModel

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import (
    WIDTH,
    clip_text,
    clip_text_projected,
    clip_tokenizer,
)
from phosphene.testing.tiny._vae import image_vae

_TIME_WIDTH = 8  # features for each of the six size and crop numbers


@seeded
def build() -> StableDiffusionXLPipeline:
    return StableDiffusionXLPipeline(
        vae=image_vae(scaling_factor=0.13025),
        text_encoder=clip_text(),
        text_encoder_2=clip_text_projected(),
        tokenizer=clip_tokenizer(),
        tokenizer_2=clip_tokenizer(),
        unet=UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            cross_attention_dim=2 * WIDTH,
            attention_head_dim=(2, 4),
            use_linear_projection=True,
            addition_embed_type="text_time",
            addition_time_embed_dim=_TIME_WIDTH,
            projection_class_embeddings_input_dim=WIDTH + 6 * _TIME_WIDTH,
            norm_num_groups=4,
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            timestep_spacing="leading",
            steps_offset=1,
        ),
        add_watermarker=False,
    )


def example() -> dict[str, Any]:
    return {"prompt": "a red cube", "height": 64, "width": 64, "num_inference_steps": 2}
