"""HunyuanVideo 1.5: text to video; the guidance scale sits in a guider, not in the call.

Frames are 4k+1; width and height are multiples of 16. 18 MB on disk, for a 2048 x 2048 layer that
no config field shrinks.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

import inspect
from typing import Any

from diffusers import (
    AutoencoderKLHunyuanVideo15,
    ClassifierFreeGuidance,
    FlowMatchEulerDiscreteScheduler,
    HunyuanVideo15Pipeline,
    HunyuanVideo15Transformer3DModel,
)
from transformers import ByT5Tokenizer

from phosphene.testing.tiny._chat import qwen_text, qwen_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, byt5_encoder

_LATENTS = 4


@seeded
def build() -> HunyuanVideo15Pipeline:
    tokenizer = qwen_tokenizer(_template())
    return HunyuanVideo15Pipeline(
        text_encoder=qwen_text(tokenizer),
        tokenizer=tokenizer,
        transformer=HunyuanVideo15Transformer3DModel(
            in_channels=2 * _LATENTS + 1,  # noise, the first frame, and where it is given
            out_channels=_LATENTS,
            num_attention_heads=2,
            attention_head_dim=16,
            num_layers=2,
            num_refiner_layers=1,
            text_embed_dim=WIDTH,
            text_embed_2_dim=WIDTH,
            image_embed_dim=16,
            rope_axes_dim=(4, 6, 6),
            target_size=64,
            task_type="t2v",
        ),
        vae=AutoencoderKLHunyuanVideo15(
            latent_channels=_LATENTS, block_out_channels=(4, 4, 8, 8, 8), layers_per_block=1
        ),
        scheduler=FlowMatchEulerDiscreteScheduler(shift=5.0),
        text_encoder_2=byt5_encoder(),
        tokenizer_2=ByT5Tokenizer(),
        guider=ClassifierFreeGuidance(guidance_scale=6.0),
    )


def _template() -> str:
    """The words the pipeline puts before the prompt."""
    encode = inspect.signature(HunyuanVideo15Pipeline._get_mllm_prompt_embeds)
    return encode.parameters["system_message"].default


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 64,
        "width": 64,
        "num_frames": 5,
        "num_inference_steps": 2,
    }
