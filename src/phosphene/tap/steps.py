"""Steps: what a tap does at the scheduler."""

from __future__ import annotations

import contextlib
import functools
import inspect
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from phosphene.errors import PhospheneError
from phosphene.tap import estimate
from phosphene.tap.address import HEAD_SITES, MAP_SITES, Address, Site
from phosphene.tap.asked import Asked
from phosphene.tap.clock import Clock, patched

if TYPE_CHECKING:
    import torch


class StepSide:
    """Reads and edits what the scheduler is given and gives back.

    Attributes:
        levels: step -> (timestep, noise level sigma or None).
    """

    def __init__(self, asked: Asked, clock: Clock) -> None:
        self._asked, self._clock = asked, clock
        self.levels: dict[int, tuple[float, float | None]] = {}
        self._now: tuple[Any, Any, Any, Any] = (None, None, None, None)

    def expected(self, prediction: torch.Tensor) -> torch.Tensor:
        """x0 that a prediction implies at the step under way."""
        scheduler, timestep, sample, per_token = self._now
        return estimate.clean(scheduler, prediction, timestep, sample, per_token)

    def mixture(self) -> tuple[Any, Any]:
        """(a, s) of the sample that the step under way gives back."""
        return estimate.mixture(self._now[0], self._now[1])

    @contextlib.contextmanager
    def watching(self, scheduler: Any, pipeline: str) -> Iterator[None]:
        """Take part in the steps of a scheduler, and of its copies.

        Raises:
            PhospheneError: its `step` isn't told timestep and sample.
        """
        owner = type(scheduler)
        told = inspect.signature(owner.step)
        missing = {"model_output", "timestep", "sample"} - set(told.parameters)
        if missing:
            raise PhospheneError(
                f"{pipeline} can't be tapped: {owner.__name__}.step is not told "
                f"{', '.join(sorted(missing))}"
            )
        with patched(owner, "step", self._stepped(owner.step, told, scheduler)):
            yield

    def start(self) -> None:
        """A run begins."""
        self.levels = {}

    def _stepped(
        self, original: Callable[..., Any], told: inspect.Signature, main: Any
    ) -> Callable[..., Any]:
        @functools.wraps(original)
        def stepped(scheduler: Any, *args: Any, **kwargs: Any) -> Any:
            if not self._clock.running:
                return original(scheduler, *args, **kwargs)
            call = told.bind(scheduler, *args, **kwargs)
            stream = self._clock.stream(scheduler, main)
            last = _is_last(scheduler, call.arguments["timestep"])
            self._before(scheduler, call.arguments, stream)
            out = original(*call.args, **call.kwargs)
            if stream == 0:
                self._check()
                self._clock.end_step()
            out = out if last else self._next_sample(out, stream)
            self._now = (None, None, None, None)
            return out

        return stepped

    def _before(self, scheduler: Any, call: dict[str, Any], stream: int) -> None:
        """Read what the scheduler is given, after editing the prediction."""
        step = self._clock.step - (1 if stream and self._clock.call == 0 else 0)

        def at(site: Site) -> Address:
            return Address(step, "guided", -1, site, stream)

        asked, sample, timestep = self._asked, call["sample"], call["timestep"]
        per_token = call.get("per_token_timesteps")
        self._now = (scheduler, timestep, sample, per_token)
        output = asked.edited(call["model_output"], at("prediction"))
        call["model_output"] = output
        asked.keep(at("prediction"), lambda: output, None)
        asked.keep(at("x_t"), lambda: sample, None)
        asked.keep(
            at("x0"), lambda: estimate.clean(scheduler, output, timestep, sample, per_token), None
        )
        if stream == 0:
            self.levels[step] = (float(timestep), estimate.level(scheduler, timestep))

    def _check(self) -> None:
        """After the first step, whatever belongs to it has come by; better to stop here than after
        the last one."""
        silent = self._asked.silent(0) if self._clock.step == 0 else None
        if silent is not None:
            raise PhospheneError(never(silent))

    def _next_sample(self, out: Any, stream: int) -> Any:
        """Edit the sample that the next step starts from."""
        at = Address(self._clock.step, "guided", -1, "x_t", stream)
        if not self._asked.edits(at):
            return out
        if isinstance(out, tuple):
            return (self._asked.edited(out[0], at), *out[1:])
        out.prev_sample = self._asked.edited(out.prev_sample, at)
        return out


def _is_last(scheduler: Any, timestep: Any) -> bool:
    """Whether no step follows: what comes out now is no step's input."""
    timesteps = getattr(scheduler, "timesteps", None)
    if timesteps is None or not len(timesteps):
        return False
    index = getattr(scheduler, "step_index", None)
    if index is not None:
        return int(index) + 1 >= len(timesteps)
    return float(timestep) == float(timesteps[-1])


def never(asked: Any) -> str:
    """That nothing has come by, and what may be the matter."""
    places = [
        f"{name} {list(value)}"
        for name, value in (
            ("layers", asked.layers),
            ("steps", asked.steps),
            ("branches", asked.branches),
        )
        if value is not None
    ]
    where = f" at {', '.join(places)}" if places else ""
    reduce = getattr(asked, "reduce", None)
    if reduce is not None and reduce.needs_layout:
        why = (
            "it isn't known which token is which part of a frame, or they never come by; reduce by "
            "Mean, Tokens or Mass"
        )
    elif asked.site in (*HEAD_SITES, *MAP_SITES):
        why = (
            "these blocks don't attend through torch's scaled_dot_product_attention; switch a "
            "foreign attention backend off with set_attention_backend('native'); linear attention "
            "has no maps"
        )
    else:
        why = "ask for steps, branches and layers that the run has"
    return f"nothing passed {asked.site!r}{where}: {why}"
