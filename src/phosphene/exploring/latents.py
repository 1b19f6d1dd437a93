"""Latents: clean samples as a denoiser expects them, kept under the name of their content.

    DIR/latents/SHA256.safetensors      one tensor `latent`, float16, without the batch's axis

The name is the SHA-256 of the file's bytes. A request that refers to latents by name is made on any
machine that has the session they belong to.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from phosphene.backbone import Backbone
from phosphene.errors import PhospheneError
from phosphene.steer import shares
from phosphene.tap import Address, Read, Tap
from phosphene.tap.layout import Layout
from phosphene.tap.reduce import Reducer

if TYPE_CHECKING:
    from phosphene.request import Request

_places: list[Path] = []


def register(directory: str | Path) -> None:
    """Latents in `directory/latents` are found from now on, in this process."""
    place = Path(directory).resolve()
    if place not in _places:
        _places.append(place)


def store(directory: str | Path, latent: torch.Tensor) -> str:
    """Write a latent into `directory/latents`, in 16 bits; returns its name.

    Raises:
        PhospheneError: it holds NaN or infinite values, or what 16 bits have no room for.
    """
    from safetensors.torch import save

    half = latent.detach().to("cpu", torch.float16).contiguous()
    if not half.isfinite().all():
        raise PhospheneError("a latent holds NaN, infinite or huge values; it can't be kept")
    content = save({"latent": half})
    digest = hashlib.sha256(content).hexdigest()
    path = Path(directory) / "latents" / f"{digest}.safetensors"
    path.parent.mkdir(parents=True, exist_ok=True)
    if not path.exists():
        partial = path.with_suffix(".part")
        partial.write_bytes(content)
        partial.replace(path)
    return digest


def load(digest: str) -> torch.Tensor:
    """The latent of this name, float32, from one of the registered directories.

    Raises:
        PhospheneError: it is in none of them, or not what its name says.
    """
    for place in _places:
        path = place / "latents" / f"{digest}.safetensors"
        if path.is_file():
            return _read(path)
    raise PhospheneError(
        f"latent {digest[:12]} is not here: it lies in the session that it comes from; give that "
        f"session (its folder latents/) along"
    )


@functools.lru_cache(maxsize=256)
def _read(path: Path) -> torch.Tensor:
    from safetensors.torch import load as parsed

    content = path.read_bytes()
    if hashlib.sha256(content).hexdigest() != path.stem:
        raise PhospheneError(f"{path} is damaged: its content is not what its name says")
    return parsed(content)["latent"].float()


@contextlib.contextmanager
def keeping_latents(backbone: Backbone) -> Iterator[Mapping[Request, torch.Tensor]]:
    """The final latents of what the backbone makes inside, finished previews included.

    Yields:
        request (the object that was passed to `generate` or `advance`) -> x0 that its last step
        expected, of the main stream, float32 on the CPU, without the batch's axis.

    Raises:
        PhospheneError: a backbone that has none to give.
    """
    from phosphene.backbones.diffusers import DiffusersBackbone

    if not isinstance(backbone, DiffusersBackbone):
        raise PhospheneError(
            f"backbone {backbone.id!r} has no latents to keep: it is no diffusers pipeline"
        )
    with backbone.keeping() as kept:
        yield kept


def watcher(
    pipeline: Any, kept: dict[Request, torch.Tensor]
) -> Callable[[Sequence[Request]], AbstractContextManager[None]]:
    """What makes a context around one call of a pipeline, after which the final latents of its
    samples are in `kept`."""

    @contextlib.contextmanager
    def watching(requests: Sequence[Request]) -> Iterator[None]:
        latest = Latest()
        with Tap(pipeline, [Read("x0", latest)], runs=len(requests)):
            yield
        parts = shares(latest.values[0], len(requests)).float().cpu()
        kept.update(zip(requests, (p.flatten(0, 1) for p in parts), strict=True))

    return watching


class Latest(Reducer):
    """Holds the last value of each stream, uncopied, and keeps nothing.

    Attributes:
        values: stream -> value.
        step: of the last value of the main stream; -1 before.
    """

    def __init__(self) -> None:
        self.values: dict[int, torch.Tensor] = {}
        self.step = -1

    @property
    def sees_layout(self) -> bool:
        return False

    def __call__(self, value: torch.Tensor, layout: Layout | None, at: Address) -> None:
        self.values[at.stream] = value.detach()
        self.step = at.step if at.stream == 0 else self.step
