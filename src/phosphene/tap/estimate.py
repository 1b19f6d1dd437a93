"""The clean sample that a denoiser's prediction implies, from the scheduler's own prediction type.

References:
    Denoising Diffusion Implicit Models (Song et al., 2020), equation 9, https://arxiv.org/abs/2010.02502
    Progressive Distillation (Salimans, Ho, 2022), section 4, https://arxiv.org/abs/2202.00512
    Elucidating the Design Space (Karras et al., 2022), equation 7, https://arxiv.org/abs/2206.00364
    Flow Matching (Lipman et al., 2022), https://arxiv.org/abs/2210.02747
    Simplifying Continuous-Time Consistency Models (Lu, Song, 2024), https://arxiv.org/abs/2410.11081
"""

from __future__ import annotations

from typing import Any

import torch

from phosphene.errors import PhospheneError

_FLOWS = ("FlowMatch", "LTXEulerAncestralRF")
_TYPES = ("epsilon", "v_prediction", "flow_prediction", "sample")


def clean(
    scheduler: Any,
    prediction: torch.Tensor,
    timestep: Any,
    sample: torch.Tensor,
    per_token: torch.Tensor | None = None,
) -> torch.Tensor:
    """x0 as this step expects it; call it before the scheduler steps.

        flow     x0 = x - sigma v                     x = (1 - sigma) x0 + sigma e
        epsilon  x0 = (x - s e) / a                   x = a x0 + s e
        v        x0 = a x - s v                       a^2 + s^2 = 1
        trig     x0 = cos(t) x - sin(t) v             x = cos(t) x0 + sin(t) e
        v (EDM)  x0 = x / (1 + sigma^2) - sigma v / sqrt(1 + sigma^2)     x = x0 + sigma e

    Args:
        scheduler: a diffusers scheduler whose timesteps are set.
        prediction: the denoiser's output after guidance, shaped like `sample`.
        timestep: the step's timestep.
        sample: x_t.
        per_token: timesteps of single tokens, where the call carries them.

    Raises:
        PhospheneError: a scheduler or prediction type whose formula isn't known.
    """
    kind = type(scheduler).__name__
    x, out = sample.float(), prediction.float()
    if x.shape != out.shape and x.ndim > 1 and out.shape[1] == 2 * x.shape[1]:
        out = out.chunk(2, 1)[0]  # the second half is a learned variance
    if kind.startswith(_FLOWS):
        sigma = _sigma(scheduler, timestep) if per_token is None else per_token[..., None] / 1000
        return x - sigma * out
    if hasattr(scheduler, "precondition_outputs"):
        return scheduler.precondition_outputs(x, out, _sigma(scheduler, timestep))
    told = getattr(scheduler.config, "prediction_type", None)
    if told == "trigflow":
        angle = torch.as_tensor(timestep, dtype=torch.float32)
        return torch.cos(angle) * x - torch.sin(angle) * out
    if told not in _TYPES:
        raise PhospheneError(f"x0 can't be told: {kind} predicts {told!r}, no known type")
    if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
        sigma = _sigma(scheduler, timestep)
        if told == "flow_prediction":
            return x - sigma * out
        return _solved(kind, told, x, out, *scheduler._sigma_to_alpha_sigma_t(sigma))
    if hasattr(scheduler, "sigmas"):
        sigma = _sigma(scheduler, timestep)
        scale = (1 + sigma**2) ** 0.5
        # x = x0 + sigma e is scale times the variance-preserving sample.
        return _solved(kind, told, x / scale, out, 1 / scale, sigma / scale)
    if hasattr(scheduler, "alphas_cumprod"):
        share = scheduler.alphas_cumprod[int(timestep)].to(x)
        return _solved(kind, told, x, out, share**0.5, (1 - share) ** 0.5)
    raise PhospheneError(f"x0 can't be told: no formula is known for scheduler {kind}")


def _solved(kind: str, told: str, x: Any, out: Any, a: Any, s: Any) -> torch.Tensor:
    """x0 from x = a x0 + s e, by what is predicted."""
    if told == "epsilon":
        return (x - s * out) / a
    if told == "v_prediction":
        return a * x - s * out
    if told == "sample":
        return out
    raise PhospheneError(f"x0 can't be told: {kind} has no levels of noise for {told!r}")


def mixture(scheduler: Any, timestep: Any) -> tuple[Any, Any]:
    """The (a, s) of x = a x0 + s e, for the sample that a step has just given back.

    Args:
        scheduler: one that has just stepped.
        timestep: that step's own.

    Raises:
        PhospheneError: a scheduler whose formula isn't known, or that has no step left.
    """
    kind = type(scheduler).__name__
    if hasattr(scheduler, "sigmas"):
        if getattr(scheduler, "step_index", None) is None:
            timestep = _following(scheduler, timestep)
        sigma = _sigma(scheduler, timestep)
        if kind.startswith(_FLOWS):
            return 1 - sigma, sigma
        told = getattr(scheduler.config, "prediction_type", None)
        if told == "trigflow":
            angle = torch.as_tensor(_following(scheduler, timestep), dtype=torch.float32)
            return torch.cos(angle), torch.sin(angle)
        if hasattr(scheduler, "_sigma_to_alpha_sigma_t"):
            return scheduler._sigma_to_alpha_sigma_t(sigma)
        return 1.0, sigma
    if hasattr(scheduler, "alphas_cumprod"):
        share = scheduler.alphas_cumprod[int(_following(scheduler, timestep))]
        return share**0.5, (1 - share) ** 0.5
    raise PhospheneError(f"its noise can't be told: no formula is known for scheduler {kind}")


def _following(scheduler: Any, timestep: Any) -> Any:
    """The timestep after this one."""
    listed = [float(t) for t in scheduler.timesteps]
    places = [i for i, t in enumerate(listed) if t == float(timestep)]
    if not places or places[-1] + 1 >= len(listed):
        raise PhospheneError(f"no step follows timestep {float(timestep):g}")
    return scheduler.timesteps[places[-1] + 1]


def level(scheduler: Any, timestep: Any) -> float | None:
    """The step's noise level sigma as the scheduler counts it, None where it has none."""
    if getattr(scheduler, "sigmas", None) is not None:
        return float(_sigma(scheduler, timestep))
    if hasattr(scheduler, "alphas_cumprod"):
        share = float(scheduler.alphas_cumprod[int(timestep)])
        return ((1 - share) / share) ** 0.5 if share > 0 else float("inf")
    return None


def _sigma(scheduler: Any, timestep: Any) -> torch.Tensor:
    """The noise level that the next call of `scheduler.step` works at."""
    index = getattr(scheduler, "step_index", None)
    if index is None:
        index = getattr(scheduler, "begin_index", None)
    if index is None:
        find = getattr(scheduler, "index_for_timestep", None)
        if find is None:
            raise PhospheneError(
                f"x0 can't be told: {type(scheduler).__name__} does not say which noise level a "
                f"timestep has"
            )
        index = find(torch.as_tensor(timestep))
    # Between the two halves of a second-order step some keep the level apart.
    between = getattr(scheduler, "sigmas_interpol", None)
    if between is None or scheduler.state_in_first_order:
        return scheduler.sigmas[index]
    return between[index - 1 if "Ancestral" in type(scheduler).__name__ else index]
