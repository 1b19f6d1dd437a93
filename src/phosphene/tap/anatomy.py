"""Anatomy: the parts of a denoiser that can be tapped, found by how they are built, not by name."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch.nn as nn

from phosphene.errors import PhospheneError

_DENOISERS = ("transformer", "transformer_2", "unet", "denoiser", "dit", "prior", "decoder")
_UNET_PARTS = ("down_blocks", "mid_block", "up_blocks")


@dataclass(frozen=True)
class Layer:
    """A block of a denoiser.

    Args:
        number: its place in the order in which blocks run, over all denoisers.
        name: dotted, from the pipeline: `transformer.blocks.3`.
        block: the module.
        attention, cross, mlp: its parts, None where it has none that is recognised.
    """

    number: int
    name: str
    block: nn.Module
    attention: nn.Module | None
    cross: nn.Module | None
    mlp: nn.Module | None

    @property
    def row(self) -> str:
        """The list of blocks that it belongs to."""
        return self.name.rpartition(".")[0]

    def part(self, site: str) -> nn.Module | None:
        """The module whose output a site reads."""
        if site in ("residual", "text"):
            return self.block
        return getattr(self, site)


def denoisers(pipeline: Any) -> dict[str, nn.Module]:
    """Attribute name -> the modules that a pipeline calls at every step.

    Raises:
        PhospheneError: none is recognised, or one is compiled or hides its blocks behind a cache.
    """
    found = {
        name: part
        for name in _DENOISERS
        if isinstance(part := getattr(pipeline, name, None), nn.Module)
    }
    kind = type(pipeline).__name__
    if not found:
        raise PhospheneError(
            f"{kind} can't be tapped: it has none of the denoisers {', '.join(_DENOISERS)}"
        )
    for name, part in found.items():
        if hasattr(part, "_orig_mod"):
            raise PhospheneError(
                f"{kind}.{name} is compiled, and compiled blocks can't be read; open the backbone "
                f"without compile"
            )
        if getattr(part, "is_cache_enabled", False):
            raise PhospheneError(
                f"{kind}.{name} skips blocks by a step cache; open the backbone without cache"
            )
    return found


def layers(pipeline: Any) -> list[Layer]:
    """All blocks of all denoisers, in the order in which they run.

    Raises:
        PhospheneError: a denoiser in which no row of blocks is found.
    """
    out: list[Layer] = []
    for name, denoiser in denoisers(pipeline).items():
        blocks = list(_blocks(denoiser))
        if not blocks:
            raise PhospheneError(
                f"{type(pipeline).__name__}.{name} ({type(denoiser).__name__}) can't be tapped: no "
                f"row of blocks is found in it"
            )
        for path, block in blocks:
            out.append(Layer(len(out), f"{name}.{path}", block, *_parts(block)))
    return out


def _blocks(denoiser: nn.Module) -> Iterator[tuple[str, nn.Module]]:
    """Dotted names and blocks. A UNet's blocks are its stages; a transformer's are the items of
    its lists of blocks, in the order in which they were made."""
    if all(hasattr(denoiser, part) for part in _UNET_PARTS):
        for part in _UNET_PARTS:
            stage: Any = getattr(denoiser, part)
            if isinstance(stage, nn.ModuleList):
                yield from ((f"{part}.{i}", block) for i, block in enumerate(stage))
            elif stage is not None:
                yield part, stage
        return
    for name, child in denoiser.named_children():
        if isinstance(child, nn.ModuleList) and any(map(_is_block, child)):
            yield from ((f"{name}.{i}", block) for i, block in enumerate(child))


def _is_block(module: nn.Module) -> bool:
    """A block attends: something in it has queries. A list that is never called is no block."""
    return not isinstance(module, nn.ModuleList) and any(
        _attends(part) for part in module.modules()
    )


def _attends(module: nn.Module) -> bool:
    return any(
        hasattr(module, name) for name in ("to_q", "to_qkv", "qkv", "to_query", "q_proj")
    ) or isinstance(module, nn.MultiheadAttention)


def _parts(block: nn.Module) -> tuple[nn.Module | None, nn.Module | None, nn.Module | None]:
    """Self-attention, cross-attention and feed-forward of a transformer block.

    By the names diffusers gives them: `attn`, `attn1` or `self_attn`; `attn2` or `cross_attn`;
    `ff`, `ffn` or `mlp`.
    """
    children = dict(block.named_children())

    def first(*names: str) -> nn.Module | None:
        return next((children[n] for n in names if n in children), None)

    return (
        first("attn1", "attn", "self_attn", "attention", "self_attention"),
        first("attn2", "cross_attn", "cross_attention"),
        first("ff", "ffn", "mlp", "feed_forward"),
    )
