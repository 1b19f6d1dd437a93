"""HunyuanVideo (guidance-distilled): text to video, a Llama and a CLIP text encoder.

Frames are 4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLHunyuanVideo,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideoPipeline,
    HunyuanVideoTransformer3DModel,
)
from diffusers.pipelines.hunyuan_video.pipeline_hunyuan_video import DEFAULT_PROMPT_TEMPLATE

from phosphene.testing.tiny._chat import llama, llama_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, clip_text, clip_tokenizer


def video_vae() -> AutoencoderKLHunyuanVideo:
    """`(b, 3, 4k+1, h, w)` <-> `(b, 4, k+1, h/8, w/8)`, causal in time."""
    return AutoencoderKLHunyuanVideo(
        latent_channels=4, block_out_channels=(4, 4, 8, 8), layers_per_block=1, norm_num_groups=2
    )


@seeded
def build() -> HunyuanVideoPipeline:
    tokenizer = llama_tokenizer(DEFAULT_PROMPT_TEMPLATE["template"])
    return HunyuanVideoPipeline(
        text_encoder=llama(tokenizer),
        tokenizer=tokenizer,
        transformer=HunyuanVideoTransformer3DModel(
            in_channels=4,
            out_channels=4,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=1,
            num_single_layers=1,
            num_refiner_layers=1,
            text_embed_dim=WIDTH,
            pooled_projection_dim=WIDTH,
            rope_axes_dim=(4, 6, 6),
        ),
        vae=video_vae(),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=7.0),
        text_encoder_2=clip_text(),
        tokenizer_2=clip_tokenizer(),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
