"""LTX-2: text to video and stereo sound, drawn together by one transformer with two streams.

Frames are 8k+1; width and height are multiples of 32. Sound comes at 24 kHz and lasts as long as
the frames do at `frame_rate`.
"""

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLLTX2Audio,
    AutoencoderKLLTX2Video,
    FlowMatchEulerDiscreteScheduler,
    LTX2Pipeline,
    LTX2VideoTransformer3DModel,
)
from diffusers.pipelines.ltx2 import LTX2TextConnectors
from diffusers.pipelines.ltx2.vocoder import LTX2Vocoder

from phosphene.testing.tiny._chat import gemma3, gemma_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._text import WIDTH

_MEL_BINS = 16
_AUDIO_LATENTS = 4
# Latent channels times the mel bins that remain; the audio VAE's base width must equal it.
_AUDIO_CHANNELS = _AUDIO_LATENTS * _MEL_BINS // 4


def components() -> dict[str, Any]:
    """The parts of every tiny LTX-2, by the pipeline's argument names."""
    return {
        "scheduler": FlowMatchEulerDiscreteScheduler(),
        "vae": _video_vae(),
        "audio_vae": AutoencoderKLLTX2Audio(
            base_channels=_AUDIO_CHANNELS,
            ch_mult=(1, 1, 1),
            num_res_blocks=1,
            latent_channels=_AUDIO_LATENTS,
            mel_bins=_MEL_BINS,
        ),
        "text_encoder": gemma3(),
        "tokenizer": gemma_tokenizer(),
        "connectors": LTX2TextConnectors(
            caption_channels=WIDTH,
            text_proj_in_factor=3,
            video_connector_num_attention_heads=2,
            video_connector_attention_head_dim=WIDTH // 2,
            video_connector_num_layers=1,
            video_connector_num_learnable_registers=8,
            audio_connector_num_attention_heads=2,
            audio_connector_attention_head_dim=WIDTH // 2,
            audio_connector_num_layers=1,
            audio_connector_num_learnable_registers=8,
            connector_rope_base_seq_len=64,
        ),
        "transformer": _transformer(),
        "vocoder": LTX2Vocoder(
            in_channels=2 * _MEL_BINS,
            hidden_channels=32,
            upsample_kernel_sizes=[16, 15, 16],
            upsample_factors=[6, 5, 8],
            resnet_kernel_sizes=[3],
            resnet_dilations=[[1, 3]],
        ),
    }


def _video_vae() -> AutoencoderKLLTX2Video:
    return AutoencoderKLLTX2Video(
        latent_channels=16,
        block_out_channels=(4, 8, 8, 8),
        decoder_block_out_channels=(4, 8, 8),
        layers_per_block=(1, 1, 1, 1, 1),
        decoder_layers_per_block=(1, 1, 1, 1),
        upsample_factor=(1, 1, 1),
        upsample_residual=(False, False, False),
        spatial_compression_ratio=32,
        temporal_compression_ratio=8,
    )


def _transformer() -> LTX2VideoTransformer3DModel:
    return LTX2VideoTransformer3DModel(
        in_channels=16,
        out_channels=16,
        num_attention_heads=2,
        attention_head_dim=16,
        cross_attention_dim=32,
        audio_in_channels=_AUDIO_CHANNELS,
        audio_out_channels=_AUDIO_CHANNELS,
        audio_num_attention_heads=2,
        audio_attention_head_dim=8,
        audio_cross_attention_dim=16,
        num_layers=2,
        caption_channels=WIDTH,
    )


@seeded
def build() -> LTX2Pipeline:
    return LTX2Pipeline(**components())


def example() -> dict[str, Any]:
    return {
        "prompt": "a bell rings",
        "height": 64,
        "width": 64,
        "num_frames": 9,
        "frame_rate": 24.0,
        "num_inference_steps": 2,
        "max_sequence_length": 64,
    }
