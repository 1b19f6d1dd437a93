"""EmberPipeline: prompt and pictures in, video with sound out, in the manner of diffusers."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from diffusers.image_processor import PipelineImageInput, VaeImageProcessor
from diffusers.pipelines.pipeline_utils import DiffusionPipeline
from diffusers.schedulers import FlowMatchEulerDiscreteScheduler
from diffusers.utils import BaseOutput
from diffusers.utils.torch_utils import randn_tensor

from phosphene.ember.network import EmberTransformer
from phosphene.ember.sound import from_rows
from phosphene.ember.words import word_ids
from phosphene.ember.world import HOP, SOUND_SCALE


@dataclass
class EmberPipelineOutput(BaseOutput):
    """`frames` `(b, t, h, w, 3)` in 0..1 (numpy or torch), `audio` `(b, 1, samples)` in -1..1."""

    frames: np.ndarray | torch.Tensor
    audio: np.ndarray | torch.Tensor


class EmberPipeline(DiffusionPipeline):
    """Joint audio-video generation from words and, if given, the first and last frame.

    Args:
        transformer: the denoiser.
        scheduler: flow-matching Euler.
    """

    model_cpu_offload_seq = "transformer"
    _callback_tensor_inputs = ["latents", "audio_latents"]  # noqa: RUF012  (diffusers' contract)
    frame_rate = 8
    sampling_rate = 8000

    def __init__(
        self, transformer: EmberTransformer, scheduler: FlowMatchEulerDiscreteScheduler
    ) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)
        self.image_processor = VaeImageProcessor(vae_scale_factor=1, do_convert_rgb=True)

    def check_inputs(self, height: int, width: int, num_frames: int) -> None:
        """Raise ValueError for what the denoiser has no places for."""
        config = self.transformer.config
        if (height, width) != (config.size, config.size):
            raise ValueError(f"Ember draws {config.size}x{config.size}; got {width}x{height}")
        if not 1 <= num_frames <= config.frames:
            raise ValueError(f"Ember draws 1 to {config.frames} frames; got {num_frames}")

    def encode_prompt(self, prompt: list[str]) -> torch.Tensor:
        """Word embeddings `(b, words, dim)`."""
        config = self.transformer.config
        ids = word_ids(prompt, config.text_length, config.vocabulary)
        return self.transformer.encode_text(ids.to(self.transformer.device))

    def prepare_latents(
        self,
        batch_size: int,
        num_frames: int,
        dtype: torch.dtype,
        device: torch.device,
        generator: torch.Generator | list[torch.Generator] | None,
        latents: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Noise `(b, f, 3, h, w)`."""
        size = self.transformer.config.size
        shape = (batch_size, num_frames, 3, size, size)
        return _start(shape, latents, generator, device, dtype)

    def prepare_audio_latents(
        self,
        batch_size: int,
        num_frames: int,
        dtype: torch.dtype,
        device: torch.device,
        generator: torch.Generator | list[torch.Generator] | None,
        audio_latents: torch.Tensor | None = None,
    ) -> torch.Tensor:
        """Noise `(b, f, audio_dim)`."""
        shape = (batch_size, num_frames, self.transformer.config.audio_dim)
        return _start(shape, audio_latents, generator, device, dtype)

    def _frame(
        self, image: PipelineImageInput | None, batch: int, latents: torch.Tensor
    ) -> torch.Tensor | None:
        """A given picture, or one for each sample, as `(b, 3, h, w)` in -1..1."""
        if image is None:
            return None
        size = self.transformer.config.size
        pixels = self.image_processor.preprocess(image, height=size, width=size).to(latents)
        if len(pixels) not in (1, batch):
            raise ValueError(f"{len(pixels)} images for a batch of {batch}; give 1 or {batch}")
        return pixels.expand(batch, -1, -1, -1)

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str] = "",
        image: PipelineImageInput | None = None,
        last_image: PipelineImageInput | None = None,
        negative_prompt: str | list[str] = "",
        height: int = 64,
        width: int = 64,
        num_frames: int = 9,
        num_inference_steps: int = 8,
        guidance_scale: float = 1.0,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: torch.Tensor | None = None,
        audio_latents: torch.Tensor | None = None,
        output_type: str = "np",
        return_dict: bool = True,
        callback_on_step_end=None,
        callback_on_step_end_tensor_inputs: tuple[str, ...] = ("latents",),
    ) -> EmberPipelineOutput | tuple:
        """Draw and sound.

        Args:
            prompt: what happens; several prompts make a batch.
            image: first frame, resized to 64x64.
            last_image: last frame, likewise.
            negative_prompt: what guidance leads away from.
            height, width: 64.
            num_frames: 1 to 9.
            num_inference_steps: Euler steps.
            guidance_scale: classifier-free guidance; 1 is off.
            generator: one, or one for each sample.
            latents, audio_latents: the starting noise `(b, f, 3, 64, 64)` and `(b, f, 1000)`.
            output_type: "np", "pt" or "latent" (the sample in -1..1 and the sound's rows).

        Raises:
            ValueError: a size, frame count or number of images it has no place for.
        """
        self.check_inputs(height, width, num_frames)
        prompt = [prompt] if isinstance(prompt, str) else list(prompt)
        batch, device, dtype = len(prompt), self._execution_device, self.transformer.dtype
        guided = guidance_scale != 1
        words = self.encode_prompt(prompt)
        negative = [negative_prompt] if isinstance(negative_prompt, str) else negative_prompt
        unwanted = self.encode_prompt(list(negative)).expand_as(words)
        x = self.prepare_latents(batch, num_frames, dtype, device, generator, latents)
        y = self.prepare_audio_latents(batch, num_frames, dtype, device, generator, audio_latents)
        given = torch.zeros(batch, num_frames, dtype=torch.bool, device=device)
        for place, picture in ((0, image), (num_frames - 1, last_image)):
            pixels = self._frame(picture, batch, x)
            if pixels is not None:
                x[:, place], given[:, place] = pixels, True
        # A scheduler counts its steps, so sound needs a counter of its own.
        audio_scheduler: Any = type(self.scheduler).from_config(self.scheduler.config)
        for scheduler in (self.scheduler, audio_scheduler):
            scheduler.set_timesteps(num_inference_steps, device=device)
        bar: Any = self.progress_bar
        with bar(total=num_inference_steps) as progress:
            for i, t in enumerate(self.scheduler.timesteps):
                arguments = (x, y, t.expand(batch))
                with self.transformer.cache_context("cond"):
                    out = self.transformer(*arguments, words, given)
                video, audio = out.sample, out.audio_sample
                if guided:
                    with self.transformer.cache_context("uncond"):
                        away = self.transformer(*arguments, unwanted, given)
                    video = away.sample + guidance_scale * (video - away.sample)
                    audio = away.audio_sample + guidance_scale * (audio - away.audio_sample)
                x = self.scheduler.step(video, t, x, return_dict=False)[0]
                y = audio_scheduler.step(audio, t, y, return_dict=False)[0]
                if callback_on_step_end is not None:
                    held = {"latents": x, "audio_latents": y}
                    names = callback_on_step_end_tensor_inputs
                    changed = callback_on_step_end(self, i, t, {n: held[n] for n in names})
                    x, y = changed.get("latents", x), changed.get("audio_latents", y)
                progress.update()
        self.maybe_free_model_hooks()
        if output_type == "latent":
            frames, sound = x, y
        else:
            frames = (x.float().permute(0, 1, 3, 4, 2) / 2 + 0.5).clamp(0, 1)
            sound = from_rows(y.float() / SOUND_SCALE, HOP)[:, None].clamp(-1, 1)
            if output_type == "np":
                frames, sound = frames.cpu().numpy(), sound.cpu().numpy()
        if not return_dict:
            return frames, sound
        return EmberPipelineOutput(frames=frames, audio=sound)


def _start(
    shape: tuple[int, ...],
    given: torch.Tensor | None,
    generator: torch.Generator | list[torch.Generator] | None,
    device: torch.device,
    dtype: torch.dtype,
) -> torch.Tensor:
    """The noise to start from: a copy of the caller's own, or fresh."""
    if given is not None:
        return given.to(device, dtype, copy=True)
    return randn_tensor(shape, generator=generator, device=device, dtype=dtype)
