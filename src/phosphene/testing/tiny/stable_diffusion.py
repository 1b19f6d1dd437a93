"""Stable Diffusion: text to image, a UNet over the latents of an 8-fold image VAE.

Width and height are multiples of 8.
"""

from __future__ import annotations

from typing import Any

from diffusers import DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, clip_text, clip_tokenizer
from phosphene.testing.tiny._vae import image_vae


def unet(**changes: Any) -> UNet2DConditionModel:
    """The denoiser of every tiny Stable Diffusion 1; `changes` are its config's fields."""
    return UNet2DConditionModel(
        sample_size=8,
        block_out_channels=(8, 16),
        layers_per_block=1,
        down_block_types=("CrossAttnDownBlock2D", "DownBlock2D"),
        up_block_types=("UpBlock2D", "CrossAttnUpBlock2D"),
        cross_attention_dim=WIDTH,
        attention_head_dim=4,
        norm_num_groups=4,
        **changes,
    )


def components() -> dict[str, Any]:
    """The parts of every tiny Stable Diffusion 1, by the pipeline's argument names."""
    return {
        "vae": image_vae(),
        "text_encoder": clip_text(),
        "tokenizer": clip_tokenizer(),
        "unet": unet(),
        "scheduler": DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        "safety_checker": None,
        "feature_extractor": None,
        "requires_safety_checker": False,
    }


@seeded
def build() -> StableDiffusionPipeline:
    return StableDiffusionPipeline(**components())


def example() -> dict[str, Any]:
    return {"prompt": "a red cube", "height": 64, "width": 64, "num_inference_steps": 2}
