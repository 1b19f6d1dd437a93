"""Blend prompt: a sample lies between two prompts."""

from __future__ import annotations

import contextlib
import inspect
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch

from phosphene.errors import PhospheneError
from phosphene.request import Request
from phosphene.steer import Steer, number


@dataclass(frozen=True)
class BlendPrompt(Steer):
    """The prompt's embedding, on the great circle between the request's own and another's.

    Tokens are blended one by one: directions by slerp, lengths linearly. Masks of both prompts are
    joined, but at the ends. Where one prompt is longer and nothing is padded, its last tokens fade
    in.

    Args:
        prompt: the other prompt.
        share: 0 (the request's own) to 1 (the other).
    """

    prompt: str
    share: float

    name: ClassVar[str] = "blend_prompt"

    def __post_init__(self) -> None:
        number(self.name, "share", self.share, 0, 1)
        if not isinstance(self.prompt, str):
            raise PhospheneError(f"prompt of 'blend_prompt' must be words; got {self.prompt!r}")

    def check(self, pipeline: type, adapters: Collection[str]) -> None:
        method = getattr(pipeline, "encode_prompt", None)
        if method is None or "prompt" not in inspect.signature(method).parameters:
            raise PhospheneError(
                f"blend_prompt can't be honoured: {pipeline.__name__} has no encode_prompt to blend"
            )

    @classmethod
    @contextlib.contextmanager
    def applied(
        cls, rows: Sequence[BlendPrompt], pipeline: Any, requests: Sequence[Request]
    ) -> Iterator[None]:
        encode = pipeline.encode_prompt
        signature = inspect.signature(type(pipeline).encode_prompt)
        own, others = [r.prompt for r in requests], [row.prompt for row in rows]

        def blended(*args: Any, **kwargs: Any) -> Any:
            given = signature.bind(pipeline, *args, **kwargs)
            held = given.arguments.get("prompt")
            if ([held] if isinstance(held, str) else held) != own:
                return encode(*args, **kwargs)
            first = encode(*args, **kwargs)
            if not any(row.share for row in rows):
                return first
            given.arguments["prompt"] = others[0] if isinstance(held, str) else others
            second = encode(*given.args[1:], **given.kwargs)
            return between(first, second, [row.share for row in rows])

        held = vars(pipeline)
        before = held.get("encode_prompt")
        held["encode_prompt"] = blended
        try:
            yield
        finally:
            if before is None:
                del held["encode_prompt"]
            else:
                held["encode_prompt"] = before


def between(first: Any, second: Any, shares: Sequence[float]) -> Any:
    """Two encodings of a batch, blended sample by sample.

    Args:
        first, second: tensors with rows in order of the samples, once or several times over, or
            tuples and lists of such; a list of one tensor a sample will do too.
        shares: one a sample.

    Raises:
        PhospheneError: encodings of different kinds.
    """
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        first, second = _padded(first, second)
        if torch.equal(first, second):
            return first
        each = [shares[i % len(shares)] for i in range(len(first))]
        row = torch.tensor(each, device=first.device).reshape(-1, *[1] * (first.ndim - 1))
        if first.is_floating_point():
            return slerp(first, second, row)
        joined = torch.maximum(first, second)
        return torch.where(row <= 0, first, torch.where(row >= 1, second, joined))
    if isinstance(first, list | tuple):
        each = isinstance(first, list) and len(first) == len(shares) > 1
        parts = [
            between(a, b, [shares[i]] if each else shares)
            for i, (a, b) in enumerate(zip(first, second, strict=True))
        ]
        return type(first)(parts)
    return first


def _padded(first: torch.Tensor, second: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Two encodings with zeros after the shorter one: tokens that only one prompt has fade in."""
    if first.ndim != second.ndim or (first.ndim > 2 and first.shape[-1] != second.shape[-1]):
        raise PhospheneError(
            f"blend_prompt can't be honoured: the prompts are encoded as {tuple(first.shape)} and "
            f"{tuple(second.shape)}"
        )
    sizes = [max(a, b) for a, b in zip(first.shape, second.shape, strict=True)]
    return (_grown(first, sizes), _grown(second, sizes))


def _grown(part: torch.Tensor, sizes: Sequence[int]) -> torch.Tensor:
    missing = [n for size, own in zip(sizes, part.shape, strict=True) for n in (size - own, 0)]
    return torch.nn.functional.pad(part, missing[::-1])


def slerp(a: torch.Tensor, b: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
    """Between two tensors along the last axis: directions on the great circle, lengths linearly.

    Args:
        a, b: `(..., width)`.
        share: `(..., 1)`, 0 for a to 1 for b.
    """
    x, y, t = a.float(), b.float(), share
    long = [v.norm(dim=-1, keepdim=True) for v in (x, y)]
    u, v = (w / n.clamp_min(1e-12) for w, n in zip((x, y), long, strict=True))
    # What has no length has no direction either: it takes the other's.
    u, v = torch.where(long[0] > 0, u, v), torch.where(long[1] > 0, v, u)
    angle = torch.acos((u * v).sum(-1, keepdim=True).clamp(-1, 1))
    sine = torch.sin(angle)
    # Where directions agree, or oppose each other, no great circle is given: the straight line.
    flat = sine < 1e-4
    safe = torch.where(flat, 1.0, sine)
    p = torch.where(flat, 1 - t, torch.sin((1 - t) * angle) / safe)
    q = torch.where(flat, t, torch.sin(t * angle) / safe)
    return ((p * u + q * v) * ((1 - t) * long[0] + t * long[1])).to(a)


COMPONENT = BlendPrompt
