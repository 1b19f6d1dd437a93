"""AudioLDM 2: text to 16 kHz mono sound, a UNet over mel spectrograms, read by CLAP, T5 and GPT-2.

`audio_length_in_s` is rounded up to whole latents (40 ms).
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AudioLDM2Pipeline,
    AudioLDM2ProjectionModel,
    AudioLDM2UNet2DConditionModel,
    AutoencoderKL,
    DDIMScheduler,
)
from transformers import GPT2Config, GPT2LMHeadModel, SpeechT5HifiGan, SpeechT5HifiGanConfig

from phosphene.testing.tiny._clap import clap, clap_processor, clap_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH, t5_encoder, t5_tokenizer

_MEL_BINS = 16
_LANGUAGE_WIDTH = 16


@seeded
def build() -> AudioLDM2Pipeline:
    return AudioLDM2Pipeline(
        vae=AutoencoderKL(
            in_channels=1,
            out_channels=1,
            down_block_types=("DownEncoderBlock2D",) * 3,
            up_block_types=("UpDecoderBlock2D",) * 3,
            block_out_channels=(4, 4, 8),
            norm_num_groups=2,
        ),
        text_encoder=clap(),
        text_encoder_2=t5_encoder(),
        projection_model=AudioLDM2ProjectionModel(
            text_encoder_dim=WIDTH, text_encoder_1_dim=WIDTH, langauge_model_dim=_LANGUAGE_WIDTH
        ),
        language_model=_language_model(),
        tokenizer=clap_tokenizer(),
        tokenizer_2=t5_tokenizer(64),
        feature_extractor=clap_processor(),
        unet=AudioLDM2UNet2DConditionModel(
            sample_size=8,
            block_out_channels=(8, 16),
            layers_per_block=1,
            down_block_types=("DownBlock2D", "CrossAttnDownBlock2D"),
            up_block_types=("CrossAttnUpBlock2D", "UpBlock2D"),
            # Three transformers in a row: over itself, GPT-2's states, T5's states.
            cross_attention_dim=([None, _LANGUAGE_WIDTH, WIDTH],) * 2,
            attention_head_dim=4,
            norm_num_groups=4,
        ),
        scheduler=DDIMScheduler(
            beta_start=0.0015,
            beta_end=0.0195,
            beta_schedule="scaled_linear",
            clip_sample=False,
            set_alpha_to_one=False,
            steps_offset=1,
        ),
        vocoder=_vocoder(),
    )


def _language_model() -> GPT2LMHeadModel:
    config = GPT2Config(vocab_size=16, n_positions=128, n_embd=_LANGUAGE_WIDTH, n_layer=1, n_head=2)
    config.max_new_tokens = 8
    return GPT2LMHeadModel(config)


def _vocoder() -> SpeechT5HifiGan:
    config = SpeechT5HifiGanConfig(
        model_in_dim=_MEL_BINS,
        sampling_rate=16000,
        upsample_initial_channel=32,
        upsample_rates=[5, 4, 8],
        upsample_kernel_sizes=[15, 8, 16],
        resblock_kernel_sizes=[3],
        resblock_dilation_sizes=[[1, 3]],
        normalize_before=False,
    )
    return SpeechT5HifiGan(config)


def example() -> dict[str, Any]:
    return {"prompt": "a bell rings", "audio_length_in_s": 0.4, "num_inference_steps": 2}
