"""Blocks: what a tap does at the blocks of a denoiser."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

import torch
import torch.nn as nn

from phosphene.tap.activation import as_tokens, hidden_index, joined, put_at
from phosphene.tap.address import BLOCK_SITES, Address, Site
from phosphene.tap.anatomy import Layer
from phosphene.tap.asked import Asked
from phosphene.tap.clock import Clock
from phosphene.tap.follow import Follower
from phosphene.tap.locate import entered


class BlockSide:
    """Reads and edits what blocks, and the parts of blocks, give out."""

    def __init__(self, asked: Asked, clock: Clock, follower: Follower, layers: list[Layer]) -> None:
        self._asked, self._clock, self._follower = asked, clock, follower
        self._layers = layers
        self._met: dict[tuple[int, str], int] = {}
        self._follows = False

    @contextlib.contextmanager
    def watching(self, follows: bool) -> Iterator[None]:
        """Hooks where something is asked.

        Args:
            follows: layouts are wanted: every block's own output is watched, since they are carried
                on from block to block.
        """
        self._follows = follows
        sites: list[Site] = [s for s in BLOCK_SITES if s in self._asked.sites and s != "text"]
        if "residual" not in sites and (follows or "text" in self._asked.sites):
            sites.append("residual")
        with contextlib.ExitStack() as stack:
            for layer in self._layers:
                if follows:
                    before = self._before_block(layer)
                    handle = layer.block.register_forward_pre_hook(before, with_kwargs=True)
                    stack.callback(handle.remove)
                for site in sites:
                    if not (follows and site == "residual") and not self._wanted(layer, site):
                        continue
                    for module in layer.parts(site):
                        hook = self._at_block(layer, site)
                        handle = module.register_forward_hook(hook, with_kwargs=True)
                        stack.callback(handle.remove)
            yield

    def _wanted(self, layer: Layer, site: Site) -> bool:
        sites = ("residual", "text") if site == "residual" else (site,)
        return any(
            a.site in sites and (a.layers is None or layer.number in a.layers)
            for a in self._asked.all
        )

    def begin(self) -> None:
        """A denoiser is called."""
        self._met.clear()

    def _before_block(self, layer: Layer) -> Callable[..., None]:
        def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            if self._clock.running and not self._follower.trying:
                self._follower.enter(layer, args, kwargs)

        return before

    def _at_block(self, layer: Layer, site: Site) -> Callable[..., Any]:
        index: list[int | None] = []

        def after(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
            if self._follower.trying or not self._clock.running:
                return None
            given = entered(args, kwargs)
            if not index:
                index.append(hidden_index(module, given, output))
            place = index[0]
            hidden = output if place is None else output[place]
            new = self._through(hidden, layer, site)
            rest: Any = output
            if place is None:
                rest = new
            elif new is not hidden:
                rest = put_at(output, place, new)
            if site == "residual":
                rest = self._text(rest, place, layer)
                if self._follows:
                    self._follower.leave(layer, new, rest)
            return rest if rest is not output else None

        return after

    def _text(self, output: Any, place: int | None, layer: Layer) -> Any:
        """Read and edit the text stream that a block hands on beside the picture."""
        if place is None or "text" not in self._asked.sites:
            return output
        for i, value in enumerate(output):
            if i != place and isinstance(value, torch.Tensor) and value.ndim == 3:
                new = self._through(value, layer, "text")
                return output if new is value else put_at(output, i, new)
        return output

    def _through(self, value: torch.Tensor, layer: Layer, site: Site) -> torch.Tensor:
        """Edit and keep one activation, branch by branch."""
        if site not in self._asked.sites:
            return value
        call = self._met.get((layer.number, site), 0)
        self._met[layer.number, site] = call + 1
        branches = self._clock.branches
        parts, changed = [], False
        for branch, part in zip(branches, value.chunk(len(branches)), strict=True):
            at = Address(self._clock.step, branch, layer.number, site, 0, call)
            if not self._asked.at(at):
                parts.append(part)
                continue
            tokens, back, layout = as_tokens(part, self._clock.runs)
            if layout is None and site != "text":
                layout = self._follower.at(layer, tokens.shape[1])
            new = self._asked.edited(tokens, at)
            self._asked.keep(at, lambda new=new: new, layout)
            changed |= new is not tokens
            parts.append(part if new is tokens else back(new))
        return joined(parts, value) if changed else value
