"""Attention: queries, keys, heads and maps, taken where they meet.

Practically every model of diffusers ends in torch's `scaled_dot_product_attention`, whatever
processor or backend of the native kind it runs; that one function is watched while a tap is open.
Which block attends is known from hooks on the blocks' attention modules.
"""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn as nn

from phosphene.errors import PhospheneError
from phosphene.tap.activation import joined
from phosphene.tap.address import HEAD_SITES, MAP_SITES, Address, Site
from phosphene.tap.anatomy import Layer
from phosphene.tap.asked import Asked
from phosphene.tap.clock import Clock, patched
from phosphene.tap.follow import Caught, Follower
from phosphene.tap.layout import Layout
from phosphene.tap.maps import AttentionMap

SITES = (*HEAD_SITES, *MAP_SITES)


class AttentionSide:
    """What a tap does inside attention."""

    def __init__(self, asked: Asked, clock: Clock, follower: Follower, layers: list[Layer]) -> None:
        self._asked, self._clock, self._follower = asked, clock, follower
        self._layers = layers
        self._inside: list[_Visit] = []
        self._met: dict[tuple[int, str], int] = {}

    @contextlib.contextmanager
    def watching(self) -> Iterator[None]:
        """Hooks on the attention modules that something is asked of."""
        asked = self._asked.sites
        cross, own = "cross_map" in asked, bool(asked & {*HEAD_SITES, "map"})
        if not (cross or own):
            yield
            return
        with contextlib.ExitStack() as stack:
            stack.enter_context(patched(torch.nn.functional, _NAME, self._attended()))
            for layer in self._layers:
                for wanted, kind in ((own, "map"), (cross, "cross_map")):
                    for module in layer.parts(kind) if wanted else ():
                        enter, leave = self._entering(layer, kind), self._leaving()
                        stack.enter_context(_hooked(module, enter, leave))
            yield

    def begin(self) -> None:
        """A denoiser is called."""
        self._inside.clear()
        self._met.clear()

    def _entering(self, layer: Layer, kind: str) -> Callable[..., None]:
        def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            self._inside.append(_Visit(layer, kind))

        return before

    def _leaving(self) -> Callable[..., None]:
        def after(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> None:
            self._inside.pop()

        return after

    def _attended(self) -> Callable[..., torch.Tensor]:
        original = getattr(torch.nn.functional, _NAME)

        @functools.wraps(original)
        def attended(
            query: torch.Tensor, key: torch.Tensor, value: torch.Tensor, *args: Any, **kwargs: Any
        ) -> torch.Tensor:
            if not self._inside or not self._clock.running:
                return original(query, key, value, *args, **kwargs)
            visit = self._inside[-1]
            if self._follower.trying:
                self._in_trial(visit, query, key)
                return original(query, key, value, *args, **kwargs)
            how = dict(zip(_HOW, args, strict=False)) | kwargs
            return self._at(visit, original, query, key, value, how)

        return attended

    def _in_trial(self, visit: _Visit, query: torch.Tensor, key: torch.Tensor) -> None:
        layer, turn = self._follower.catching
        if visit.layer is not layer or visit.kind != "map":
            return
        if turn == 0:
            self._inside.pop()  # the module is left without its hook
            raise Caught(query, key)
        self._follower.catching = (layer, turn - 1)

    def _at(
        self,
        visit: _Visit,
        original: Callable[..., torch.Tensor],
        query: torch.Tensor,
        key: torch.Tensor,
        value: torch.Tensor,
        how: dict[str, Any],
    ) -> torch.Tensor:
        """One call of attention: edit what goes in, read, edit what comes out."""
        parts = self._parts(visit, len(query))
        asked = self._asked
        layouts: tuple[Layout | None, Layout | None] = (None, None)
        if visit.kind == "map" and asked.sees_layout((*HEAD_SITES, "map")):
            layouts = self._follower.joint(visit.layer, query, key, parts[0].turn)
        elif visit.kind == "cross_map":
            layouts = (self._follower.at(visit.layer, query.shape[2]), None)
        if visit.kind == "map":
            query = self._heads("query", query, parts, layouts[0])
            key = self._heads("key", key, parts, layouts[1])
        out = original(query, key, value, **how)
        for part in parts:
            at = part.address(visit.kind)
            if asked.at(at):
                mask = how.get("attn_mask")
                if mask is not None and mask.ndim > 2 and len(mask) == len(query):
                    mask = mask[part.rows]
                held = AttentionMap(
                    query[part.rows],
                    key[part.rows],
                    part.samples,
                    mask,
                    how.get("is_causal", False),
                    how.get("scale"),
                    how.get("enable_gqa", False),
                    layouts[1],
                    original,
                )
                asked.keep(at, lambda held=held: held, layouts[0], part.more)
        return self._heads("head", out, parts, layouts[0]) if visit.kind == "map" else out

    def _parts(self, visit: _Visit, rows: int) -> list[_Part]:
        """The branches in the batch that attends; or, where a model attends to one sample after
        another, the sample whose turn it is."""
        branches, runs = self._clock.branches, self._clock.runs
        met = self._met.get((visit.layer.number, visit.kind), 0)
        self._met[visit.layer.number, visit.kind] = met + 1
        step, number, whole = self._clock.step, visit.layer.number, len(branches) * runs
        if rows % whole == 0:
            size = rows // len(branches)
            slices = [slice(i * size, (i + 1) * size) for i in range(len(branches))]
            return [
                _Part(s, step, b, number, met, met, runs, False)
                for s, b in zip(slices, branches, strict=True)
            ]
        if rows == 1:
            turn = met % whole
            branch = branches[turn // runs]
            first = turn % runs == 0
            return [_Part(slice(None), step, branch, number, met // whole, met, 1, not first)]
        raise PhospheneError(
            f"{visit.layer.name} attends in {rows} rows for {whole} samples; {visit.kind} can't be "
            f"told apart by sample"
        )

    def _heads(
        self, site: Site, value: torch.Tensor, parts: list[_Part], layout: Layout | None
    ) -> torch.Tensor:
        """Edit and keep queries, keys or heads, `(rows, heads, tokens, dim)`."""
        if site not in self._asked.sites:
            return value
        new, changed = [], False
        for part in parts:
            held = value[part.rows]
            at = part.address(site)
            if not self._asked.at(at):
                new.append(held)
                continue
            rows = len(held) // part.samples
            tokens = held.transpose(1, 2).reshape(part.samples, -1, held.shape[1], held.shape[3])
            edited = self._asked.edited(tokens, at)
            place = layout if rows == 1 else None
            self._asked.keep(at, lambda edited=edited: edited, place, part.more)
            changed |= edited is not tokens
            back = edited.reshape(len(held), -1, held.shape[1], held.shape[3]).transpose(1, 2)
            new.append(held if edited is tokens else back)
        return joined(new, value) if changed else value


@dataclass(frozen=True)
class _Visit:
    """An attention module that is at work."""

    layer: Layer
    kind: str


@dataclass(frozen=True)
class _Part:
    """Rows of a batch that belong to one branch.

    Args:
        rows: which.
        step, branch, layer, call: of their address.
        turn: calls of attention in this layer before this one.
        samples: how many the rows hold.
        more: they follow samples of the same address.
    """

    rows: slice
    step: int
    branch: str
    layer: int
    call: int
    turn: int
    samples: int
    more: bool

    def address(self, site: Any) -> Address:
        return Address(self.step, self.branch, self.layer, site, 0, self.call)


_NAME = "scaled_dot_product_attention"
_HOW = ("attn_mask", "dropout_p", "is_causal", "scale", "enable_gqa")


@contextlib.contextmanager
def _hooked(
    module: nn.Module, before: Callable[..., Any], after: Callable[..., Any]
) -> Iterator[None]:
    handles = (
        module.register_forward_pre_hook(before, with_kwargs=True),
        module.register_forward_hook(after, with_kwargs=True),
    )
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
