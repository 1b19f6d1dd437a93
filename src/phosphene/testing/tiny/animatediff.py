"""AnimateDiff: text to video, an image UNet with motion modules between its layers.

At most 16 frames; width and height are multiples of 8.
"""

from __future__ import annotations

from typing import Any

from diffusers import AnimateDiffPipeline, DDIMScheduler, MotionAdapter

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import clip_text, clip_tokenizer
from phosphene.testing.tiny._vae import image_vae
from phosphene.testing.tiny.stable_diffusion import unet


@seeded
def build() -> AnimateDiffPipeline:
    return AnimateDiffPipeline(
        vae=image_vae(),
        text_encoder=clip_text(),
        tokenizer=clip_tokenizer(),
        unet=unet(),
        motion_adapter=MotionAdapter(
            block_out_channels=(8, 16),
            motion_layers_per_block=1,
            motion_num_attention_heads=2,
            motion_norm_num_groups=4,
            motion_max_seq_length=16,
        ),
        scheduler=DDIMScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="linear",
            clip_sample=False,
            timestep_spacing="linspace",
            steps_offset=1,
        ),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 64,
        "width": 64,
        "num_frames": 4,
        "num_inference_steps": 2,
    }
