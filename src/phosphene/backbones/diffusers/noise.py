"""Noise: drawn on the CPU in fp32, one stream a sample, whatever batch, device or dtype.

Pipelines, schedulers and VAEs draw through `diffusers.utils.torch_utils.randn_tensor` or through
`torch.randn` and its kin. For the time of one call both go through `Streams.draw`, which gives each
sample of a batch its own generator. What would tie a sample to its batch raises `CannotBatch`.
"""

from __future__ import annotations

import contextlib
import functools
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import torch
from diffusers.utils import torch_utils

from phosphene.noise import Noise
from phosphene.request import Request

_ORIGINAL = torch_utils.randn_tensor
_HALVES = (None, torch.float16, torch.bfloat16, torch.float32)
# One call at a time in this process: the names that are swapped belong to every pipeline.
_LOCK = threading.RLock()


class CannotBatch(Exception):
    """This way of batching would make a sample depend on its batch mates, or fails outright."""


class Joint(torch.Generator):
    """One generator that stands for a whole batch, for calls that take no list of them."""

    members: list[torch.Generator]


class Mixed(torch.Generator):
    """One sample's generator whose normal draws are mixed from several seeds."""

    noise: Noise
    members: list[torch.Generator]


def _generators(requests: Sequence[Request], stream: str) -> list[torch.Generator]:
    return [_generator(r, stream) for r in requests]


def _generator(request: Request, stream: str) -> torch.Generator:
    if stream not in request.noise:
        return torch.Generator().manual_seed(request.stream(stream))
    noise = Noise.of(request.noise[stream])
    mixed = Mixed()
    mixed.manual_seed(noise.terms[0][0])
    mixed.noise = noise
    mixed.members = [torch.Generator().manual_seed(seed) for seed, _, _ in noise.terms]
    return mixed


class Streams:
    """The randomness of one batch.

    Args:
        requests: one a sample.
        main: the stream that the call's own generator draws from, `video` or `audio`.
        joint: hand the call one generator for the batch instead of a list.
    """

    def __init__(self, requests: Sequence[Request], main: str, joint: bool) -> None:
        self._size = len(requests)
        self._main = _generators(requests, main)
        self._audio = _generators(requests, "audio") if main != "audio" else self._main
        self._other = _generators(requests, "other")
        self._joint = joint
        self._seed = requests[0].stream("other")
        self.generator = self._hand_out(self._main)
        self._audio_generator = self._hand_out(self._audio)

    def _hand_out(self, members: list[torch.Generator]) -> Any:
        if self._size == 1:
            return members[0]
        if not self._joint:
            return members
        whole = Joint()
        whole.manual_seed(0)
        whole.members = members
        return whole

    def for_audio(self, generator: Any) -> Any:
        """The audio stream's counterpart of one of this batch's generators."""
        if generator is self.generator:
            return self._audio_generator
        if isinstance(generator, list):
            return [self.for_audio(g) for g in generator]
        for mine, audio in zip(self._main, self._audio, strict=True):
            if generator is mine:
                return audio
        return generator

    def _members(self, generator: Any) -> list[torch.Generator] | None:
        """Whose turn it is; None for a generator that isn't this batch's."""
        if generator is None:
            return self._other
        if isinstance(generator, Joint):
            return generator.members
        if isinstance(generator, list | tuple):
            return list(generator)
        ours = any(generator is g for g in (*self._main, *self._audio))
        return [generator] if ours else None

    def draw(
        self,
        sampler: Callable[..., torch.Tensor],
        shape: Sequence[int],
        generator: Any,
        device: Any = None,
        dtype: torch.dtype | None = None,
        **kwargs: Any,
    ) -> torch.Tensor:
        """`sampler(shape)`, rows shared out among the samples, each from its own generator.

        Raises:
            CannotBatch: the rows can't be shared out evenly.
        """
        members = self._members(generator)
        if members is None:
            return sampler(shape, generator=generator, device=device, dtype=dtype, **kwargs)
        shape = tuple(shape)
        drawn = torch.float32 if dtype in _HALVES else dtype
        if len(members) == 1:
            noise = _drawn(sampler, shape, members[0], dtype=drawn, **kwargs)
        elif shape and shape[0] % len(members) == 0:
            rows = (shape[0] // len(members), *shape[1:])
            noise = torch.cat([_drawn(sampler, rows, g, dtype=drawn, **kwargs) for g in members])
        else:
            raise CannotBatch(f"noise of shape {shape} can't be shared by {len(members)} samples")
        return noise.to(device=device or "cpu", dtype=dtype or torch.get_default_dtype())

    @contextlib.contextmanager
    def installed(self) -> Iterator[None]:
        """Everything drawn inside comes from these streams; all is put back on the way out.

        Raises:
            CannotBatch: more than one sample, and something drew around these streams.
        """
        with _LOCK, torch.random.fork_rng(devices=_accelerators()), _swapped(self):
            torch.manual_seed(self._seed)
            before = self._witnesses()
            yield
            if self._size > 1 and not all(map(torch.equal, before, self._witnesses())):
                raise CannotBatch("it draws noise for the batch as a whole")

    def _witnesses(self) -> list[torch.Tensor]:
        """States that no draw of this batch may move: the global ones and the joint ones."""
        if self._size == 1:
            return []
        states = [torch.get_rng_state()]
        if torch.cuda.is_available() and torch.cuda.is_initialized():
            states.append(torch.cuda.get_rng_state())
        joints = (self.generator, self._audio_generator)
        return states + [g.get_state() for g in joints if isinstance(g, Joint)]


def _drawn(
    sampler: Callable[..., torch.Tensor], shape: Any, generator: torch.Generator, **kwargs: Any
) -> torch.Tensor:
    if isinstance(generator, Mixed) and sampler is _randn:
        draws = [sampler(shape, generator=g, **kwargs) for g in generator.members]
        return generator.noise.mix(draws)
    return sampler(shape, generator=generator, **kwargs)


def _accelerators() -> list[int]:
    ready = torch.cuda.is_available() and torch.cuda.is_initialized()
    return [torch.cuda.current_device()] if ready else []


@functools.lru_cache(maxsize=1)
def _drawing_modules(_loaded: int) -> tuple[Any, ...]:
    """The modules that hold the library's `randn_tensor`; looked for again when more are loaded."""
    return tuple(m for m in list(sys.modules.values()) if vars(m).get("randn_tensor") is _ORIGINAL)


@contextlib.contextmanager
def _swapped(streams: Streams) -> Iterator[None]:
    with contextlib.ExitStack() as stack:
        replacement = _randn_tensor(streams)
        for module in _drawing_modules(len(sys.modules)):
            stack.enter_context(_set(module, "randn_tensor", replacement))
        for name in ("randn", "rand"):
            stack.enter_context(_set(torch, name, _shaped(streams, getattr(torch, name))))
        for name, base in (("randn_like", torch.randn), ("rand_like", torch.rand)):
            stack.enter_context(_set(torch, name, _like(streams, base)))
        stack.enter_context(_set(torch, "randint", _randint(streams, torch.randint)))
        yield


@contextlib.contextmanager
def _set(owner: Any, name: str, value: Any) -> Iterator[None]:
    held = getattr(owner, name)
    setattr(owner, name, value)
    try:
        yield
    finally:
        setattr(owner, name, held)


_randn, _rand = torch.randn, torch.rand


def _randn_tensor(streams: Streams) -> Callable[..., torch.Tensor]:
    def randn_tensor(shape, generator=None, device=None, dtype=None, layout=None):
        return streams.draw(_randn, shape, generator, device, dtype)

    return randn_tensor


def _shaped(streams: Streams, sampler: Callable) -> Callable[..., torch.Tensor]:
    def shaped(*size, generator=None, device=None, dtype=None, **kwargs):
        shape = kwargs.pop("size", size)
        if len(shape) == 1 and not isinstance(shape[0], int):
            shape = shape[0]
        return streams.draw(sampler, shape, generator, device, dtype, **kwargs)

    return shaped


def _like(streams: Streams, sampler: Callable) -> Callable[..., torch.Tensor]:
    def like(tensor, *, generator=None, device=None, dtype=None, **kwargs):
        kwargs.pop("memory_format", None)
        device, dtype = device or tensor.device, dtype or tensor.dtype
        return streams.draw(sampler, tensor.shape, generator, device, dtype, **kwargs)

    return like


def _randint(streams: Streams, sampler: Callable) -> Callable[..., torch.Tensor]:
    def randint(*bounds, size=None, generator=None, device=None, dtype=None, **kwargs):
        numbers = [b for b in bounds if not isinstance(b, tuple | list | torch.Size)]
        shape = size if size is not None else next(b for b in bounds if b not in numbers)
        low = kwargs.pop("low", None)
        high = kwargs.pop("high", None)
        numbers = [*numbers, *(b for b in (low, high) if b is not None)]

        def whole(shape, **inner):
            return sampler(*numbers, size=tuple(shape), **inner)

        return streams.draw(whole, shape, generator, device, dtype or torch.int64, **kwargs)

    return randint
