"""Layout: which token is which part of which frame, found by trying, not by knowing the model.

One frame (row, column) of the denoiser's input is changed at a time, and the tokens that change
before the first block are the ones it went into. Every patch embedding is local, so this tells the
place of every token of any model whose input is laid out in space, whatever it puts beside them
(text, sound, registers). Inputs that arrive as a row of packed patches are laid out by the numbers
that the call carries.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
import torch.nn as nn

_LATENTS = ("hidden_states", "sample", "x")
_CHANNELS = ("in_channels", "in_visual_dim", "latent_channels")


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of the tokens of one stream.

    Args:
        places: int `(tokens, 3)`: frame, row and column of each token, from 0; -1 for tokens that
            are no part of the picture.
    """

    places: np.ndarray

    @property
    def frames(self) -> int:
        """Latent frames."""
        return int(self.places[:, 0].max()) + 1

    @property
    def rows(self) -> int:
        return int(self.places[:, 1].max()) + 1

    @property
    def columns(self) -> int:
        return int(self.places[:, 2].max()) + 1

    @property
    def tokens(self) -> int:
        return len(self.places)

    @property
    def others(self) -> np.ndarray:
        """Numbers of the tokens that are no part of the picture: text, sound."""
        return np.flatnonzero(self.places[:, 0] < 0)

    def weights(self, masks: np.ndarray | None = None) -> torch.Tensor:
        """What to average by, `(samples, frames, groups, tokens)`; each row sums to 1.

        Args:
            masks: `(samples, groups, height, width)` in 0..1 at any resolution; None for the whole
                picture. A part that covers no token's centre takes the tokens it touches most.
        """
        if masks is None:
            masks = np.ones((1, 1, 1, 1))
        share = coverage(masks, self.rows, self.columns)
        inside = self.places[:, 0] >= 0
        out = np.zeros((*masks.shape[:2], self.frames, self.tokens), np.float32)
        f, r, c = self.places[inside].T
        out[:, :, f, np.flatnonzero(inside)] = share[:, :, r, c]
        total = out.sum(-1, keepdims=True)
        return torch.from_numpy(out / np.maximum(total, 1e-9)).transpose(1, 2).contiguous()

    def inside(self, mask: np.ndarray, frames: range | list[int] | None = None) -> np.ndarray:
        """Bool `(tokens,)`: tokens of `frames` at least half covered by a mask `(height, width)`,
        or, if none is, the one covered most."""
        share = coverage(mask[None, None], self.rows, self.columns)[0, 0]
        chosen = share >= min(0.5, float(share.max()))
        wanted = range(self.frames) if frames is None else frames
        here = np.isin(self.places[:, 0], list(wanted))
        return here & chosen[self.places[:, 1], self.places[:, 2]]

    def shifted(self, before: int, tokens: int) -> Layout:
        """The same picture with `before` other tokens ahead of it, `tokens` in all."""
        places = np.full((tokens, 3), -1)
        places[before : before + self.tokens] = self.places
        return Layout(places)


def grid(frames: int, rows: int, columns: int) -> Layout:
    """Tokens frame by frame, row by row."""
    return Layout(np.indices((frames, rows, columns)).reshape(3, -1).T)


def coverage(masks: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Share of each cell of a `rows` x `columns` grid that masks `(..., h, w)` cover."""
    tensor = torch.as_tensor(np.asarray(masks, np.float32)).flatten(0, -3)[:, None]
    pooled = torch.nn.functional.interpolate(tensor, (rows, columns), mode="area")
    return pooled[:, 0].numpy().reshape(*masks.shape[:-2], rows, columns)


def find(
    denoiser: nn.Module, block: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> Layout | None:
    """The layout of the tokens that enter a block of a denoiser; None if it can't be told.

    Args:
        block: the first one of a row.
        args, kwargs: of a call of the denoiser; it is called again with small changes, up to that
            block.
    """
    # Half as noisy: a model may shut its eyes to pure noise.
    args, kwargs = _later(denoiser, args, kwargs)
    latents, put = sample_of(args, kwargs)
    if latents is None:
        return None

    def seen(changed: torch.Tensor) -> torch.Tensor:
        return _entering(denoiser, block, *put(changed))

    try:
        if latents.ndim == 3:
            return _packed(latents, seen, kwargs)
        axes = _axes(denoiser, latents)
        return None if axes is None else _spatial(latents, axes, seen)
    except _NotThere:
        return None


def _later(denoiser: nn.Module, args: tuple, kwargs: dict[str, Any]) -> tuple[tuple, dict]:
    """The call at half its timestep."""
    bound = inspect.signature(denoiser.forward).bind(*args, **kwargs)
    time = bound.arguments.get("timestep")
    if isinstance(time, torch.Tensor):
        bound.arguments["timestep"] = (time / 2).to(time.dtype)
    return bound.args, bound.kwargs


def sample_of(
    args: tuple, kwargs: dict[str, Any]
) -> tuple[torch.Tensor | None, Callable[[torch.Tensor], tuple[tuple, dict]]]:
    """The sample among a call's arguments, and how to put another in its place."""
    name = next((n for n in _LATENTS if n in kwargs), None)
    held = kwargs[name] if name else (args[0] if args else None)

    def put(new: torch.Tensor) -> tuple[tuple, dict]:
        value = list(new) if isinstance(held, list) else new
        return (args, {**kwargs, name: value}) if name else ((value, *args[1:]), kwargs)

    if isinstance(held, list) and all(t.shape == held[0].shape for t in held):
        return torch.stack(held), put
    return (held if isinstance(held, torch.Tensor) else None), put


def _axes(denoiser: nn.Module, latents: torch.Tensor) -> tuple[int, ...] | None:
    """Axes of frames (if any), rows and columns. Where a number of frames equals the number of
    channels, channels are taken to come first, as they mostly do."""
    if latents.ndim == 4:
        return (2, 3)
    if latents.ndim != 5:
        return None
    config: Any = getattr(denoiser, "config", {})
    width = next((config[n] for n in _CHANNELS if n in config), 3)
    for channel, axes in ((1, (2, 3, 4)), (2, (1, 3, 4)), (4, (1, 2, 3))):
        if latents.shape[channel] == width:
            return axes
    return None


def _spatial(
    latents: torch.Tensor, axes: tuple[int, ...], seen: Callable[[torch.Tensor], torch.Tensor]
) -> Layout | None:
    base = seen(latents)
    if base.ndim != 3:
        return None
    columns = []
    touched = torch.zeros(base.shape[1], dtype=torch.bool)
    for axis in axes:
        slices = range(latents.shape[axis])
        answers = torch.stack([_answer(latents, axis, i, seen, base) for i in slices])
        touched |= (answers > 0).any(0)
        columns.append(_ranks(answers))
    if len(axes) == 2:
        columns.insert(0, np.zeros(base.shape[1], int))
    places = np.where(touched.numpy()[:, None], np.stack(columns, 1), -1)
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
    return (seen(changed) - base).float().abs().amax((0, 2)).cpu()


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


def _packed(
    latents: torch.Tensor, seen: Callable[[torch.Tensor], torch.Tensor], kwargs: dict[str, Any]
) -> Layout | None:
    """Patches in a row: their numbers come with the call, their offset is tried."""
    places = _told(latents.shape[1], kwargs)
    if places is None:
        return None
    base = seen(latents)
    changed = latents.clone()
    changed[:, 0] += torch.linspace(-1, 2, latents.shape[2], device=latents.device).to(latents)
    moved = (seen(changed) - base).float().abs().amax((0, 2)).nonzero().flatten()
    if len(moved) != 1 or int(moved[0]) + len(places) > base.shape[1]:
        return None
    return Layout(places).shifted(int(moved[0]), base.shape[1])


def _told(tokens: int, kwargs: dict[str, Any]) -> np.ndarray | None:
    """Places of packed patches `(tokens, 3)`, from what the call says.

    Pictures to be edited follow the one being made, as frames after the first.
    """
    whole = [n for n in map(kwargs.get, ("num_frames", "height", "width")) if isinstance(n, int)]
    if len(whole) == 3 and np.prod(whole) == tokens:
        return grid(*whole).places
    shapes = kwargs.get("img_shapes")
    if shapes:
        listed = shapes[0] if isinstance(shapes[0], list) else shapes[:1]
        return _side_by_side([grid(*map(int, shape)).places for shape in listed], tokens)
    ids = kwargs.get("img_ids")
    if isinstance(ids, torch.Tensor) and ids.shape[-2] == tokens:
        numbers = ids.reshape(-1, tokens, ids.shape[-1])[0, :, :3].cpu()
        places = np.stack([np.unique(column, return_inverse=True)[1] for column in numbers.T], 1)
        return places if len(np.unique(places, axis=0)) == tokens else None
    return None


def _side_by_side(parts: list[np.ndarray], tokens: int) -> np.ndarray | None:
    """The first part, then those of its size as further frames; others have no place in it."""
    out, frames = [], 0
    for part in parts:
        same = np.array_equal(part[:, 1:].max(0), parts[0][:, 1:].max(0))
        out.append(part + np.array([frames, 0, 0]) if same else np.full_like(part, -1))
        frames += (int(part[:, 0].max()) + 1) * same
    places = np.concatenate(out)
    return places if len(places) == tokens else None


class _Entered(BaseException):
    """Carries a block's input out of a call. Not an Exception: no model handles it."""

    def __init__(self, tokens: torch.Tensor) -> None:
        super().__init__()
        self.tokens = tokens


class _NotThere(Exception):
    """A block that a call does not reach, or that is not handed tokens."""


def _entering(
    denoiser: nn.Module, block: nn.Module, args: tuple, kwargs: dict[str, Any]
) -> torch.Tensor:
    """The tokens that enter `block` in a call of the denoiser, which ends there."""

    def stop(module: nn.Module, inner: tuple, named: dict[str, Any]) -> None:
        tokens = entered(inner, named)
        if tokens is None:
            raise _NotThere
        raise _Entered(tokens.detach().clone())

    handle = block.register_forward_pre_hook(stop, with_kwargs=True)
    try:
        with torch.no_grad():
            denoiser.forward(*args, **kwargs)
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
