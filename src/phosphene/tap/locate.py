"""Locate: which token is which part of which frame, found by trying, not by knowing the model.

One frame (row, column) of the denoiser's input is changed at a time, and the tokens that change
before the first block are the ones it went into. Every patch embedding is local, so this tells the
place of every token of any model whose input is laid out in space, whatever it puts beside them
(text, sound, registers). Inputs that arrive as a row of packed patches are laid out by the numbers
that the call carries.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from functools import lru_cache
from types import MethodType
from typing import Any

import numpy as np
import torch
import torch.nn as nn

from phosphene.tap.layout import Layout, grid

_LATENTS = ("hidden_states", "sample", "x")
_CHANNELS = ("in_channels", "in_visual_dim", "latent_channels")
_SOUND = ("audio", "sound")
_TEXT = ("encoder_hidden_states", "text", "prompt", "cap_", "context")


def find(denoiser: nn.Module, block: nn.Module, call: Mapping[str, Any]) -> Layout | None:
    """The layout of the tokens that enter a block of a denoiser; None if it can't be told.

    Args:
        block: the first one of a row.
        call: arguments of a call of the denoiser, by name; it is called again with small changes,
            up to that block.
    """
    call = dict(call)
    if isinstance(call.get("timestep"), torch.Tensor):
        # Half as noisy: a model may shut its eyes to pure noise.
        call["timestep"] = (call["timestep"] / 2).to(call["timestep"].dtype)
    latents, put = sample_of(call)
    if latents is None:
        return None

    def seen(changed: dict[str, Any]) -> torch.Tensor:
        return _entering(denoiser, block, changed)

    try:
        if latents.ndim == 3:
            found = _packed(latents, lambda new: seen(put(new)), call)
        else:
            tried = (
                _spatial(latents, a, lambda new: seen(put(new))) for a in _axes(denoiser, latents)
            )
            found = next((layout for layout in tried if layout is not None), None)
        return _labelled(found, call, seen) if found else None
    except _NotThere:
        return None


def named(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a call, all by name; where a forward takes anything, what comes first is
    taken for the hidden states."""
    method = getattr(module.forward, "__func__", None)
    signature = inspect.signature(module.forward) if method is None else _signature(method)
    bound = signature.bind(*args, **kwargs).arguments
    for name, parameter in signature.parameters.items():
        if parameter.kind is parameter.VAR_KEYWORD:
            bound |= bound.pop(name, {})
        elif parameter.kind is parameter.VAR_POSITIONAL:
            spread = bound.pop(name, ())
            bound = ({"hidden_states": spread[0]} if spread else {}) | bound
    return bound


@lru_cache(maxsize=128)
def _signature(method: Any) -> inspect.Signature:
    """Of a method when it is bound; looked up at every call of a denoiser."""
    return inspect.signature(MethodType(method, object()))


def sample_of(
    call: dict[str, Any],
) -> tuple[torch.Tensor | None, Callable[[torch.Tensor], dict[str, Any]]]:
    """The sample among a call's arguments, and how to put another in its place."""
    name = next((n for n in _LATENTS if n in call), "")
    held = call.get(name)

    def put(new: torch.Tensor) -> dict[str, Any]:
        return {**call, name: list(new) if isinstance(held, list) else new}

    if isinstance(held, list) and held and all(t.shape == held[0].shape for t in held):
        return torch.stack(held), put
    return (held if isinstance(held, torch.Tensor) else None), put


def _labelled(
    layout: Layout, call: dict[str, Any], seen: Callable[[dict[str, Any]], torch.Tensor]
) -> Layout:
    """The layout with its text and sound told apart: tokens beside the picture that move with an
    input of that kind."""
    if not len(layout.others):
        return layout
    base = seen(call)
    parts: dict[str, np.ndarray] = {}
    for name, value in call.items():
        kind = part_of(name)
        changed = None if kind is None else _stirred(value)
        if kind is None or changed is None:
            continue
        moved = moving(seen({**call, name: changed}), base)
        here = np.intersect1d(moved, layout.others)
        if len(here) and not np.isin(moved, np.flatnonzero(layout.places[:, 0] >= 0)).any():
            parts[kind] = np.union1d(parts.get(kind, np.empty(0, int)), here)
    return Layout(layout.places, parts)


def part_of(name: str) -> str | None:
    """What an argument of this name brings in: `sound`, `text` or neither."""
    if any(word in name for word in _SOUND):
        return "sound"
    return "text" if any(word in name for word in _TEXT) else None


def _stirred(value: Any) -> Any:
    """Rows of numbers, changed throughout; None for anything else."""
    if isinstance(value, list) and value and all(isinstance(v, torch.Tensor) for v in value):
        return [stirred(v) for v in value]
    if isinstance(value, torch.Tensor) and value.is_floating_point() and value.ndim >= 2:
        return stirred(value)
    return None


def stirred(value: torch.Tensor) -> torch.Tensor:
    """A tensor plus a wave along its last axis: neither a mean nor a norm takes it out again."""
    return value + torch.linspace(-1, 2, value.shape[-1], device=value.device).to(value)


def moving(tokens: torch.Tensor, base: torch.Tensor) -> np.ndarray:
    """Numbers of the tokens `(b, tokens, width)` that differ; all of them where shapes do."""
    if tokens.shape != base.shape:
        return np.arange(base.shape[1])
    return (tokens != base).any(2).any(0).nonzero().flatten().cpu().numpy()


def _axes(denoiser: nn.Module, latents: torch.Tensor) -> list[tuple[int, ...]]:
    """Axes that may be those of frames (if any), rows and columns: all but the channels, the
    likeliest first. Where channels are taken for places no places are found, since every token
    answers to every channel."""
    if latents.ndim != 5:
        return [(2, 3)] if latents.ndim == 4 else []
    config: Any = getattr(denoiser, "config", {})
    width = next((config[n] for n in _CHANNELS if n in config), 3)
    ways = {1: (2, 3, 4), 2: (1, 3, 4), 4: (1, 2, 3)}
    return [ways[c] for c in sorted(ways, key=lambda c: latents.shape[c] != width)]


def _spatial(
    latents: torch.Tensor, axes: tuple[int, ...], seen: Callable[[torch.Tensor], torch.Tensor]
) -> Layout | None:
    # On noise: in a blank picture a norm makes any change the largest thing everywhere.
    noise = torch.randn(latents.shape, generator=torch.Generator().manual_seed(0))
    latents = noise.to(latents)
    base = seen(latents)
    if base.ndim != 3 or len(base) != len(latents):
        return None  # no tokens, or frames that lie along the batch
    answers = [
        torch.stack([_answer(latents, a, i, seen, base) for i in range(latents.shape[a])])
        for a in axes
    ]
    touched = np.any([(answer > 0).any(0).numpy() for answer in answers], 0)
    tried = (
        _placed([ranks(a) for a in answers], touched) for ranks in (_ranks, _ranks_by_strength)
    )
    return next((layout for layout in tried if layout is not None), None)


def _placed(columns: list[np.ndarray], touched: np.ndarray) -> Layout | None:
    """The layout of tokens with those coordinates, if each part of the picture has one token."""
    if len(columns) == 2:
        columns = [np.zeros(len(touched), int), *columns]
    places = np.where(touched[:, None], np.stack(columns, 1), -1)
    inside = places[places[:, 0] >= 0]
    if not len(inside) or len(np.unique(inside, axis=0)) != len(inside):
        return None
    return Layout(places) if len(inside) == (inside.max(0) + 1).prod() else None


def _answer(
    latents: torch.Tensor,
    axis: int,
    index: int,
    seen: Callable[[torch.Tensor], torch.Tensor],
    base: torch.Tensor,
) -> torch.Tensor:
    """How much each token moves when one slice of the input does, `(tokens,)`."""
    changed = latents.clone()
    # Alternating, so that neither a mean nor a norm takes it out again.
    slice_ = changed.select(axis, index)
    wave = torch.linspace(-1, 2, slice_[0].numel(), device=slice_.device, dtype=slice_.dtype)
    slice_ += wave.reshape(slice_[0].shape)
    return (seen(changed) - base).float().abs().mean((0, 2)).cpu()


def _ranks(answers: torch.Tensor) -> np.ndarray:
    """Coordinate of each token along one axis: tokens of one coordinate answer to the same slices.

    Args:
        answers: `(slices, tokens)`.
    """
    support = (answers > 0).T.numpy()
    centre = (np.arange(support.shape[1]) * support).sum(1) / np.maximum(support.sum(1), 1)
    kinds, which = np.unique(support, axis=0, return_inverse=True)
    which = which.ravel()
    middle = np.array([centre[which == k].mean() for k in range(len(kinds))])
    middle[~kinds.any(1)] = -1
    order = np.argsort(middle, kind="stable")
    rank = np.empty(len(kinds), int)
    rank[order] = np.arange(len(kinds)) - int((~kinds.any(1)).any())
    return rank[which]


def _ranks_by_strength(answers: torch.Tensor) -> np.ndarray:
    """Coordinate of each token along one axis, where a norm over the picture or a deep stem lets
    every slice move every token a little: by the slices that move it most.

    Args:
        answers: `(slices, tokens)`.
    """
    weights = (answers - answers.median(0).values).clamp_min(0).square().numpy()
    centre = (np.arange(len(weights))[:, None] * weights).sum(0) / np.maximum(weights.sum(0), 1e-30)
    touched = weights.any(0)
    rank = np.zeros(len(centre), int)
    order = np.flatnonzero(touched)[np.argsort(centre[touched], kind="stable")]
    rank[order] = np.arange(len(order)) // max(_clearest(centre[order], len(weights)), 1)
    return rank


def _clearest(centres: np.ndarray, slices: int) -> int:
    """Size of the groups that sorted centres fall into: all are as large, as a grid has it, and the
    least gap between two of them is the largest beside the widest gap within one."""
    n, gaps = len(centres), np.diff(centres)
    sizes, clear = [n], [1.0]
    for size in (n // k for k in range(2, slices + 1) if n and n % k == 0):
        between = np.arange(1, n // size) * size - 1
        within = np.delete(gaps, between).max(initial=0)
        sizes.append(size)
        clear.append(gaps[between].min() / max(within, 1e-9))
    return sizes[int(np.argmax(clear))]


def _packed(
    latents: torch.Tensor, seen: Callable[[torch.Tensor], torch.Tensor], call: dict[str, Any]
) -> Layout | None:
    """Patches in a row: their numbers come with the call, their offset is tried."""
    places = told(latents.shape[1], call)
    if places is None:
        return None
    base = seen(latents)
    changed = latents.clone()
    changed[:, 0] = stirred(latents[:, 0])
    moved = moving(seen(changed), base)
    if len(moved) != 1 or int(moved[0]) + len(places) > base.shape[1]:
        return None
    return Layout(places).shifted(int(moved[0]), base.shape[1])


def told(tokens: int, call: dict[str, Any]) -> np.ndarray | None:
    """Places of packed patches `(tokens, 3)`, from what the call says.

    Pictures to be edited follow the one being made, as frames after the first.
    """
    whole = [n for n in map(call.get, ("num_frames", "height", "width")) if isinstance(n, int)]
    if len(whole) == 3 and np.prod(whole) == tokens:
        return grid(*whole).places
    shapes = call.get("img_shapes")
    if shapes:
        listed = shapes[0] if isinstance(shapes[0], list) else shapes[:1]
        return _side_by_side([grid(*map(int, shape)).places for shape in listed], tokens)
    ids = call.get("img_ids")
    if isinstance(ids, torch.Tensor) and ids.shape[-2] == tokens:
        numbers = ids.reshape(-1, tokens, ids.shape[-1])[0, :, :3].cpu()
        frames = np.unique(numbers[:, 0], return_inverse=True)[1]
        parts = [numbers[frames == f] for f in range(frames.max() + 1)]
        if not np.array_equal(frames, np.sort(frames)):
            return None
        return _side_by_side([_ranked(part) for part in parts], tokens)
    return None


def _ranked(numbers: torch.Tensor) -> np.ndarray:
    """Numbers of one picture's patches `(tokens, 3)`, counted from 0 without gaps."""
    columns = [np.unique(column, return_inverse=True)[1] for column in numbers.T]
    return np.stack(columns, 1)


def _side_by_side(parts: list[np.ndarray], tokens: int) -> np.ndarray | None:
    """The first part, then those of its size as further frames; others have no place in it."""
    out, frames = [], 0
    for part in parts:
        same = np.array_equal(part[:, 1:].max(0), parts[0][:, 1:].max(0))
        out.append(part + np.array([frames, 0, 0]) if same else np.full_like(part, -1))
        frames += (int(part[:, 0].max()) + 1) * same
    places = np.concatenate(out)
    inside = places[places[:, 0] >= 0]
    single = len(np.unique(inside, axis=0)) == len(inside)
    return places if single and len(places) == tokens else None


class _Entered(BaseException):
    """Carries a block's input out of a call. Not an Exception: no model handles it."""

    def __init__(self, tokens: torch.Tensor) -> None:
        super().__init__()
        self.tokens = tokens


class _NotThere(Exception):
    """A block that a call does not reach, or that is not handed tokens."""


def _entering(denoiser: nn.Module, block: nn.Module, call: dict[str, Any]) -> torch.Tensor:
    """The tokens that enter `block` in a call of the denoiser, which ends there."""

    def stop(module: nn.Module, inner: tuple, named: dict[str, Any]) -> None:
        tokens = entered(inner, named)
        if tokens is None:
            raise _NotThere
        raise _Entered(tokens.detach().clone())

    handle = block.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with torch.no_grad():
            denoiser.forward(**call)
    except _Entered as found:
        return found.tokens
    finally:
        handle.remove()
    raise _NotThere


def entered(args: tuple, kwargs: dict[str, Any]) -> torch.Tensor | None:
    """The hidden states among a block's arguments."""
    named = next((kwargs[n] for n in ("hidden_states", "x") if n in kwargs), None)
    found = named if named is not None else (args[0] if args else None)
    return found if isinstance(found, torch.Tensor) else None
