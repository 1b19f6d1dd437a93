"""An audio-video pipeline of one's own, as small as they come: its parts live in this module."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from diffusers.configuration_utils import ConfigMixin, register_to_config
from diffusers.models.modeling_utils import ModelMixin
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers.scheduling_flow_match_euler_discrete import (
    FlowMatchEulerDiscreteScheduler,
)
from diffusers.utils.outputs import BaseOutput
from diffusers.utils.torch_utils import randn_tensor

__all__ = ["ModelMixin", "OwnDenoiser", "OwnPipeline", "build"]


@dataclass
class OwnOutput(BaseOutput):
    frames: torch.Tensor
    audio: torch.Tensor


class OwnDenoiser(ModelMixin, ConfigMixin):
    @register_to_config
    def __init__(self, width: int = 8, sample_rate: int = 8000):
        super().__init__()
        self.video = torch.nn.Conv3d(6, 3, 3, padding=1)
        self.audio = torch.nn.Conv1d(1, 1, 3, padding=1)

    def forward(self, video, audio, first, words):
        seen = torch.cat([video, first.unsqueeze(2).expand_as(video)], 1)
        return self.video(seen) * words.view(-1, 1, 1, 1, 1), self.audio(audio)


class OwnPipeline(DiffusionPipeline):
    def __init__(self, denoiser: OwnDenoiser, scheduler: FlowMatchEulerDiscreteScheduler):
        super().__init__()
        self.register_modules(denoiser=denoiser, scheduler=scheduler)
        self.sample_rate = denoiser.config["sample_rate"]

    def encode_prompt(self, prompt):
        prompt = [prompt] if isinstance(prompt, str) else prompt
        return torch.tensor([[1.0 + len(p) / 10] for p in prompt])

    def prepare_audio_latents(self, batch, length, generator):
        return randn_tensor((batch, 1, length), generator=generator)

    @torch.no_grad()
    def __call__(self, prompt, image, num_frames: int = 5, num_inference_steps: int = 4,
                 fps: float = 8.0, generator=None, output_type="np"):  # fmt: skip
        words = self.encode_prompt(prompt)
        images = image if isinstance(image, list) else [image]
        first = torch.stack([torch.from_numpy(_pixels(i)) for i in images])
        batch = len(words)
        video = randn_tensor((batch, 3, num_frames, *first.shape[2:]), generator=generator)
        audio = self.prepare_audio_latents(
            batch, int(num_frames / fps * self.sample_rate), generator
        )
        self.scheduler.set_timesteps(num_inference_steps)
        for t in self.scheduler.timesteps:
            drift, hum = self.denoiser(video, audio, first, words)
            video = self.scheduler.step(drift, t, video).prev_sample
            self.scheduler._step_index -= 1
            audio = self.scheduler.step(hum, t, audio).prev_sample
        return OwnOutput(frames=video.permute(0, 2, 3, 4, 1).clamp(0, 1), audio=audio)


def _pixels(image):
    import numpy as np

    return np.asarray(image).transpose(2, 0, 1).astype("float32") / 255


def build() -> OwnPipeline:
    torch.manual_seed(0)
    return OwnPipeline(OwnDenoiser().eval(), FlowMatchEulerDiscreteScheduler())
