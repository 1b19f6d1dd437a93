"""The pipeline of an organism: a first frame in, a clip out, in the manner of diffusers."""

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

from phosphene.testing.organisms.network import OrganismTransformer


@dataclass
class OrganismPipelineOutput(BaseOutput):
    """`frames` `(b, t, h, w, 3)` in 0..1 (numpy or torch)."""

    frames: np.ndarray | torch.Tensor


class OrganismPipeline(DiffusionPipeline):
    """Video from its first frame, in pixels.

    Args:
        transformer: the denoiser.
        scheduler: flow-matching Euler.
    """

    model_cpu_offload_seq = "transformer"

    def __init__(
        self, transformer: OrganismTransformer, scheduler: FlowMatchEulerDiscreteScheduler
    ) -> None:
        super().__init__()
        self.register_modules(transformer=transformer, scheduler=scheduler)
        self.image_processor = VaeImageProcessor(vae_scale_factor=1, do_convert_rgb=True)

    def check_inputs(self, height: int, width: int, num_frames: int) -> None:
        """Raise ValueError for what the denoiser has no places for."""
        config = self.transformer.config
        size = config.side * config.patch
        if (height, width, num_frames) != (size, size, config.frames):
            raise ValueError(
                f"an organism draws {config.frames} frames of {size}x{size}; got {num_frames} of "
                f"{width}x{height}"
            )

    @torch.no_grad()
    def __call__(
        self,
        image: PipelineImageInput,
        height: int = 32,
        width: int = 32,
        num_frames: int = 6,
        num_inference_steps: int = 6,
        generator: torch.Generator | list[torch.Generator] | None = None,
        latents: torch.Tensor | None = None,
        output_type: str = "np",
        return_dict: bool = True,
    ) -> OrganismPipelineOutput | tuple:
        """Draw.

        Args:
            image: first frame; several make a batch.
            height, width: 32.
            num_frames: 6.
            num_inference_steps: Euler steps.
            generator: one, or one for each sample.
            latents: the starting noise `(b, f, 3, h, w)`.
            output_type: "np", "pt" or "latent" (the sample in -1..1).

        Raises:
            ValueError: a size or frame count it has no place for.
        """
        self.check_inputs(height, width, num_frames)
        device, dtype = self._execution_device, self.transformer.dtype
        first = self.image_processor.preprocess(image, height=height, width=width)
        first = first.to(device, dtype)
        shape = (len(first), num_frames, 3, height, width)
        if latents is None:
            x = randn_tensor(shape, generator=generator, device=device, dtype=dtype)
        else:
            x = latents.to(device, dtype, copy=True)
        x[:, 0] = first
        given = torch.zeros(shape[:2], dtype=torch.bool, device=device)
        given[:, 0] = True
        levels = np.linspace(1, 1 / num_inference_steps, num_inference_steps).tolist()
        self.scheduler.set_timesteps(sigmas=levels, device=device)
        bar: Any = self.progress_bar
        with bar(total=num_inference_steps) as progress:
            for t in self.scheduler.timesteps:
                velocity = self.transformer(x, t.expand(len(x)), given).sample
                x = self.scheduler.step(velocity, t, x, return_dict=False)[0]
                progress.update()
        self.maybe_free_model_hooks()
        frames: Any = x
        if output_type != "latent":
            frames = (x.float().permute(0, 1, 3, 4, 2) / 2 + 0.5).clamp(0, 1)
            if output_type == "np":
                frames = frames.cpu().numpy()
        if not return_dict:
            return (frames,)
        return OrganismPipelineOutput(frames=frames)
