"""Tap: the one way into a running model. Read and replace what passes through a denoiser.

    from phosphene.tap import Frames, Read, Tap

    with Tap(pipeline, reads=[Read("residual", Frames())]) as tap:
        pipeline("a ball rolls")
    tap.values[Address(step=3, branch="cond", layer=5, site="residual")]

Works on any diffusers pipeline that calls `scheduler.step` and whose denoiser holds its blocks in
rows: transformers and UNets. Plain hooks: the sample is bit-identical when nothing is edited, and
nothing of the pipeline stays changed on the way out, exceptions included.
"""

from __future__ import annotations

import contextlib
import functools
import weakref
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn as nn

from phosphene.errors import PhospheneError
from phosphene.tap import estimate
from phosphene.tap.address import BLOCK_SITES, STEP_SITES, Address, Edit, Read, Site
from phosphene.tap.anatomy import Layer, denoisers, layers
from phosphene.tap.clock import Clock, patched
from phosphene.tap.layout import Layout, entered, find, grid, sample_of
from phosphene.tap.reduce import Frames, Keep, Mean, Moments, Reducer, Spill, Tokens

_LAYOUTS: weakref.WeakKeyDictionary[nn.Module, dict] = weakref.WeakKeyDictionary()


class Tap:
    """A context in which a pipeline's calls are read and edited.

    Args:
        pipeline: a loaded diffusers pipeline.
        reads: what to keep.
        edits: what to replace, in order.
        runs: samples in the batch of each call.

    Attributes:
        values: what the last finished call left, address -> reduced tensor.
        levels: step -> (timestep, noise level sigma or None) of the last call.
        layers: the blocks, in order.
        calls: how many calls of the pipeline have finished.

    Raises:
        PhospheneError: on entering, if the pipeline can't be tapped or has no such site; during a
            call, if an edit breaks its promise; at the end of a call, if a read never fired.
    """

    def __init__(
        self,
        pipeline: Any,
        reads: Sequence[Read] = (),
        edits: Sequence[Edit] = (),
        runs: int = 1,
    ) -> None:
        self.pipeline = pipeline
        self.reads = list(reads)
        self.edits = list(edits)
        self._inside = any(a.site in BLOCK_SITES for a in (*self.reads, *self.edits))
        self.layers: list[Layer] = layers(pipeline) if self._inside else []
        self.clock = Clock(runs)
        self.calls = 0
        self.values: dict[Address, torch.Tensor] = {}
        self.levels: dict[int, tuple[float, float | None]] = {}
        self._fired: set[int] = set()
        self._passed: dict[int, torch.Tensor] = {}
        self._layouts: dict[int, Layout | None] = {}
        self._offsets: dict[tuple[int, int, int], tuple[int, int] | None] = {}
        self._trying = False
        self._stack = contextlib.ExitStack()
        self._check()

    def _check(self) -> None:
        """Every site asked for exists."""
        for asked in (*self.reads, *self.edits):
            if asked.site not in (*BLOCK_SITES, *STEP_SITES):
                raise PhospheneError(
                    f"there is no site {asked.site!r}; there are "
                    f"{', '.join((*BLOCK_SITES, *STEP_SITES))}"
                )
            if asked.site in STEP_SITES:
                self._check_step(asked)
                continue
            numbers = asked.layers if asked.layers is not None else range(len(self.layers))
            beyond = [n for n in numbers if not 0 <= n < len(self.layers)]
            if beyond:
                raise PhospheneError(
                    f"there is no layer {beyond[0]}; {type(self.pipeline).__name__} has "
                    f"{len(self.layers)}, from 0"
                )
            if not any(self.layers[n].part(asked.site) for n in numbers):
                raise PhospheneError(
                    f"{type(self.pipeline).__name__} has no part that is known as "
                    f"{asked.site!r} in the layers asked for"
                )

    @staticmethod
    def _check_step(asked: Read | Edit) -> None:
        first = asked.steps is not None and 0 in asked.steps
        if isinstance(asked, Edit) and asked.site == "x_t" and first:
            raise PhospheneError(
                "x_t of step 0 is the starting noise; give that to the pipeline instead"
            )

    def __enter__(self) -> Tap:
        scheduler = getattr(self.pipeline, "scheduler", None)
        if scheduler is None or not hasattr(scheduler, "step"):
            raise PhospheneError(
                f"{type(self.pipeline).__name__} can't be tapped: it has no scheduler that steps"
            )
        with contextlib.ExitStack() as stack:
            cls = type(self.pipeline)
            stack.enter_context(patched(cls, "__call__", self._called(cls.__call__)))
            owner = type(scheduler)
            stack.enter_context(patched(owner, "step", self._stepped(owner.step, scheduler)))
            for name, denoiser in denoisers(self.pipeline).items():
                stack.enter_context(self.clock.watching(denoiser))
                before = self._before_denoiser(name, denoiser)
                handle = denoiser.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(handle.remove)
            for layer, site, module in self._tapped():
                hook = self._at_block(layer, site)
                handle = module.register_forward_hook(hook, with_kwargs=True)
                stack.callback(handle.remove)
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()
        self._passed.clear()

    def _tapped(self) -> Iterator[tuple[Layer, Site, nn.Module]]:
        """The hooks that are needed. Every block's own output is watched wherever layouts are
        followed from block to block."""
        wanted = {asked.site for asked in (*self.reads, *self.edits)}
        if not wanted & set(BLOCK_SITES):
            return
        for layer in self.layers:
            for site in BLOCK_SITES:
                module = layer.part(site)
                if module is not None and site != "text" and (site in wanted or site == "residual"):
                    yield layer, site, module

    # One call of the pipeline.

    def _called(self, original: Callable[..., Any]) -> Callable[..., Any]:
        tap = self

        @functools.wraps(original)
        def called(pipeline: Any, *args: Any, **kwargs: Any) -> Any:
            if pipeline is not tap.pipeline:
                return original(pipeline, *args, **kwargs)
            tap._begin()
            out = original(pipeline, *args, **kwargs)
            tap._end()
            return out

        return called

    def _begin(self) -> None:
        self.clock.start()
        self.values, self.levels = {}, {}
        self._fired.clear()

    def _end(self) -> None:
        self._passed.clear()
        silent = [r for i, r in enumerate(self.reads) if i not in self._fired]
        silent += [e for i, e in enumerate(self.edits) if -1 - i not in self._fired]
        if silent:
            asked = silent[0]
            raise PhospheneError(
                f"nothing passed {asked.site!r} at layers {asked.layers or 'all'}, steps "
                f"{asked.steps or 'all'}, branches {asked.branches or 'all'}: the run had "
                f"{self.clock.step} steps"
            )
        self.calls += 1

    # The scheduler's side.

    def _stepped(self, original: Callable[..., Any], main: Any) -> Callable[..., Any]:
        tap = self

        @functools.wraps(original)
        def stepped(scheduler: Any, model_output: Any, timestep: Any, sample: Any, *args, **kwargs):
            stream = tap.clock.stream(scheduler, main)
            model_output = tap._at_step(scheduler, model_output, timestep, sample, stream, kwargs)
            out = original(scheduler, model_output, timestep, sample, *args, **kwargs)
            if stream == 0:
                tap.clock.end_step()
            return tap._next_sample(out, stream)

        return stepped

    def _at_step(
        self, scheduler: Any, output: Any, timestep: Any, sample: Any, stream: int, named: dict
    ) -> Any:
        """Read what the scheduler is given, after editing the prediction."""
        step = self.clock.step - (1 if stream and self.clock.call == 0 else 0)

        def at(site: Site) -> Address:
            return Address(step, "guided", -1, site, stream)

        output = self._edited(output, at("prediction"))
        self._keep(at("prediction"), lambda: output)
        self._keep(at("x_t"), lambda: sample)
        per_token = named.get("per_token_timesteps")
        self._keep(at("x0"), lambda: estimate.clean(scheduler, output, timestep, sample, per_token))
        if stream == 0:
            self.levels[step] = (float(timestep), estimate.level(scheduler, timestep))
        return output

    def _next_sample(self, out: Any, stream: int) -> Any:
        """Edit the sample that the next step starts from."""
        at = Address(self.clock.step, "guided", -1, "x_t", stream)
        if not any(e.wants(at) for e in self.edits):
            return out
        if isinstance(out, tuple):
            return (self._edited(out[0], at), *out[1:])
        out.prev_sample = self._edited(out.prev_sample, at)
        return out

    def _keep(self, at: Address, value: Callable[[], torch.Tensor]) -> None:
        for i, read in enumerate(self.reads):
            if read.wants(at):
                self._fired.add(i)
                kept = (read.reduce or Keep())(value(), None, at)
                if kept is not None:
                    self.values[at] = kept

    def _edited(self, value: torch.Tensor, at: Address) -> torch.Tensor:
        for i, edit in enumerate(self.edits):
            if edit.wants(at):
                self._fired.add(-1 - i)
                value = edit.apply(value, at)
        return value

    # The denoiser's side.

    def _before_denoiser(self, name: str, denoiser: nn.Module) -> Callable[..., None]:
        own = [layer for layer in self.layers if layer.name.startswith(f"{name}.")]

        def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            latents, _ = sample_of(args, kwargs)
            if latents is None and self._inside:
                raise PhospheneError(
                    f"{type(denoiser).__name__} can't be read inside: its samples come packed "
                    f"together, not as a batch; {', '.join(STEP_SITES)} can be read"
                )
            self.clock.begin_call(self.clock.runs if latents is None else len(latents))
            self._layouts.clear()
            self._passed.clear()
            if self._inside and latents is not None:
                self._layouts |= self._found(denoiser, own, args, kwargs, latents)

        return before

    def _found(
        self,
        denoiser: nn.Module,
        own: list[Layer],
        args: tuple,
        kwargs: dict[str, Any],
        latents: torch.Tensor,
    ) -> dict[int, Layout | None]:
        """The layout at the first block that pictures reach, tried once for each shape of input.

        The trials end before that block; hooks of parts that come before it, as those of a text
        refiner, keep quiet meanwhile.
        """
        known = _LAYOUTS.setdefault(denoiser, {})
        named = ((k, v.shape[1:]) for k, v in kwargs.items() if isinstance(v, torch.Tensor))
        shape = (tuple(latents.shape[1:]), tuple((k, tuple(s)) for k, s in named))
        if shape not in known:
            known[shape] = {}
            self._trying = True
            try:
                for first in _firsts(own):
                    layout = find(denoiser, first.block, args, kwargs)
                    if layout is not None:
                        known[shape] = {first.number: layout}
                        break
            finally:
                self._trying = False
        return known[shape]

    def _at_block(self, layer: Layer, site: Site) -> Callable[..., Any]:
        index: list[int | None] = []

        def after(module: nn.Module, args: tuple, kwargs: dict[str, Any], output: Any) -> Any:
            if self._trying:
                return None
            given = entered(args, kwargs)
            if not index:
                index.append(_hidden_index(module, given, output))
            place = index[0]
            hidden = output if place is None else output[place]
            if site == "residual":
                self._follow(layer, given)
            new = self._through(hidden, layer, site)
            rest: Any = output
            if place is None:
                rest = new
            elif new is not hidden:
                rest = _with(output, place, new)
            if site == "residual":
                self._passed[layer.number] = new
                rest = self._text(rest, place, layer)
            return rest if rest is not output else None

        return after

    def _follow(self, layer: Layer, given: torch.Tensor | None) -> None:
        """Carry the layout on from block to block, through a joining of text and picture.

        A block goes on with the picture where its input holds, unchanged, what an earlier block of
        known layout gave out; that is compared once for each pair of sizes.
        """
        if layer.number in self._layouts:
            return
        known = [n for n, layout in self._layouts.items() if layout is not None]
        self._layouts[layer.number] = None
        if given is None or given.ndim != 3 or not known:
            return
        before = self._passed.get(known[-1])
        layout = self._layouts[known[-1]]
        if before is None or before.ndim != 3 or layout is None:
            return
        n, m = given.shape[1], before.shape[1]
        key = (layer.number, n, m)
        if key not in self._offsets:
            self._offsets[key] = _offset(given, before, known[-1])
        found = self._offsets[key]
        if found is not None and found[0] == known[-1]:
            self._layouts[layer.number] = layout if n == m else layout.shifted(found[1], n)

    def _text(self, output: Any, place: int | None, layer: Layer) -> Any:
        """Read and edit the text stream that a block hands on beside the picture."""
        if place is None or not any(a.site == "text" for a in (*self.reads, *self.edits)):
            return output
        for i, value in enumerate(output):
            if i != place and isinstance(value, torch.Tensor) and value.ndim == 3:
                new = self._through(value, layer, "text")
                return output if new is value else _with(output, i, new)
        return output

    def _through(self, value: torch.Tensor, layer: Layer, site: Site) -> torch.Tensor:
        """Edit and keep one activation, branch by branch."""
        asked = [a for a in (*self.reads, *self.edits) if a.site == site]
        if not asked:
            return value
        branches = self.clock.branches
        parts, changed = [], False
        for branch, part in zip(branches, value.chunk(len(branches)), strict=True):
            at = Address(self.clock.step, branch, layer.number, site)
            if not any(a.wants(at) for a in asked):
                parts.append(part)
                continue
            tokens, back, layout = _as_tokens(part, self.clock.runs)
            if layout is None and site != "text":
                layout = self._layouts.get(layer.number)
                if layout is not None and layout.tokens != tokens.shape[1]:
                    layout = None
            new = self._edited(tokens, at)
            for i, read in enumerate(self.reads):
                if read.wants(at) and not _passes_by(read, layout):
                    self._fired.add(i)
                    kept = (read.reduce or Keep())(new, layout, at)
                    if kept is not None:
                        self.values[at] = kept
            changed |= new is not tokens
            parts.append(part if new is tokens else back(new))
        return torch.cat(parts) if changed else value


def _passes_by(read: Read, layout: Layout | None) -> bool:
    """Does a read of all layers leave this one out, because it holds no picture?"""
    needs = read.reduce is not None and read.reduce.NEEDS_LAYOUT
    return needs and layout is None and read.layers is None


def _firsts(own: list[Layer]) -> list[Layer]:
    """The first block of each row."""
    rows: dict[str, Layer] = {}
    for layer in own:
        rows.setdefault(layer.row, layer)
    return list(rows.values())


def _offset(given: torch.Tensor, before: torch.Tensor, number: int) -> tuple[int, int] | None:
    """(number of the block it comes from, where what it gave out begins in what is given now)."""
    n, m = given.shape[1], before.shape[1]
    for offset in sorted({0, n - m}, reverse=True):
        if offset >= 0 and torch.equal(given[:, offset : offset + m], before):
            return number, offset
    return None


def _as_tokens(
    part: torch.Tensor, runs: int
) -> tuple[torch.Tensor, Callable[[torch.Tensor], torch.Tensor], Layout | None]:
    """An activation as `(samples, tokens, width)`, the way back, and a feature map's layout.

    Feature maps `(b, c, h, w)` come from UNets; where a sample's frames lie along the batch, as in
    video UNets, they are put side by side.
    """
    shape = part.shape
    frames = shape[0] // runs
    if part.ndim == 4:
        h, w = shape[2:]
        tokens = part.reshape(runs, frames, shape[1], h * w).transpose(2, 3)
        layout = grid(frames, h, w)

        def back(new: torch.Tensor) -> torch.Tensor:
            return new.reshape(runs, frames, h * w, shape[1]).transpose(2, 3).reshape(shape)

        return tokens.reshape(runs, frames * h * w, shape[1]), back, layout
    if part.ndim == 3:
        return part.reshape(runs, frames * shape[1], shape[2]), lambda new: new.reshape(shape), None
    if part.ndim == 5:
        tokens = part.flatten(2).transpose(1, 2)
        layout = grid(*shape[2:])
        return tokens, lambda new: new.transpose(1, 2).reshape(shape), layout
    raise PhospheneError(f"an activation of shape {tuple(shape)} can't be read as tokens")


def _hidden_index(module: nn.Module, given: torch.Tensor | None, output: Any) -> int | None:
    """Which of a block's outputs carries on what it was given; None if there is one output alone.

    Raises:
        PhospheneError: it can't be told.
    """
    if isinstance(output, torch.Tensor):
        return None
    if isinstance(output, tuple | list):
        index = _registered(module)
        if index is not None and index < len(output):
            return index
        tensors = [i for i, v in enumerate(output) if isinstance(v, torch.Tensor)]
        alike = [i for i in tensors if given is not None and output[i].shape == given.shape]
        if alike or tensors:
            return (alike or tensors)[0]
    raise PhospheneError(
        f"{type(module).__name__} can't be tapped: which of its outputs is the picture isn't known"
    )


def _registered(module: nn.Module) -> int | None:
    """What diffusers itself says of a block's outputs, where it does."""
    try:
        from diffusers.hooks._helpers import TransformerBlockRegistry

        found = TransformerBlockRegistry.get(type(module)).return_hidden_states_index
    except (ImportError, ValueError, AttributeError):
        return None
    return found if isinstance(found, int) else None


def _with(output: Any, index: int, new: torch.Tensor) -> Any:
    changed = list(output)
    changed[index] = new
    return tuple(changed) if isinstance(output, tuple) else changed


__all__ = [
    "Address",
    "Edit",
    "Frames",
    "Keep",
    "Layer",
    "Layout",
    "Mean",
    "Moments",
    "Read",
    "Reducer",
    "Spill",
    "Tap",
    "Tokens",
]
