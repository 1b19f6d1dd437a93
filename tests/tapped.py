"""What the tests of the tap share: tiny pipelines, built once, and a call of each."""

from __future__ import annotations

from functools import cache
from typing import Any

import numpy as np
import pytest
import torch

from phosphene.testing import tiny

# One of each kind of denoiser and of batch, then the rest, which take minutes together.
QUICK = ["stable_diffusion", "flux_kontext", "wan_i2v", "cogvideox_i2v", "svd", "ltx2", "mochi"]
REST = [f for f in tiny.families() if f not in QUICK]
FAMILIES = [*QUICK, *(pytest.param(f, marks=pytest.mark.slow) for f in REST)]
PACKED = "cosmos3"  # hands its denoiser all samples in one row
every_family = pytest.mark.parametrize("family", FAMILIES)


@cache
def built(family: str) -> Any:
    pipeline = tiny.build(family)
    pipeline.set_progress_bar_config(disable=True)
    return pipeline


def call(family: str, pipeline: Any = None, **changes: Any) -> tuple[torch.Tensor, ...]:
    """The streams that an example call returns, not decoded, from one fixed seed."""
    given = tiny.example(family) | {"generator": torch.Generator().manual_seed(0)}
    if family not in ("stable_audio", "audioldm2"):  # these decode whatever is asked
        given["output_type"] = "latent"
    out = (pipeline or built(family))(**{**given, **changes}, return_dict=False)
    streams = out if isinstance(out, tuple) else (out,)
    return tuple(flat(s) for s in streams if s is not None and not isinstance(s, bool))


def flat(value: Any) -> torch.Tensor:
    """Whatever a pipeline returns, as one tensor."""
    if isinstance(value, torch.Tensor):
        return value.clone()
    if isinstance(value, list | tuple):
        return torch.cat([flat(v).flatten().double() for v in value])
    return torch.from_numpy(np.array(value))


def same(a: tuple[torch.Tensor, ...], b: tuple[torch.Tensor, ...]) -> bool:
    """Whether two calls returned the same, bit by bit."""
    return len(a) == len(b) and all(torch.equal(x, y) for x, y in zip(a, b, strict=True))


def state(pipeline: Any) -> list[Any]:
    """Everything that a tap might leave behind: attributes of classes, of instances, and hooks."""
    found: list[Any] = [torch.nn.functional.scaled_dot_product_attention]
    for kind in (type(pipeline), type(pipeline.scheduler)):
        found.append({k: v for k, v in vars(kind).items() if k in ("__call__", "step")})
    for part in pipeline.components.values():
        for module in part.modules() if isinstance(part, torch.nn.Module) else ():
            hooks = (module._forward_hooks, module._forward_pre_hooks)
            found.append((sorted(vars(module)), *(list(h) for h in hooks)))
    return found
