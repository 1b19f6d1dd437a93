"""Advance: samples that are looked at on their way, and go on from there at no cost.

What the denoiser answers is written down for each sample. To go on, the pipeline is called again
from the start and the answers are played back; only what comes after is computed. Schedulers step
for real, so those with a memory and those that draw noise come out the same, whatever batch a
sample was in before and is in now.
"""

from __future__ import annotations

import contextlib
import functools
import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch

from phosphene.backbone import Preview
from phosphene.backbones.diffusers.call import Manner
from phosphene.backbones.diffusers.noise import CannotBatch
from phosphene.backbones.diffusers.run import Runner
from phosphene.errors import PhospheneError
from phosphene.exploring.latents import Latest
from phosphene.request import Request
from phosphene.tap import Read, Tap
from phosphene.tap.anatomy import denoisers
from phosphene.tap.locate import named, sample_of
from phosphene.tap.replay import replaying

Answers = tuple[tuple[Any, ...], ...]  # step -> call of the denoiser -> one sample's part of it


@dataclass(frozen=True, eq=False)
class Rows:
    """One sample's part of a tensor whose first axis counts branches times samples.

    Args:
        value: `(branches, ...)`, on the CPU.
    """

    value: torch.Tensor


def advanced(
    runner: Runner,
    requests: Sequence[Request],
    manner: Manner,
    to: int | None,
    given: Mapping[Request, Preview | None],
) -> list[Preview]:
    """Previews of one batch; all that is given has the same number of steps.

    Raises:
        PhospheneError: a pipeline that can't be looked into, a step beyond the last one, or a
            sample that failed.
        CannotBatch: these samples can't be made together in this manner.
    """
    states: list[Answers] = []
    for request in requests:
        preview = given[request]
        states.append(() if preview is None else preview.state)
    player = Player(runner.pipeline, states, to)
    try:
        with runner.watched(player.watching):
            clips = runner.clips(requests, manner)
    except Stopped:
        runner.forget_steps()
        # Steering has done its work; here it would only be in the way.
        bare = [replace(request, steering=()) for request in requests]
        with player.decoding():
            clips = runner.clips(bare, manner)
        return [
            Preview(request, clip, player.steps, False, player.state(i))
            for i, (request, clip) in enumerate(zip(requests, clips, strict=True))
        ]
    if to is not None and to > player.steps:
        raise PhospheneError(
            f"a preview after {to} steps can't be had: this run has {player.steps}; ask for fewer"
        )
    return [Preview(r, c, player.steps, True) for r, c in zip(requests, clips, strict=True)]


class Stopped(BaseException):
    """Ends a call at the step that was asked for. Not an Exception: no pipeline handles it."""


class Player:
    """Plays the denoiser's answers back, and writes down those that it gives itself.

    Args:
        pipeline: the loaded pipeline.
        states: what is known of each sample of the batch: as many steps of each.
        to: steps after which the call ends; None for all.

    Attributes:
        steps: made by the last call.
    """

    def __init__(self, pipeline: Any, states: Sequence[Answers], to: int | None) -> None:
        self._pipeline = pipeline
        self._count = len(states)
        self._given = states
        self._to = to
        self._answers: list[list[list[Any]]] = []  # step -> call -> sample
        self._latest = Latest()

    @property
    def steps(self) -> int:
        return self._latest.step + 1

    def state(self, i: int) -> Answers:
        """What is known of a sample now."""
        return tuple(tuple(call[i] for call in step) for step in self._answers[: self.steps])

    @contextlib.contextmanager
    def watching(self, requests: Sequence[Request]) -> Iterator[None]:
        """One call of the pipeline."""
        self._answers, self._latest = [], Latest()
        with contextlib.ExitStack() as stack:
            reads = [Read("x0", self._latest)]
            stack.enter_context(Tap(self._pipeline, reads, runs=self._count))
            for denoiser in denoisers(self._pipeline).values():
                stack.enter_context(_instead(denoiser, self._answering))
            yield

    def _answering(self, denoiser: torch.nn.Module) -> Callable[..., Any]:
        original = denoiser.forward

        @functools.wraps(original)
        def forward(*args: Any, **kwargs: Any) -> Any:
            step = self.steps
            if self._to is not None and step >= self._to:
                raise Stopped
            while len(self._answers) <= step:
                self._answers.append([])
            calls = self._answers[step]
            self._check_rows(denoiser, args, kwargs)
            if step < len(self._given[0]):
                rows = [state[step][len(calls)] for state in self._given]
                calls.append(rows)
                return joined(rows, _device(args, kwargs))
            out = original(*args, **kwargs)
            calls.append([part(out, i, self._count) for i in range(self._count)])
            return out

        return forward

    def _check_rows(self, denoiser: torch.nn.Module, args: tuple, kwargs: dict) -> None:
        latents, _ = sample_of(named(denoiser, args, kwargs))
        if self._count > 1 and (latents is None or len(latents) % self._count):
            raise CannotBatch("its samples come to the denoiser packed together")

    @contextlib.contextmanager
    def decoding(self) -> Iterator[None]:
        """Calls of the pipeline inside return what the last step expected, decoded."""
        turns = itertools.cycle(self._answers[0])

        def repeating(denoiser: torch.nn.Module) -> Callable[..., Any]:
            @functools.wraps(denoiser.forward)
            def forward(*args: Any, **kwargs: Any) -> Any:
                return joined(next(turns), _device(args, kwargs))

            return forward

        with contextlib.ExitStack() as stack:
            for denoiser in denoisers(self._pipeline).values():
                stack.enter_context(_instead(denoiser, repeating))
            stack.enter_context(replaying(self._pipeline, self._latest.values))
            yield


def part(out: Any, i: int, count: int) -> Any:
    """Sample i's part of a denoiser's answer for `count` samples, on the CPU."""
    if isinstance(out, torch.Tensor):
        if out.ndim == 0 or len(out) % count:
            raise CannotBatch(f"an answer of shape {tuple(out.shape)} for {count} samples")
        own = out.reshape(-1, count, *out.shape[1:])[:, i]
        return Rows(own.detach().to("cpu", copy=True))
    if isinstance(out, Mapping):
        return type(out)(**{k: part(v, i, count) for k, v in out.items()})
    if isinstance(out, list):  # one answer a sample and branch
        if len(out) % count:
            raise CannotBatch(f"{len(out)} answers for {count} samples")
        return [v.detach().to("cpu", copy=True) for v in out[i::count]]
    if isinstance(out, tuple):
        return tuple(part(v, i, count) for v in out)
    return out


def joined(rows: Sequence[Any], device: torch.device | None) -> Any:
    """The answer for a batch, from its samples' parts."""
    first = rows[0]
    if isinstance(first, Rows):
        whole = torch.stack([r.value for r in rows], 1).flatten(0, 1)
        return whole.to(device)
    if isinstance(first, Mapping):
        return type(first)(**{k: joined([r[k] for r in rows], device) for k in first})
    if isinstance(first, list):
        return [r.to(device) for branch in zip(*rows, strict=True) for r in branch]
    if isinstance(first, tuple):
        return tuple(joined(list(v), device) for v in zip(*rows, strict=True))
    return first


@contextlib.contextmanager
def _instead(
    denoiser: torch.nn.Module, make: Callable[[torch.nn.Module], Callable[..., Any]]
) -> Iterator[None]:
    """A denoiser's `forward` replaced by what `make` gives for it."""
    held = vars(denoiser)
    before = held.get("forward")
    held["forward"] = make(denoiser)
    try:
        yield
    finally:
        if before is None:
            del held["forward"]
        else:
            held["forward"] = before


def _device(args: Sequence[Any], kwargs: Mapping[str, Any]) -> torch.device:
    """Where a call of the denoiser is made."""
    flat = itertools.chain.from_iterable(
        v if isinstance(v, list) else [v] for v in (*args, *kwargs.values())
    )
    return next(v.device for v in flat if isinstance(v, torch.Tensor))
