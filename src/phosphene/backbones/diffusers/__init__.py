"""Drives any diffusers pipeline, by what it accepts and returns and not by its name.

A directory or a hub id is read in this order, each file a step: `source` (index and
configurations), `weights` (what may be opened, what identifies it), `skeleton` (the pipeline
without weights), `profile` (what it takes, makes and needs), `refuse` and `options` (what can't be
honoured), then, at the first sample, `place` (weights), `batch`, `run`, `advance`, `noise`,
`conditioning` and `output`.
"""

from __future__ import annotations

import contextlib
import importlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any

import torch

from phosphene.backbone import BackboneSpec, Capabilities, Preview, Previewing
from phosphene.backbones.diffusers import options, refuse, skeleton, weights
from phosphene.backbones.diffusers.batch import Batches, Call
from phosphene.backbones.diffusers.call import Manner, shape
from phosphene.backbones.diffusers.place import adapters, load
from phosphene.backbones.diffusers.profile import Profile
from phosphene.backbones.diffusers.run import Runner
from phosphene.backbones.diffusers.source import resolve
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.request import Request


class DiffusersBackbone(Previewing):
    """A diffusers pipeline. Building one reads configurations; weights load at first need.

    Args:
        spec: which pipeline, and how to load and place it.
        pipeline_class: the class to use in place of the one that `model_index.json` names.
        modules: dotted names of modules that define components, imported before they are looked
            for; for pipelines whose components are not part of diffusers or transformers.
        directory: where it is, if `spec.id` is a name that a registry knows and no address.
        explored: settings of a `Search` that suit it.

    Raises:
        PhospheneError: nothing there, not a pipeline that makes pictures or sound, pickled weights
            or shipped code that the spec doesn't allow, or an option that can't be honoured.
    """

    def __init__(
        self,
        spec: BackboneSpec,
        pipeline_class: type | None = None,
        modules: Sequence[str] = (),
        directory: Path | None = None,
        explored: Mapping[str, Any] | None = None,
    ) -> None:
        self.spec = spec
        for module in modules:
            importlib.import_module(module)
        source = resolve(spec if directory is None else replace(spec, id=str(directory)))
        weights.check_safety(source, spec)
        cls = pipeline_class or skeleton.pipeline_class(source, spec.trust_remote_code)
        self.profile = Profile(cls, source, skeleton.build(cls, source))
        can = self.profile.capabilities(spec)
        self._capabilities = replace(can, explored=dict(explored or {}))
        options.check(self.profile, spec)
        self._batches: Batches | None = None
        self._sound: set[tuple] = set()  # shapes that have passed the pipeline's own checks

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def fingerprint(self) -> str:
        return self._fingerprint

    @cached_property
    def _fingerprint(self) -> str:
        return weights.fingerprint(self.profile.source, self.spec)

    @property
    def capabilities(self) -> Capabilities:
        return self._capabilities

    def check(self, request: Request) -> None:
        like = self.like(request)
        refuse.check(self.profile, request, like not in self._sound, self.adapters)
        self._sound.add(like)

    def like(self, request: Request) -> tuple:
        return shape(request)

    def load(self) -> None:
        """Read the weights, if that hasn't been done.

        Raises:
            PhospheneError: they can't be read.
        """
        self._loaded()

    @cached_property
    def pipeline(self) -> Any:
        """The loaded diffusers pipeline itself."""
        return load(self.profile, self.spec)

    def _loaded(self) -> Batches:
        if self._batches is None:
            self._batches = Batches(Runner(self.pipeline, self.profile))
        return self._batches

    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        """One clip a request, in order; like requests share a call.

        Raises:
            PhospheneError: a request that can't be honoured (before the weights are read), or a
                sample that failed.
            torch.OutOfMemoryError, MemoryError: too many at once.
        """
        return self._made(requests, self.like)

    def _made(
        self,
        requests: Sequence[Request],
        kind: Callable[[Request], tuple],
        call: Call | None = None,
    ) -> list[Any]:
        """One result a request, in order; those of one kind share a call."""
        for request in requests:
            self.check(request)
        groups: dict[tuple, list[int]] = {}
        for i, request in enumerate(requests):
            groups.setdefault(kind(request), []).append(i)
        made: dict[int, Any] = {}
        for places in groups.values():
            results = self._loaded().make([requests[i] for i in places], call)
            made.update(zip(places, results, strict=True))
        return [made[i] for i in range(len(requests))]

    def advance(
        self, requests: Sequence[Request], to: int | None, given: Sequence[Preview | None]
    ) -> list[Preview]:
        """Previews, one a request; steps are those of the pipeline's scheduler.

        Raises:
            PhospheneError: as `generate`; a pipeline that can't be looked into, a step beyond the
                last one, or something given that is finished.
        """
        from phosphene.backbones.diffusers.advance import advanced

        if to is not None and to < 1:
            raise PhospheneError(f"a preview needs at least 1 step; got {to}")
        for preview in given:
            if preview is not None and preview.finished:
                raise PhospheneError("a finished sample can't go on; give a preview that isn't")
        # One object a place, so that each has its own preview.
        seen: set[Request] = set()
        own = [replace(r) if r in seen else (seen.add(r) or r) for r in requests]
        held = dict(zip(own, given, strict=True))
        runner = self._loaded().runner

        def call(batch: Sequence[Request], manner: Manner) -> list[Preview]:
            return advanced(runner, batch, manner, to, held)

        def kind(request: Request) -> tuple:
            preview = held[request]
            return self.like(request), 0 if preview is None else preview.steps

        return self._made(own, kind, call)

    @contextlib.contextmanager
    def keeping(self) -> Iterator[dict[Request, torch.Tensor]]:
        """As `phosphene.exploring.latents.keeping_latents`, which says what is kept."""
        from phosphene.exploring.latents import watcher

        kept: dict[Request, torch.Tensor] = {}
        runner = self._loaded().runner
        with runner.watched(watcher(runner.pipeline, kept)):
            yield kept

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the LoRA weights, whose strengths a request may set."""
        return tuple(adapters(self.spec))

    def describe(self) -> dict[str, Any]:
        """What is known of the pipeline beyond its capabilities, JSON-able, without its weights."""
        profile = self.profile
        rule = profile.frame_rule
        return {
            "class": profile.cls.__name__,
            "components": {n: c for n, (_, c) in profile.source.components.items()},
            "parameters": profile.parameters_count,
            "arguments": dict(profile.names),
            "needs": sorted(profile.needed),
            "size_multiple": profile.multiple,
            "frame_rule": None if rule is None else {"step": rule.step, "offset": rule.offset},
            "caches": options.caches(profile),
            "commit": profile.source.commit,
        }


def COMPONENT(spec: BackboneSpec) -> DiffusersBackbone:
    """Open the pipeline that `spec.id` names: a directory or a hub id."""
    return DiffusersBackbone(spec)


__all__ = ["COMPONENT", "DiffusersBackbone", "PhospheneError"]
