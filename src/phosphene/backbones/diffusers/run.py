"""Run: one call of a loaded pipeline, from requests to clips."""

from __future__ import annotations

import contextlib
import functools
import inspect
import logging
import re
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from typing import Any

import torch

from phosphene.backbones.diffusers import output
from phosphene.backbones.diffusers.call import Manner, arguments
from phosphene.backbones.diffusers.noise import CannotBatch, Streams
from phosphene.backbones.diffusers.profile import Profile
from phosphene.backbones.diffusers.skeleton import said_once
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request
from phosphene.steer import steered

_log = logging.getLogger("phosphene")
_SOUND = re.compile(r"audio|sound")
_OUT_OF_MEMORY = ("out of memory", "not enough memory", "can't allocate memory", "alloc_failed")
# Where a sample rate is written down, what is heard last first.
_RATE_HOLDERS = ("vocoder", "", "sound_tokenizer", "audio_vae", "vae", "unet")
_RATES = ("output_sampling_rate", "sampling_rate", "sample_rate", "audio_sample_rate")
_RATES += ("audio_sampling_rate",)
Watcher = Callable[[Sequence[Request]], contextlib.AbstractContextManager[None]]


def is_out_of_memory(error: BaseException) -> bool:
    """Did memory run out, on whatever device?"""
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    words = str(error).lower()
    return isinstance(error, RuntimeError) and any(sign in words for sign in _OUT_OF_MEMORY)


class Runner:
    """Calls a loaded pipeline.

    Args:
        pipeline: the loaded pipeline.
        profile: what is known about it.
    """

    def __init__(self, pipeline: Any, profile: Profile) -> None:
        self._pipeline = pipeline
        self._profile = profile
        self._main = "audio" if profile.produces == {"audio"} else "video"
        self._rate = _sample_rate(pipeline)
        self.name = profile.cls.__name__
        self._watchers: list[Watcher] = []

    @contextlib.contextmanager
    def watched(self, watcher: Watcher) -> Iterator[None]:
        """Calls made inside run in a context of this watcher's, trials of a batch left out."""
        self._watchers.append(watcher)
        try:
            yield
        finally:
            self._watchers.remove(watcher)

    @property
    def pipeline(self) -> Any:
        return self._pipeline

    @property
    def ragged(self) -> bool:
        """Have prompts been seen whose encodings differ in length?"""
        return bool(getattr(getattr(self._pipeline, "encode_prompt", None), "ragged", False))

    def clips(self, requests: Sequence[Request], manner: Manner) -> list[Clip]:
        """Make the clips of like requests in one call.

        Raises:
            PhospheneError: a sample failed (NaN, wrong size); for one request, any failure.
            CannotBatch: they can't be made together in this manner.
        """
        try:
            made = self._call(requests, manner)
        except PhospheneError:
            raise
        except Exception as error:
            if self._tile(error):
                return self.clips(requests, manner)
            if len(requests) > 1 or is_out_of_memory(error):
                raise
            words = " ".join(str(error).split())[:300] or "no message"
            raise PhospheneError(f"{self.name} failed: {type(error).__name__}: {words}") from error
        first = requests[0]
        fps = first.fps if first.fps is not None else self._profile.defaults.get("fps", Fraction(1))
        asked = (first.width, first.height)
        size = (first.width, first.height) if first.width and first.height else None
        try:
            clips = output.clips(made, len(requests), self._profile.produces, fps, self._rate, size)
        except output.Misfit as error:
            if len(requests) > 1:
                raise CannotBatch(str(error)) from error
            raise
        for clip in clips:
            self._check_made(asked, first.frames, clip)
        return clips

    def _call(self, requests: Sequence[Request], manner: Manner, trial: bool = False) -> Any:
        streams = Streams(requests, self._main, manner.joint)
        given = arguments(self._profile, requests, manner)
        if "generator" in self._profile.parameters:
            given["generator"] = streams.generator
        with contextlib.ExitStack() as stack:
            for context in (streams.installed(), self._sound_apart(streams), said_once()):
                stack.enter_context(context)
            # What watches sees a step as steering leaves it: who comes last is asked first.
            for watcher in () if trial else self._watchers:
                stack.enter_context(watcher(requests))
            stack.enter_context(steered(self._pipeline, requests))
            return self._pipeline(**given)

    def _tile(self, error: Exception) -> bool:
        """Switch the VAE to tiles if that is what `error` asks for; False if it isn't."""
        vae: Any = getattr(self._pipeline, "vae", None)
        asked = isinstance(error, NotImplementedError) and "tiling" in str(error)
        if not asked or getattr(vae, "use_tiling", True) or not hasattr(vae, "enable_tiling"):
            return False
        vae.enable_tiling()
        _log.info("%s: the VAE works in tiles, as it needs to", self.name)
        return True

    @contextlib.contextmanager
    def _sound_apart(self, streams: Streams) -> Iterator[None]:
        """Methods that prepare sound draw from the audio stream."""
        cls = type(self._pipeline)
        names = [n for n in dir(cls) if _SOUND.search(n) and _takes_generator(cls, n)]
        with contextlib.ExitStack() as stack:
            for name in names:
                method = _with_audio(getattr(self._pipeline, name), streams)
                stack.enter_context(_in_place(self._pipeline, name, method))
            yield

    def first_step(self, requests: Sequence[Request], manner: Manner) -> torch.Tensor:
        """What the scheduler is first given for these requests; the whole output if nothing is."""
        from diffusers.schedulers.scheduling_utils import SchedulerMixin

        schedulers = [
            part
            for part in vars(self._pipeline).values()
            if isinstance(part, SchedulerMixin) and hasattr(part, "step")
        ]
        try:
            with contextlib.ExitStack() as stack:
                for scheduler in schedulers:
                    stop = _stop_at(getattr(scheduler, "step"))  # noqa: B009
                    stack.enter_context(_in_place(scheduler, "step", stop))
                made = self._call(requests, manner, trial=True)
            made = output.clips(
                made, len(requests), self._profile.produces, Fraction(1), self._rate or 1, None
            )
            return torch.stack([_content(clip) for clip in made])
        except _Stepped as stepped:
            return stepped.result
        except output.Misfit as error:
            raise CannotBatch(str(error)) from error
        finally:
            self.forget_steps()

    def forget_steps(self) -> None:
        """Step caches start afresh after a call that was cut short."""
        denoiser: Any = getattr(self._pipeline, self._profile.denoiser or "", None)
        if getattr(denoiser, "is_cache_enabled", False):
            denoiser._reset_stateful_cache()

    @staticmethod
    def agree(together: torch.Tensor, alone: Sequence[torch.Tensor]) -> bool:
        """Does each part of a batch's step equal the step made alone, but for rounding?"""
        if together.ndim == 0 or together.shape[0] % len(alone):
            return False
        slack = 1e-3 if together.dtype == torch.float32 else 5e-2
        for part, single in zip(together.chunk(len(alone)), alone, strict=True):
            if part.shape != single.shape:
                return False
            scale = float(single.float().abs().max()) + 1e-6
            if float((part.float() - single.float()).abs().max()) > slack * scale:
                return False
        return True

    def _check_made(
        self, asked: tuple[int | None, int | None], frames: int | None, clip: Clip
    ) -> None:
        """What was asked for is what was made, or it is an error."""
        if clip.frames is None or clip.size is None:
            return
        if any(a is not None and a != m for a, m in zip(asked, clip.size, strict=True)):
            raise PhospheneError(
                f"size {asked[0]}x{asked[1]} can't be honoured: {self.name} made "
                f"{clip.size[0]}x{clip.size[1]}; ask for that"
            )
        if clip.frames.min() == clip.frames.max():
            _log.warning("%s made a picture of one flat colour", self.name)
        if frames is not None and len(clip.frames) != frames:
            raise PhospheneError(
                f"frames {frames} can't be honoured: {self.name} made {len(clip.frames)}; ask for "
                f"that"
            )


@contextlib.contextmanager
def _in_place(owner: Any, name: str, value: Any) -> Iterator[None]:
    """An attribute of the instance, put back as it was, with whatever others had put there."""
    held = vars(owner)
    missing = object()
    before = held.get(name, missing)
    held[name] = value
    try:
        yield
    finally:
        if before is missing:
            del held[name]
        else:
            held[name] = before


class _Stepped(BaseException):
    """Carries the first step's input out of a call. Not an Exception: no pipeline handles it."""

    def __init__(self, result: torch.Tensor) -> None:
        super().__init__()
        self.result = result


def _stop_at(step: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(step)
    def stopped(model_output: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
        raise _Stepped(model_output.detach().clone())

    return stopped


def _content(clip: Clip) -> torch.Tensor:
    parts = [a for a in (clip.frames, clip.audio) if a is not None]
    return torch.cat([torch.from_numpy(a).float().flatten() for a in parts])


def _takes_generator(cls: type, name: str) -> bool:
    method = inspect.getattr_static(cls, name)
    return inspect.isfunction(method) and "generator" in inspect.signature(method).parameters


def _with_audio(method: Callable[..., Any], streams: Streams) -> Callable[..., Any]:
    signature = inspect.signature(method)

    @functools.wraps(method)
    def prepared(*args: Any, **kwargs: Any) -> Any:
        bound = signature.bind(*args, **kwargs)
        if "generator" in bound.arguments:
            bound.arguments["generator"] = streams.for_audio(bound.arguments["generator"])
        return method(*bound.args, **bound.kwargs)

    return prepared


def _sample_rate(pipeline: Any) -> int | None:
    """Sound samples a second (Hz) of what the pipeline returns, None if nothing says so."""
    for holder in _RATE_HOLDERS:
        part = getattr(pipeline, holder, None) if holder else pipeline
        for place in (getattr(part, "config", None), part) if holder else (part,):
            for name in _RATES:
                value = getattr(place, name, None)
                if isinstance(value, int | float) and value > 0:
                    return int(value)
    return None
