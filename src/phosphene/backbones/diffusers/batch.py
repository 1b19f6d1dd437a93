"""Batch: one call for many samples, where that leaves each of them as it is alone."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any

from phosphene.backbones.diffusers.call import Manner
from phosphene.backbones.diffusers.run import Runner, is_out_of_memory
from phosphene.errors import PhospheneError
from phosphene.request import Request, image_digest

_log = logging.getLogger("phosphene")
Call = Callable[[Sequence[Request], Manner], list[Any]]
_ALL = [Manner(p, joint) for joint in (False, True) for p in ("one", "list", "tensor")]


class Batches:
    """Makes like requests together, and remembers for each kind of batch how that is done.

    What a family of pipelines means by a list of pictures (one a sample, or several for one
    sample) can't be read off it, so batches with pictures are tried on two samples first: one
    denoising step together against one step alone.

    Args:
        runner: calls the pipeline.
    """

    def __init__(self, runner: Runner) -> None:
        self.runner = runner
        self._manners: dict[tuple, Manner | None] = {}

    def make(self, requests: Sequence[Request], call: Call | None = None) -> list[Any]:
        """Clips of requests of one shape, in order.

        Args:
            call: what makes those that are made together, one result a request, in place of
                `Runner.clips`.
        """
        call = call or self.runner.clips
        if len(requests) == 1:
            return call(requests, Manner())
        kind = _kind(requests)
        if kind not in self._manners:
            return self._settle(requests, kind, call)
        manner = self._manners[kind]
        if manner is None:
            return self._apart(requests, call)
        return call(requests, manner)

    def _settle(self, requests: Sequence[Request], kind: tuple, call: Call) -> list[Any]:
        """Make the first batch of its kind, by the first manner that works."""
        reasons: list[str] = []
        tied: set[str] = set()
        trial = _Trial(self.runner, requests)
        for manner in _candidates(kind):
            if manner.pictures in tied:
                continue
            try:
                if kind[0] != "none" and not trial.agrees(manner):
                    tied.add(manner.pictures)
                    reasons.insert(0, "samples would change one another")
                    continue
                clips = call(requests, manner)
                if self.runner.ragged and kind[1] and not trial.agrees(manner):
                    reasons.insert(0, "prompts of different lengths would change one another")
                    break
            except PhospheneError:
                raise  # a sample that failed, not a manner
            except Exception as error:
                if is_out_of_memory(error):
                    raise
                reasons.append(" ".join(f"{type(error).__name__}: {error}".split())[:160])
                _log.debug("batching by %s failed", manner, exc_info=True)
                continue
            self._manners[kind] = manner
            return clips
        clips = self._apart(requests, call)
        # Only now is it known that the samples are sound and the batch was at fault.
        self._manners[kind] = None
        how = "in groups of equal inputs" if _splits(kind) else "one by one"
        _log.warning("%s makes these samples %s: %s", self.runner.name, how, reasons[0])
        return clips

    def _apart(self, requests: Sequence[Request], call: Call) -> list[Any]:
        """In groups that share prompt and pictures, or one by one where all do already."""
        groups: dict[Any, list[int]] = {}
        split = _splits(_kind(requests))
        for i, request in enumerate(requests):
            groups.setdefault(_inputs(request) if split else i, []).append(i)
        made: dict[int, Any] = {}
        for places in groups.values():
            clips = self.make([requests[i] for i in places], call)
            made.update(zip(places, clips, strict=True))
        return [made[i] for i in range(len(requests))]


class _Trial:
    """Two samples of a batch, one denoising step: together, and each alone (once)."""

    def __init__(self, runner: Runner, requests: Sequence[Request]) -> None:
        self.runner = runner
        self._pair = _most_different(requests)
        self._alone: list[Any] | None = None

    def agrees(self, manner: Manner) -> bool:
        together = self.runner.first_step(self._pair, manner)
        if self._alone is None:
            self._alone = [self.runner.first_step([r], Manner()) for r in self._pair]
        return self.runner.agree(together, self._alone)


def _splits(kind: tuple) -> bool:
    """Are there groups of equal inputs smaller than the batch?"""
    return kind not in (("none", False), ("same", False))


def _inputs(request: Request) -> tuple:
    pictures = (request.first_frame, request.last_frame)
    digests = [None if p is None else image_digest(p) for p in pictures]
    return (request.prompt, request.negative, *digests)


def _kind(requests: Sequence[Request]) -> tuple[str, bool]:
    """(`none`, `same` or `different` pictures; are there different prompts?)."""
    inputs = [_inputs(r) for r in requests]
    mixed = len({i[:2] for i in inputs}) > 1
    pictures = {i[2:] for i in inputs}
    if pictures == {(None, None)}:
        return "none", mixed
    return ("same" if len(pictures) == 1 else "different"), mixed


def _candidates(kind: tuple) -> list[Manner]:
    if kind[0] == "none":
        return [m for m in _ALL if m.pictures == "one"]
    return [m for m in _ALL if kind[0] == "same" or m.pictures != "one"]


def _most_different(requests: Sequence[Request]) -> list[Request]:
    """The first request, and the one whose inputs differ from it most obviously."""
    first = requests[0]

    def distance(other: Request) -> tuple[bool, int]:
        mine, its = _inputs(first), _inputs(other)
        return (mine[2:] != its[2:], abs(len(first.prompt) - len(other.prompt)))

    return [first, max(requests[1:], key=distance)]
