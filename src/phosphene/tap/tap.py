"""The tap itself: one context around a pipeline."""

from __future__ import annotations

import contextlib
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
import torch.nn as nn

from phosphene.errors import PhospheneError
from phosphene.tap.address import SITES, STEP_SITES, Address, Edit, Read
from phosphene.tap.anatomy import Layer, denoisers, layers
from phosphene.tap.asked import Asked
from phosphene.tap.attention import AttentionSide
from phosphene.tap.blocks import BlockSide
from phosphene.tap.clock import Clock, patched
from phosphene.tap.follow import Follower
from phosphene.tap.locate import named, sample_of
from phosphene.tap.reduce import landed
from phosphene.tap.steps import StepSide, never


class Tap:
    """A context in which a pipeline's calls are read and edited.

    Args:
        pipeline: a loaded diffusers pipeline.
        reads: what to keep.
        edits: what to replace, in order.
        runs: samples in the batch of each call.

    Attributes:
        layers: the blocks, in order.
        calls: how many calls of the pipeline have finished.

    Raises:
        PhospheneError: on entering, if the pipeline can't be tapped or has no such site; during a
            call, if an edit breaks its promise or if nothing passes a read at its first step; at
            the end of a call, if a read or an edit never fired.
    """

    def __init__(
        self,
        pipeline: Any,
        reads: Sequence[Read] = (),
        edits: Sequence[Edit] = (),
        runs: int = 1,
    ) -> None:
        self.pipeline = pipeline
        self._asked = Asked(reads, edits)
        self._inside = bool(self._asked.sites - set(STEP_SITES))
        self._denoisers = denoisers(pipeline)
        self.layers: list[Layer] = layers(pipeline, self._denoisers) if self._inside else []
        self.calls = 0
        self._clock = Clock(runs)
        self._follower = Follower()
        self._steps = StepSide(self._asked, self._clock)
        sides = (self._asked, self._clock, self._follower, self.layers)
        self._blocks = BlockSide(*sides)
        self._attention = AttentionSide(*sides)
        self._follows = self._asked.sees_layout([s for s in SITES if s not in STEP_SITES])
        self._stack = contextlib.ExitStack()
        for asked in self._asked.all:
            self._check(asked)

    @property
    def values(self) -> dict[Address, torch.Tensor]:
        """What the last finished call left, address -> reduced tensor."""
        return self._asked.values

    @property
    def levels(self) -> dict[int, tuple[float, float | None]]:
        """Step -> (timestep, noise level sigma or None) of the last call."""
        return self._steps.levels

    def expected(self, prediction: torch.Tensor) -> torch.Tensor:
        """The clean sample that a prediction implies; for an edit of `prediction`, while it runs.

        It is affine in the prediction, element by element, so two of these give its slope.
        """
        return self._steps.expected(prediction)

    def mixture(self) -> tuple[Any, Any]:
        """The (a, s) of x_t = a x0 + s e; for an edit of `x_t`, while it runs."""
        return self._steps.mixture()

    def _check(self, asked: Read | Edit) -> None:
        """The site asked for exists."""
        kind = type(self.pipeline).__name__
        if asked.site not in SITES:
            raise PhospheneError(
                f"there is no site {asked.site!r}; there are {', '.join(sorted(SITES))}"
            )
        if asked.site in STEP_SITES:
            first = asked.steps is not None and 0 in asked.steps
            if isinstance(asked, Edit) and asked.site == "x_t" and first:
                raise PhospheneError(
                    "x_t of step 0 is the starting noise; give that to the pipeline instead"
                )
            return
        numbers = asked.layers if asked.layers is not None else range(len(self.layers))
        beyond = [n for n in numbers if not 0 <= n < len(self.layers)]
        if beyond:
            raise PhospheneError(
                f"there is no layer {beyond[0]}; {kind} has {len(self.layers)}, from 0"
            )
        if not any(self.layers[n].parts(asked.site) for n in numbers):
            raise PhospheneError(
                f"{kind} has no part that is known as {asked.site!r} in the layers asked for"
            )

    def __enter__(self) -> Tap:
        kind = type(self.pipeline)
        scheduler = getattr(self.pipeline, "scheduler", None)
        if scheduler is None or not hasattr(scheduler, "step"):
            raise PhospheneError(f"{kind.__name__} can't be tapped: it has no scheduler that steps")
        with contextlib.ExitStack() as stack:
            stack.enter_context(patched(kind, "__call__", self._called(kind.__call__)))
            stack.enter_context(self._steps.watching(scheduler, kind.__name__))
            for name, denoiser in self._denoisers.items():
                stack.enter_context(self._clock.watching(denoiser))
                before = self._before_denoiser(name, denoiser)
                handle = denoiser.register_forward_pre_hook(before, with_kwargs=True)
                stack.callback(handle.remove)
                handle = denoiser.register_forward_hook(self._after_denoiser)
                stack.callback(handle.remove)
            stack.enter_context(self._blocks.watching(self._follows))
            stack.enter_context(self._attention.watching())
            self._stack = stack.pop_all()
        return self

    def __exit__(self, *exception: Any) -> None:
        self._stack.close()

    def _called(self, original: Callable[..., Any]) -> Callable[..., Any]:
        tap = self

        @functools.wraps(original)
        def called(pipeline: Any, *args: Any, **kwargs: Any) -> Any:
            if pipeline is not tap.pipeline:
                return original(pipeline, *args, **kwargs)
            with tap._run():
                return original(pipeline, *args, **kwargs)

        return called

    @contextlib.contextmanager
    def _run(self) -> Iterator[None]:
        """One call of the pipeline."""
        with self.by_hand():
            yield
        silent = self._asked.silent()
        if silent is not None:
            raise PhospheneError(f"{never(silent)}; the run had {self._clock.step} steps")
        self.calls += 1

    @contextlib.contextmanager
    def by_hand(self) -> Iterator[None]:
        """Calls of the denoisers that are made inside, outside of any run of the pipeline, are
        read and edited as those of a step 0."""
        self._asked.start()
        self._steps.start()
        with self._clock.run():
            try:
                yield
            finally:
                self._follower.end()
                landed()

    def _before_denoiser(self, name: str, denoiser: nn.Module) -> Callable[..., None]:
        own = [layer for layer in self.layers if layer.name.startswith(f"{name}.")]

        def before(module: nn.Module, args: tuple, kwargs: dict[str, Any]) -> None:
            if not self._clock.running:
                return
            arguments = named(denoiser, args, kwargs)
            latents, _ = sample_of(arguments)
            if latents is None and self._inside:
                raise PhospheneError(
                    f"{type(denoiser).__name__} can't be read inside: its samples come packed "
                    f"together, not as a batch; {', '.join(STEP_SITES)} can be read"
                )
            self._clock.begin_call(self._clock.runs if latents is None else len(latents))
            self._blocks.begin()
            self._attention.begin()
            if self._follows:
                self._follower.begin(denoiser, own, arguments)

        return before

    def _after_denoiser(self, module: nn.Module, args: tuple, output: Any) -> None:
        self._follower.end()
