"""SANA-Video: text to video by linear attention; the call counts `frames`, not `num_frames`.

Frames are 4k+1; width and height are multiples of 16; `use_resolution_binning=False` keeps them.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    DPMSolverMultistepScheduler,
    SanaVideoPipeline,
    SanaVideoTransformer3DModel,
)

from phosphene.testing.tiny._chat import gemma2, gemma_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH
from phosphene.testing.tiny._vae import wan_vae


@seeded
def build() -> SanaVideoPipeline:
    return SanaVideoPipeline(
        tokenizer=gemma_tokenizer(),
        text_encoder=gemma2(),
        vae=wan_vae(),
        transformer=SanaVideoTransformer3DModel(
            num_attention_heads=2,
            attention_head_dim=12,
            num_layers=2,
            num_cross_attention_heads=2,
            cross_attention_head_dim=12,
            cross_attention_dim=24,
            caption_channels=WIDTH,
            sample_size=8,
            rope_max_seq_len=32,
        ),
        scheduler=DPMSolverMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=8.0
        ),
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a red cube turns",
        "height": 32,
        "width": 32,
        "frames": 9,
        "use_resolution_binning": False,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
