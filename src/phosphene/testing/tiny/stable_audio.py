"""Stable Audio: text to stereo sound at 44.1 kHz, a transformer over the latents of a waveform VAE.

A sample is a window of at most 16384 samples (0.37 s), cut to `audio_end_in_s`.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderOobleck,
    EDMDPMSolverMultistepScheduler,
    StableAudioDiTModel,
    StableAudioPipeline,
)
from diffusers.pipelines.stable_audio import StableAudioProjectionModel

from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, t5_encoder, t5_tokenizer


@seeded
def build() -> StableAudioPipeline:
    return StableAudioPipeline(
        vae=AutoencoderOobleck(
            encoder_hidden_size=4,
            downsampling_ratios=[2, 4, 4, 8],
            channel_multiples=[1, 1, 2, 2],
            decoder_channels=4,
            decoder_input_channels=8,
        ),
        text_encoder=t5_encoder(),
        projection_model=StableAudioProjectionModel(
            text_encoder_dim=WIDTH, conditioning_dim=WIDTH, min_value=0, max_value=32
        ),
        tokenizer=t5_tokenizer(model_max_length=64),
        transformer=StableAudioDiTModel(
            sample_size=64,
            in_channels=8,
            out_channels=8,
            num_layers=2,
            attention_head_dim=16,
            num_attention_heads=2,
            num_key_value_attention_heads=1,
            cross_attention_dim=WIDTH,
            cross_attention_input_dim=WIDTH,
            time_proj_dim=16,
            global_states_input_dim=2 * WIDTH,
        ),
        scheduler=EDMDPMSolverMultistepScheduler(sigma_min=0.3, sigma_max=500),
    )


def example() -> dict[str, Any]:
    return {"prompt": "a bell rings", "audio_end_in_s": 0.25, "num_inference_steps": 2}
