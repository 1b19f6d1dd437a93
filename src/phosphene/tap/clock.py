"""Clock: which step, guidance branch and stream a value belongs to.

Only 2 of some 285 pipelines tell their denoiser the step, but all of them call `scheduler.step`:
that call ends a step. It is watched on the class, because joint generators step their sound with a
copy of the scheduler, and a copy would take an instance's patch along.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator
from typing import Any

import torch.nn as nn

from phosphene.errors import PhospheneError


class Scattered(PhospheneError):
    """The samples of a batch do not come to the denoiser together."""


class Clock:
    """Counts steps and calls of one run of a pipeline.

    Attributes:
        step: steps finished so far.
        call: calls of the denoiser within the step.
        branches: names of the parts of the batch in the denoiser call that is under way.
    """

    def __init__(self, runs: int) -> None:
        self.runs = runs
        self.step = 0
        self.call = 0
        self.branches: tuple[str, ...] = ("cond",)
        self._thread: int | None = None
        self._context: str | None = None
        self._streams: dict[int, Any] = {}

    @contextlib.contextmanager
    def run(self) -> Iterator[None]:
        """One run of the pipeline."""
        self.step, self.call = 0, 0
        self._context = None
        self._streams = {}
        self._thread = threading.get_ident()
        try:
            yield
        finally:
            self._thread = None

    @property
    def running(self) -> bool:
        """Whether what happens now belongs to a run of the pipeline: another one may share its
        scheduler's class, or even its denoiser."""
        return self._thread == threading.get_ident()

    def begin_call(self, rows: int) -> None:
        """A denoiser is called with `rows` samples.

        Raises:
            Scattered: they are no multiple of the samples asked for.
        """
        if rows % self.runs:
            raise Scattered(
                f"the denoiser works on {rows} rows for {self.runs} samples; tap one sample at a "
                f"time"
            )
        parts = rows // self.runs
        if self._context is not None and parts == 1:
            self.branches = (_plain(self._context),)
        elif parts == 1:
            self.branches = (_ORDER[self.call] if self.call < 2 else f"branch{self.call}",)
        elif parts == 2:
            self.branches = ("uncond", "cond")
        else:
            self.branches = tuple(f"branch{i}" for i in range(parts))
        self.call += 1

    def stream(self, scheduler: Any, main: Any) -> int:
        """0 for the pipeline's own scheduler, then 1, 2 ... in the order of appearance."""
        if scheduler is main:
            return 0
        if id(scheduler) not in self._streams:
            self._streams[id(scheduler)] = (len(self._streams) + 1, scheduler)
        return self._streams[id(scheduler)][0]

    def end_step(self) -> None:
        """The pipeline's own scheduler has stepped."""
        self.step += 1
        self.call = 0

    @contextlib.contextmanager
    def watching(self, denoiser: nn.Module) -> Iterator[None]:
        """Note the names that the pipeline gives to its calls, by `cache_context`."""
        original: Any = getattr(denoiser, "cache_context", None)
        if original is None:
            yield
            return

        @contextlib.contextmanager
        def named(name: str, **kwargs: Any) -> Iterator[Any]:
            self._context = name
            try:
                with original(name, **kwargs) as inner:
                    yield inner
            finally:
                self._context = None

        held = vars(denoiser)
        before = held.get("cache_context", _MISSING)
        held["cache_context"] = named
        try:
            yield
        finally:
            if before is _MISSING:
                del held["cache_context"]
            else:
                held["cache_context"] = before


_MISSING = object()
_ORDER = ("cond", "uncond")
_WORDS = {
    "cond": ("cond", "cond_uncond", "positive", "pos"),
    "uncond": ("uncond", "negative", "neg"),
}


def _plain(name: str) -> str:
    """The field's two words for what pipelines call by several; other branches, as the one that
    cuts sound off from pictures, keep the pipeline's name."""
    word = name.removeprefix("pred_")
    return next((plain for plain, words in _WORDS.items() if word in words), name)


@contextlib.contextmanager
def patched(owner: Any, name: str, value: Any) -> Iterator[None]:
    """A class's or module's attribute replaced; put back as it was, inherited ones included."""
    own = name in vars(owner)
    before = vars(owner)[name] if own else None
    setattr(owner, name, value)
    try:
        yield
    finally:
        if own:
            setattr(owner, name, before)
        else:
            delattr(owner, name)
