"""Backbone: anything that turns requests into clips."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.registry import Registry
from phosphene.request import Request

backbones = Registry("backbone", "phosphene.backbones")


@dataclass(frozen=True)
class BackboneSpec:
    """Which backbone, and how to load and place it. Values only; nothing is read or loaded here.

    Args:
        id: a registered name (`ember`), one of its checkpoints (`ember/NAME`), a local directory,
            or a hub id (`org/name`).
        revision: hub branch, tag or commit.
        variant: weight-file variant, e.g. `fp16`.
        dtype: `float32`, `bfloat16` or `float16`; None leaves it to the backbone.
        device: `cpu`, `cuda`, `cuda:1`, `mps`; None takes an accelerator if there is one.
        offload: None, `model`, `sequential` or `group`.
        quantize: None or a scheme the adapter knows (`bnb-8bit`, `bnb-4bit`, `torchao-int8`, ...).
        cache: None or a step cache the denoiser supports (`first-block`, `taylorseer`, ...).
        compile: compile the denoiser with torch.compile.
        lora: paths or hub ids of LoRA weights.
        allow_pickle: accept pickled weights. A pickle runs code when it is opened.
        trust_remote_code: run code that ships with the weights.
    """

    id: str
    revision: str | None = None
    variant: str | None = None
    dtype: str | None = None
    device: str | None = None
    offload: str | None = None
    quantize: str | None = None
    cache: str | None = None
    compile: bool = False
    lora: tuple[str, ...] = ()
    allow_pickle: bool = False
    trust_remote_code: bool = False


@dataclass(frozen=True)
class Capabilities:
    """What a backbone can do, known before its weights are loaded.

    Args:
        produces: kinds of stream that come out, of `image`, `video`, `audio`.
        accepts: the `Request` fields it can honour.
        requires: the `Request` fields it can't do without.
        extra: further argument names its call takes, for `Request.extra`.
        defaults: `Request` field -> the value used when the field is None, where known.
        options: the `BackboneSpec` fields it can honour (`offload`, `cache`, `lora`, ...).
        notes: what a user should know, a line each.
        explored: settings of a `Search` that suit it, for users who leave them open.
    """

    produces: frozenset[str]
    accepts: frozenset[str]
    requires: frozenset[str] = frozenset()
    extra: frozenset[str] = frozenset()
    defaults: Mapping[str, Any] = field(default_factory=dict)
    options: frozenset[str] = frozenset()
    notes: tuple[str, ...] = ()
    explored: Mapping[str, Any] = field(default_factory=dict)


class Backbone(abc.ABC):
    """A generator. Building one reads configuration only; weights load on the first `generate`.

    Attributes:
        spec: what it was opened from; part of every sample's key and recipe.
    """

    spec: BackboneSpec

    @property
    @abc.abstractmethod
    def id(self) -> str:
        """The name it was asked for by."""

    @property
    @abc.abstractmethod
    def fingerprint(self) -> str:
        """What identifies the weights and the code that runs them: part of every sample's key.

        `sha256:...` over a local directory's weights and configs, or `hub:ID@COMMIT`.
        """

    @property
    @abc.abstractmethod
    def capabilities(self) -> Capabilities: ...

    @property
    def adapters(self) -> tuple[str, ...]:
        """Names of the LoRA weights that it was opened with, whose strengths can be set."""
        return ()

    def load(self) -> None:  # noqa: B027 - a backbone without weights has nothing to do
        """Bring the weights in now, if they aren't yet. `generate` does it by itself.

        The generate loop calls it first, so that weights that can't be had stop the run instead of
        failing every sample.

        Raises:
            PhospheneError: the weights can't be read, are refused, or don't fit.
        """

    @abc.abstractmethod
    def check(self, request: Request) -> None:
        """Refuse, by name, whatever this backbone can't honour.

        Raises:
            PhospheneError: names the field, the value and the mend.
        """

    @abc.abstractmethod
    def like(self, request: Request) -> tuple:
        """A hashable shape: requests with equal shapes may share one batch."""

    @abc.abstractmethod
    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        """One clip for each request, in order. Sample i depends on its own request alone."""


@dataclass(frozen=True, eq=False)
class Preview:
    """A sample on its way.

    Args:
        request: what it is to become.
        clip: what it looks like: the predicted clean sample, decoded; or the sample itself, once it
            is finished.
        steps: denoising steps behind it.
        finished: whether that was the last one.
        state: what the backbone needs to go on; its own business, held in memory.
    """

    request: Request
    clip: Clip
    steps: int
    finished: bool
    state: Any = None


class Previewing(Backbone):
    """A backbone whose samples can be looked at, and left, before they are finished."""

    @abc.abstractmethod
    def advance(
        self, requests: Sequence[Request], to: int | None, given: Sequence[Preview | None]
    ) -> list[Preview]:
        """Denoise up to a step, or to the end.

        Args:
            requests: alike (`like`), one a sample.
            to: denoising steps that are to be behind each; None for all of them, and then the clip
                equals what `generate` makes of the request.
            given: for each request a preview whose first `steps` steps are the same as its own, or
                None: they are taken from there and cost nothing. The caller vouches that they are
                the same; a request may differ from the preview's in steering of later steps.

        Raises:
            PhospheneError: as `generate`; or a step beyond the last one.
        """


def open_backbone(spec: BackboneSpec | str) -> Backbone:
    """Find the backbone that `spec` names: a registered name, a directory, or a hub id.

    Raises:
        PhospheneError: nothing of that name; the message offers the nearest names.
    """
    spec = BackboneSpec(spec) if isinstance(spec, str) else spec
    names = backbones.names()
    is_path = Path(spec.id).exists() or spec.id.startswith((".", "/", "~"))
    # A name, or one of several sets of weights that go by it: `ember/nano-64000`.
    name = spec.id.partition("/")[0]
    if name in names and name != "diffusers" and (spec.id == name or not is_path):
        return backbones.get(name)(spec)
    if not is_path and spec.id.count("/") != 1:
        from phosphene.errors import unknown

        named = [n for n in names if n != "diffusers"]
        raise unknown("backbone", spec.id, named, "(or give a directory, or a hub id org/name)")
    if is_path and not Path(spec.id).expanduser().is_dir():
        raise PhospheneError(f"backbone {spec.id!r} is not a directory with a model_index.json")
    return backbones.get("diffusers")(spec)
