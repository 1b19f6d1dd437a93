"""Stable Video Diffusion: image to video without a prompt, a UNet over space and time.

Any number of frames; width and height are multiples of 8. `fps` conditions the motion.
"""

# diffusers annotates some config fields and components too narrowly for its own checkpoints.
# pyright: reportArgumentType=false

from __future__ import annotations

from typing import Any

from diffusers import (
    AutoencoderKLTemporalDecoder,
    EulerDiscreteScheduler,
    StableVideoDiffusionPipeline,
    UNetSpatioTemporalConditionModel,
)

from phosphene.testing.tiny._picture import picture
from phosphene.testing.tiny._seeded import seeded
from phosphene.testing.tiny._vision import WIDTH, clip_processor, clip_vision_projected

_TIME_WIDTH = 8  # features for each of the three numbers: fps, motion, noise


@seeded
def build() -> StableVideoDiffusionPipeline:
    return StableVideoDiffusionPipeline(
        vae=AutoencoderKLTemporalDecoder(
            down_block_types=("DownEncoderBlock2D",) * 4,
            # The decoder's group norms have 32 groups fixed in diffusers' code.
            block_out_channels=(32, 32, 32, 32),
            layers_per_block=1,
            sample_size=64,
        ),
        image_encoder=clip_vision_projected(),
        unet=UNetSpatioTemporalConditionModel(
            sample_size=8,
            down_block_types=("CrossAttnDownBlockSpatioTemporal",),
            up_block_types=("CrossAttnUpBlockSpatioTemporal",),
            block_out_channels=(32,),
            layers_per_block=1,
            addition_time_embed_dim=_TIME_WIDTH,
            projection_class_embeddings_input_dim=3 * _TIME_WIDTH,
            cross_attention_dim=WIDTH,
            num_attention_heads=2,
            num_frames=4,
        ),
        scheduler=EulerDiscreteScheduler(
            beta_start=0.00085,
            beta_end=0.012,
            beta_schedule="scaled_linear",
            prediction_type="v_prediction",
            timestep_type="continuous",
            timestep_spacing="leading",
            interpolation_type="linear",
            sigma_min=0.002,
            sigma_max=700.0,
            use_karras_sigmas=True,
        ),
        feature_extractor=clip_processor(),
    )


def example() -> dict[str, Any]:
    return {
        "image": picture(64, 64),
        "height": 64,
        "width": 64,
        "num_frames": 4,
        "num_inference_steps": 2,
    }
