"""Flux 2 Klein: text to image, or the edit of an `image` where one is given.

Width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLFlux2,
    FlowMatchEulerDiscreteScheduler,
    Flux2KleinPipeline,
    Flux2Transformer2DModel,
)

from phosphene.testing.tiny._chat import qwen3_causal, qwen_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH


@seeded
def build() -> Flux2KleinPipeline:
    tokenizer = qwen_tokenizer("user assistant")
    return Flux2KleinPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(shift=3.0, use_dynamic_shifting=True),
        vae=AutoencoderKLFlux2(
            block_out_channels=(4, 4, 8, 8),
            layers_per_block=1,
            latent_channels=4,
            norm_num_groups=2,
            sample_size=64,
        ),
        # By default the pipeline joins the states after layers 9, 18 and 27.
        text_encoder=qwen3_causal(tokenizer, layers=27),
        tokenizer=tokenizer,
        transformer=Flux2Transformer2DModel(
            in_channels=16,
            num_layers=1,
            num_single_layers=1,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=3 * WIDTH,
            timestep_guidance_channels=16,
            axes_dims_rope=(4, 4, 4, 4),
            guidance_embeds=False,
        ),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube",
        "height": 64,
        "width": 64,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
