"""Anneal: the condition comes in by and by, so that samples of one prompt differ more."""

from __future__ import annotations

import contextlib
import functools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
import torch.nn as nn

from phosphene.errors import PhospheneError
from phosphene.request import Request
from phosphene.steer import Steer, number, salted, shares
from phosphene.tap.anatomy import denoisers
from phosphene.tap.clock import Clock, patched
from phosphene.tap.locate import named, sample_of

_CONDITIONS = ("encoder_hidden_states", "audio_encoder_hidden_states")


@dataclass(frozen=True)
class Anneal(Steer):
    """Condition-annealed sampling (CADS): noise on the condition, less and less of it.

        y' = sqrt(g) y + scale std(y) sqrt(1 - g) n
        y'' = mix (y' rescaled to mean and deviation of y) + (1 - mix) y'
        g = 0 before time `start`, 1 after `stop`, linear between

    Only the conditional branch of guidance is touched.

    Args:
        scale: of the noise, in standard deviations of the embedding's own numbers.
        start, stop: times, 1 at the first step and 0 after the last, start at or above stop. Time
            is the share of steps still to come: what schedulers call timestep runs all ways.
        mix: 0 (not rescaled) to 1.
        seed: of n, drawn for each step on the CPU in fp32.

    References:
        CADS (Sadat et al., 2023), algorithm 1, https://arxiv.org/abs/2310.17347
    """

    scale: float = 0.25
    start: float = 0.9
    stop: float = 0.6
    mix: float = 1.0
    seed: int = 0

    name: ClassVar[str] = "anneal"

    def __post_init__(self) -> None:
        number(self.name, "scale", self.scale, 0, 100)
        number(self.name, "start", self.start, 0, 1)
        number(self.name, "stop", self.stop, 0, self.start)
        number(self.name, "mix", self.mix, 0, 1)
        number(self.name, "seed", self.seed, 0, 2**63 - 1, whole=True)

    def weight(self, time: float) -> float:
        """g at a time."""
        if time <= self.stop:
            return 1.0
        return max(0.0, (self.start - time) / max(self.start - self.stop, 1e-9))

    def annealed(self, y: torch.Tensor, time: float, step: int) -> torch.Tensor:
        """One sample's condition `(n, ...)`, n rows of which get the same noise."""
        g = self.weight(time)
        if g >= 1:
            return y
        generator = torch.Generator().manual_seed(salted(self.seed, "anneal", step))
        noise = torch.randn((1, *y.shape[1:]), generator=generator, dtype=torch.float32).to(
            y.device
        )
        whole = y.float()
        mean, std = whole.mean(), whole.std()
        out = math.sqrt(g) * whole + self.scale * std * math.sqrt(1 - g) * noise
        scaled = (out - out.mean()) / out.std().clamp_min(1e-12) * std + mean
        return (self.mix * scaled + (1 - self.mix) * out).to(y)

    @classmethod
    @contextlib.contextmanager
    def applied(
        cls, rows: Sequence[Anneal], pipeline: Any, requests: Sequence[Request]
    ) -> Iterator[None]:
        clock = Clock(len(rows))
        kind = type(pipeline.scheduler)
        step = kind.step

        @functools.wraps(step)
        def stepped(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            out = step(scheduler, *args, **kwargs)
            if scheduler is pipeline.scheduler:
                clock.end_step()
            return out

        def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> Any:
            call = named(module, args, kwargs)
            latents, _ = sample_of(call)
            clock.begin_call(len(rows) if latents is None else len(latents))
            if "cond" not in clock.branches:
                if clock.branches[0] == "branch0":
                    raise PhospheneError(
                        f"anneal can't be honoured: which of the {len(clock.branches)} branches of "
                        f"{type(pipeline).__name__} holds the prompt isn't known"
                    )
                return None
            time = _time(pipeline.scheduler, clock.step)
            changed = _changed(module, call, rows, clock, time)
            if changed.keys() <= kwargs.keys():
                return args, kwargs | changed
            return (), call | changed

        with contextlib.ExitStack() as stack:
            stack.enter_context(clock.run())
            stack.enter_context(patched(kind, "step", stepped))
            for denoiser in denoisers(pipeline).values():
                stack.enter_context(clock.watching(denoiser))
                handle = denoiser.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(handle.remove)
            yield


def _changed(
    module: nn.Module, call: dict[str, Any], rows: Sequence[Anneal], clock: Clock, time: float
) -> dict[str, Any]:
    """What is annealed among a call's arguments: the conditional branch's condition."""
    names = [n for n in _CONDITIONS if _is_condition(call.get(n))]
    if not names:
        raise PhospheneError(
            f"anneal can't be honoured: {type(module).__name__} is not called with an embedding as "
            f"encoder_hidden_states"
        )
    parts, place = len(clock.branches), clock.branches.index("cond")
    out: dict[str, Any] = {}
    for name in names:
        branches = list(shares(call[name], parts))
        own = shares(branches[place], len(rows))
        made = [row.annealed(y, time, clock.step) for row, y in zip(rows, own, strict=True)]
        branches[place] = torch.cat(made)
        out[name] = torch.cat(branches).reshape(call[name].shape)
    return out


def _is_condition(value: Any) -> bool:
    return isinstance(value, torch.Tensor) and value.is_floating_point()


def _time(scheduler: Any, step: int) -> float:
    """The share of steps still to come."""
    index = getattr(scheduler, "step_index", None)
    place = (getattr(scheduler, "begin_index", None) or 0) + step if index is None else int(index)
    return max(0.0, 1 - place / len(scheduler.timesteps))


COMPONENT = Anneal
