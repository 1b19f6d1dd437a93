"""Cosmos 3 Omni: text (and a first frame) to video and 48 kHz stereo sound; no text encoder.

The denoiser reads the tokens itself. Sound comes only with `enable_sound=True`. One sample a call.
Frames are 4k+1; width and height are multiples of 16.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    Cosmos3AVAEAudioTokenizer,
    Cosmos3OmniPipeline,
    Cosmos3OmniTransformer,
    UniPCMultistepScheduler,
)

from phosphene.testing.tiny._chat import qwen_tokenizer
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._vae import wan_vae

_SOUND_LATENTS = 8
_WORDS = "The video is not seconds long and of FPS. This image resolution."


@seeded
def build() -> Cosmos3OmniPipeline:
    tokenizer = qwen_tokenizer(_WORDS)
    return Cosmos3OmniPipeline(
        transformer=Cosmos3OmniTransformer(
            head_dim=16,
            hidden_size=32,
            intermediate_size=64,
            latent_channel=16,
            patch_latent_dim=64,
            num_attention_heads=2,
            num_key_value_heads=1,
            num_hidden_layers=2,
            rope_axes_dim=(2, 3, 3),
            sound_gen=True,
            sound_dim=_SOUND_LATENTS,
            vocab_size=len(tokenizer),
        ),
        text_tokenizer=tokenizer,
        vae=wan_vae(),
        scheduler=UniPCMultistepScheduler(
            prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=5.0
        ),
        sound_tokenizer=Cosmos3AVAEAudioTokenizer(
            vocoder_input_dim=_SOUND_LATENTS,
            dec_dim=4,
            dec_c_mults=(1, 1, 2, 2, 2),
            enc_dim=4,
            enc_latent_dim=2 * _SOUND_LATENTS,
            enc_c_mults=(1, 1, 2),
        ),
        enable_safety_checker=False,
    )


def example() -> dict[str, Any]:
    return {
        "prompt": "a bell rings",
        "height": 32,
        "width": 32,
        "num_frames": 9,
        "fps": 24.0,
        "enable_sound": True,
        "num_inference_steps": 2,
    }
