"""Batching: like requests go through a backbone together, in halves where that fails."""

from __future__ import annotations

import gc
import logging
import sys
import time
from collections.abc import Callable, Hashable, Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from phosphene.backbone import Backbone
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request

_OUT_OF_MEMORY = ("out of memory", "not enough memory", "allocate memory", "alloc_failed")
_log = logging.getLogger("phosphene")


@dataclass(frozen=True)
class Made:
    """What came of one request.

    Args:
        clip: the sample, None if it failed.
        reason: why it failed, one line.
        seconds: its share of the time its batch took.
        batch: how many were made together.
    """

    clip: Clip | None
    reason: str = ""
    seconds: float = 0.0
    batch: int = 1


class Batcher:
    """Makes requests of like shape in batches, and remembers what size memory allows.

    Args:
        backbone: its weights load when the first batch is made.
        size: most samples in a batch.
        tell: called with (`loading` or `note`, one line for people).
    """

    def __init__(
        self,
        backbone: Backbone,
        size: int,
        tell: Callable[[Literal["loading", "note"], str], None],
    ) -> None:
        if size < 1:
            raise PhospheneError(f"batch must be at least 1; got {size}")
        self._backbone = backbone
        self.size = size
        self._tell = tell
        self._loaded = False
        self._limit: dict[Hashable, int] = {}

    def groups(self, requests: Sequence[Request]) -> list[list[int]]:
        """Positions in `requests`, in lists that may be made together, in order of appearance."""
        alike: dict[Hashable, list[int]] = {}
        for i, request in enumerate(requests):
            alike.setdefault(self._backbone.like(request), []).append(i)
        return [g[i : i + self.size] for g in alike.values() for i in range(0, len(g), self.size)]

    def make(self, requests: Sequence[Request]) -> Iterator[tuple[int, Made]]:
        """Yield `(position, Made)` for each of `requests`, which are all alike, in order.

        A batch that fails is made again in halves until the sample at fault stands alone, so one
        bad sample costs no other.

        Raises:
            PhospheneError: the weights can't be loaded; no sample is to blame for that.
        """
        if not requests:
            return
        if not self._loaded:
            self._tell("loading", f"loading {self._backbone.id}")
            self._backbone.load()
            self._loaded = True
        shape = self._backbone.like(requests[0])
        pieces = [range(len(requests))]
        while pieces:
            piece = pieces.pop()
            limit = self._limit.get(shape, self.size)
            if len(piece) > limit:
                pieces.append(piece[limit:])
                piece = piece[:limit]
            start = time.perf_counter()
            result = self._attempt([requests[i] for i in piece])
            seconds = (time.perf_counter() - start) / len(piece)
            if isinstance(result, list):
                for i, clip in zip(piece, result, strict=True):
                    yield i, Made(clip, "", seconds, len(piece))
                continue
            half = len(piece) // 2
            if result.memory:
                self._free_memory()
                self._limit[shape] = max(1, half)
            if half == 0:
                yield piece[0], Made(None, result.reason, seconds)
                continue
            if result.memory:
                self._tell("note", f"out of memory with {len(piece)} at once; going on with {half}")
            pieces += [piece[half:], piece[:half]]

    def _attempt(self, requests: list[Request]) -> list[Clip] | _Failure:
        # Only words leave this function: an exception's frames would keep the batch's memory.
        try:
            clips = self._backbone.generate(requests)
            if len(clips) != len(requests):
                raise PhospheneError(
                    f"backbone {self._backbone.id!r} returned {len(clips)} clips for "
                    f"{len(requests)} requests"
                )
            return clips
        except Exception as error:
            _log.debug("a batch of %d failed", len(requests), exc_info=True)
            return _Failure.of(error)

    @staticmethod
    def _free_memory() -> None:
        gc.collect()
        torch = sys.modules.get("torch")
        if torch is not None and torch.cuda.is_available():
            torch.cuda.empty_cache()


@dataclass(frozen=True)
class _Failure:
    reason: str
    memory: bool

    @classmethod
    def of(cls, error: Exception) -> _Failure:
        words = " ".join(str(error).split()) or "no message"
        memory = isinstance(error, MemoryError) or (
            isinstance(error, RuntimeError)
            and (
                type(error).__name__ == "OutOfMemoryError"
                or any(sign in words.lower() for sign in _OUT_OF_MEMORY)
            )
        )
        if memory:
            return cls(
                f"out of memory for this sample alone ({words[:200]}); ask for a smaller size or "
                f"fewer frames, or use offload or quantize",
                True,
            )
        if isinstance(error, PhospheneError):
            return cls(words, False)
        return cls(f"{type(error).__name__}: {words[:300]}", False)
