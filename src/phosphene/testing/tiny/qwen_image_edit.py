"""Qwen-Image-Edit: edits a picture as the prompt says; a Qwen2.5-VL reads both.

Width and height are multiples of 16. The pipeline scales the picture to about a megapixel before
it encodes it, whatever is asked for, so a call takes seconds.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLQwenImage,
    FlowMatchEulerDiscreteScheduler,
    QwenImageEditPipeline,
    QwenImageTransformer2DModel,
)

from phosphene.testing.tiny._chat import qwen_processor, qwen_tokenizer, qwen_vl
from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH


@seeded
def build() -> QwenImageEditPipeline:
    tokenizer = qwen_tokenizer(_template())
    return QwenImageEditPipeline(
        scheduler=FlowMatchEulerDiscreteScheduler(use_dynamic_shifting=True),
        vae=AutoencoderKLQwenImage(
            base_dim=2,
            dim_mult=[1, 2, 2, 4, 4, 4],
            num_res_blocks=1,
            temperal_downsample=[False, True, True, False, False],
        ),
        text_encoder=qwen_vl(tokenizer),
        tokenizer=tokenizer,
        processor=qwen_processor(tokenizer),
        transformer=QwenImageTransformer2DModel(
            in_channels=64,
            out_channels=16,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            joint_attention_dim=WIDTH,
            axes_dims_rope=(4, 6, 6),
        ),
    )


def _template() -> str:
    """The words the pipeline wraps the prompt in; only an instance tells."""
    nothing: Any = None
    return QwenImageEditPipeline(*[nothing] * 6).prompt_template_encode


def example() -> dict[str, Any]:
    return {
        "image": picture(64, 64),
        "prompt": "make it blue",
        "negative_prompt": " ",
        "height": 64,
        "width": 64,
        "num_inference_steps": 2,
    }
