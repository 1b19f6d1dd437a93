"""Anatomy: the parts of a denoiser that can be tapped, found by how they are built, not by name."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import torch.nn as nn

from phosphene.errors import PhospheneError

_DENOISERS = ("transformer", "transformer_2", "unet", "denoiser", "dit", "prior", "decoder")
_UNET_PARTS = ("down_blocks", "mid_block", "up_blocks")
_ATTENTION = ("attn1", "attn", "self_attn", "attention", "self_attention")
_CROSS = ("attn2", "cross_attn", "cross_attention")
_MLP = ("ff", "ffn", "mlp", "feed_forward")
_SKIPPING = ("cache", "broadcast", "fbc_")  # in the names of hooks that leave out blocks

Parts = tuple[nn.Module, ...]


@dataclass(frozen=True)
class Layer:
    """A block of a denoiser.

    Args:
        number: its place in the order in which blocks run, over all denoisers.
        name: dotted, from the pipeline: `transformer.blocks.3`.
        block: the module.
        attention, cross, mlp: its parts, as far as they are recognised; a UNet's stage has several
            of each, a transformer's block one.
    """

    number: int
    name: str
    block: nn.Module
    attention: Parts
    cross: Parts
    mlp: Parts

    @property
    def row(self) -> str:
        """The list of blocks that it belongs to."""
        return self.name.rpartition(".")[0]

    def parts(self, site: str) -> Parts:
        """The modules that a site is read at."""
        if site in ("residual", "text"):
            return (self.block,)
        if site in ("query", "key", "head", "map"):
            return self.attention
        return self.cross if site == "cross_map" else getattr(self, site)


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
        modules = list(part.modules())
        if any(map(_compiled, modules)):
            raise PhospheneError(
                f"{kind}.{name} is compiled, and compiled blocks can't be read; open the backbone "
                f"without compile"
            )
        if getattr(part, "is_cache_enabled", False) or any(map(_skips, modules)):
            raise PhospheneError(
                f"{kind}.{name} skips blocks by a step cache; open the backbone without cache"
            )
    return found


def _compiled(module: nn.Module) -> bool:
    """Compiled as a wrapper, or in place."""
    return "_orig_mod" in module._modules or module._compiled_call_impl is not None


def _skips(module: nn.Module) -> bool:
    registry = vars(module).get("_diffusers_hook")
    return registry is not None and any(w in name for name in registry.hooks for w in _SKIPPING)


def layers(pipeline: Any, found: Mapping[str, nn.Module] | None = None) -> list[Layer]:
    """All blocks of all denoisers, in the order in which they run.

    Args:
        found: the denoisers, if they are known already.

    Raises:
        PhospheneError: a denoiser in which no row of blocks is found.
    """
    out: list[Layer] = []
    for name, denoiser in (found or denoisers(pipeline)).items():
        blocks = list(_blocks(denoiser))
        if not blocks:
            raise PhospheneError(
                f"{type(pipeline).__name__}.{name} ({type(denoiser).__name__}) can't be tapped: no "
                f"row of blocks is found in it"
            )
        for path, block in blocks:
            parts = (_parts(block, names) for names in (_ATTENTION, _CROSS, _MLP))
            out.append(Layer(len(out), f"{name}.{path}", block, *parts))
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


def _parts(block: nn.Module, names: tuple[str, ...]) -> Parts:
    """Self-attention, cross-attention or feed-forward of a block, by the names diffusers gives
    them; of a stage, those of all the transformer blocks in it."""
    children = dict(block.named_children())
    own = next((children[n] for n in names if n in children), None)
    if own is not None:
        return (own,)
    inner = (
        module for name, module in block.named_modules() if name.rpartition(".")[2] == names[0]
    )
    return tuple(inner)
