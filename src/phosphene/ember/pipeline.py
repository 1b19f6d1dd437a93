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
from phosphene.ember.passes import Schedule, passes
from phosphene.ember.sound import from_rows
from phosphene.ember.words import word_ids
from phosphene.ember.world import HOP, SOUND_SCALE


@dataclass
class EmberPipelineOutput(BaseOutput):
    """`frames` `(b, t, h, w, 3)` in 0..1 (numpy or torch), `audio` `(b, 1, samples)` in -1..1."""

    frames: np.ndarray | torch.Tensor
    audio: np.ndarray | torch.Tensor


class EmberPipeline(DiffusionPipeline):
    """Joint audio-video generation from words and, if given, first frames and the last one.

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

    def _frame(self, image: PipelineImageInput, batch: int, latents: torch.Tensor) -> torch.Tensor:
        """A given picture, or one for each sample, as `(b, 3, h, w)` in -1..1."""
        size = self.transformer.config.size
        pixels = self.image_processor.preprocess(image, height=size, width=size).to(latents)
        if len(pixels) not in (1, batch):
            raise ValueError(f"{len(pixels)} images for a batch of {batch}; give 1 or {batch}")
        return pixels.expand(batch, -1, -1, -1)

    def _givens(
        self, image: Any, last_image: Any, video: Any, latents: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """`latents` with the given pictures in their places, and where they are: bool `(b, f)`."""
        batch, frames = latents.shape[:2]
        if image is not None and video is not None:
            raise ValueError("image and video both give the first frame; pass one of them")
        pictures = [] if image is None else [image]
        if video is not None:
            pictures = list(video.unbind(1)) if _is_batch(video) else list(video)
        if len(pictures) >= frames and frames > 1:
            raise ValueError(f"{len(pictures)} given frames leave none of {frames} to draw")
        placed = list(enumerate(pictures))
        if last_image is not None:
            placed.append((frames - 1, last_image))
        given = torch.zeros(batch, frames, dtype=torch.bool, device=latents.device)
        for place, picture in placed:
            pixels = self._frame(picture, batch, latents)
            latents[:, place], given[:, place] = pixels, True
        return latents, given

    @torch.no_grad()
    def __call__(
        self,
        prompt: str | list[str] = "",
        image: PipelineImageInput | None = None,
        last_image: PipelineImageInput | None = None,
        video: list[PipelineImageInput] | torch.Tensor | None = None,
        schedule: Schedule = "together",
        negative_prompt: str | list[str] = "",
        height: int = 64,
        width: int = 64,
        num_frames: int = 9,
        num_inference_steps: int = 8,
        guidance_scale: float = 1.0,
        looks: int | None = None,
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
            video: the first frames, one or more, to be continued: each like `image`, or a tensor
                `(b, frames, 3, h, w)` in 0..1.
            schedule: all frames "together", or "frame-by-frame": each is denoised with the clean
                ones before it in view (and the last, if given), none of those after it.
            negative_prompt: what guidance leads away from.
            height, width: 64.
            num_frames: 1 to 9.
            num_inference_steps: Euler steps; as many for each frame if drawn frame by frame.
            guidance_scale: classifier-free guidance; 1 is off.
            looks: how often given pictures are looked over before anything is drawn; the model's
                own number when None. More is longer thought.
            generator: one, or one for each sample.
            latents, audio_latents: the starting noise `(b, f, 3, 64, 64)` and `(b, f, 1000)`.
            output_type: "np", "pt" or "latent" (the sample in -1..1 and the sound's rows).

        Raises:
            ValueError: a size, frame count, number of images, schedule or number of looks it has
                no place for.
        """
        if looks is not None and looks < 0:
            raise ValueError(f"looks must be 0 or more; got {looks}")
        self.check_inputs(height, width, num_frames)
        prompt = [prompt] if isinstance(prompt, str) else list(prompt)
        batch, device, dtype = len(prompt), self._execution_device, self.transformer.dtype
        guided = guidance_scale != 1
        words = self.encode_prompt(prompt)
        negative = [negative_prompt] if isinstance(negative_prompt, str) else negative_prompt
        unwanted = self.encode_prompt(list(negative)).expand_as(words)
        x = self.prepare_latents(batch, num_frames, dtype, device, generator, latents)
        y = self.prepare_audio_latents(batch, num_frames, dtype, device, generator, audio_latents)
        x, given = self._givens(image, last_image, video, x)
        order = passes(schedule, given[0].tolist())
        bar: Any = self.progress_bar
        with bar(total=num_inference_steps * len(order)) as progress:
            for n, roles in enumerate(order):
                # A scheduler counts its steps, so sound needs a counter of its own.
                audio_scheduler: Any = type(self.scheduler).from_config(self.scheduler.config)
                for scheduler in (self.scheduler, audio_scheduler):
                    scheduler.set_timesteps(num_inference_steps, device=device)
                seen = torch.tensor(list(roles), device=device)
                done, drawn = (
                    torch.tensor([r == role for r in roles.values()], device=device)
                    for role in ("done", "drawn")
                )
                known: dict[str, Any] = {"given": given[:, seen] | done, "looks": looks}
                known["frame_ids"] = seen.expand(batch, -1)
                for i, t in enumerate(self.scheduler.timesteps):
                    level = t if drawn.all() else torch.where(drawn, t, 1000.0 * ~done)
                    arguments = (x[:, seen], y[:, seen], level.expand(batch, *level.shape))
                    with self.transformer.cache_context("cond"):
                        out = self.transformer(*arguments, words, **known)
                    velocity, audio = out.sample, out.audio_sample
                    if guided:
                        with self.transformer.cache_context("uncond"):
                            away = self.transformer(*arguments, unwanted, **known)
                        velocity = away.sample + guidance_scale * (velocity - away.sample)
                        audio = away.audio_sample + guidance_scale * (audio - away.audio_sample)
                    stepped = self.scheduler.step(velocity, t, x[:, seen], return_dict=False)[0]
                    sounded = audio_scheduler.step(audio, t, y[:, seen], return_dict=False)[0]
                    x = x.index_copy(1, seen[drawn], stepped[:, drawn])
                    y = y.index_copy(1, seen[drawn], sounded[:, drawn])
                    if callback_on_step_end is not None:
                        held = {"latents": x, "audio_latents": y}
                        names = callback_on_step_end_tensor_inputs
                        step = n * num_inference_steps + i
                        changed = callback_on_step_end(self, step, t, {k: held[k] for k in names})
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


def _is_batch(video: Any) -> bool:
    if not isinstance(video, torch.Tensor):
        return False
    if video.ndim != 5:
        raise ValueError(f"video wants (b, frames, 3, h, w); got {tuple(video.shape)}")
    return True


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
