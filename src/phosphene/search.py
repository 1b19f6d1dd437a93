"""Search: the settings of a session; a config file says the same as the flags."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from typing import Any

from phosphene.errors import PhospheneError, unknown
from phosphene.registry import Registry

Spec = str | Mapping[str, Any]


@dataclass(frozen=True)
class Search:
    """What is searched, how, and how long.

    Components are named, or given as a mapping with their fields: `{name: open_clip, model: ...}`;
    `as: LABEL` tells two of one name apart.

    Args:
        explorer: see `phosphene ls explorers`.
        budget: finished samples' worth of denoiser calls, the warm-up's included.
        warmup: independent draws that begin every session: what is ordinary is measured on them.
        batch: candidates a round.
        seed: of everything.
        embeddings: what novelty is measured in; those that suit the backbone if empty.
        qualities: what good is measured by, two at least; those that suit the backbone if empty.
        judge: a quality that is measured and never searched for.
        targets: what to look for, in words; wants an embedding that reads words.
        prompt: what is asked for; may hold slots: `a {colour} ball`.
        words: slot -> its choices.
        negative: what to stay away from.
        pictures: first frames: files, or `task:NAME:COUNT` for those of a task's problems.
        framed: share of independent draws that begin from a picture, where there are any.
        width, height, frames, fps, steps, guidance: as in `Request`.
        guidance_range, step_range: where guidance and steps may vary.
        extra: further arguments of the backbone's own call.
        operators: which may be used; all that are able if empty.
        lossless: keep exact frames and sound.
    """

    explorer: Spec = "portfolio"
    budget: int = 256
    warmup: int = 32
    batch: int = 16
    seed: int = 0
    embeddings: tuple[Spec, ...] = ()
    qualities: tuple[Spec, ...] = ()
    judge: Spec | None = None
    targets: tuple[str, ...] = ()
    prompt: str | None = None
    words: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    negative: str | None = None
    pictures: tuple[str, ...] = ()
    framed: float | None = None
    width: int | None = None
    height: int | None = None
    frames: int | None = None
    fps: str | None = None
    steps: int | None = None
    guidance: float | None = None
    guidance_range: tuple[float, float] | None = None
    step_range: tuple[int, int] | None = None
    extra: Mapping[str, Any] = field(default_factory=dict)
    operators: tuple[Spec, ...] = ()
    lossless: bool = False

    def __post_init__(self) -> None:
        for name, least in (("budget", 1), ("warmup", 4), ("batch", 1), ("seed", 0)):
            if getattr(self, name) < least:
                raise PhospheneError(f"{name} must be at least {least}; got {getattr(self, name)}")
        if self.budget < self.warmup:
            raise PhospheneError(
                f"a budget of {self.budget} does not cover the warm-up of {self.warmup}; raise "
                f"--budget or lower --warmup"
            )
        if self.framed is not None and not 0 <= self.framed <= 1:
            raise PhospheneError(f"framed is a share, 0..1; got {self.framed}")
        for name in ("guidance_range", "step_range"):
            span = getattr(self, name)
            if span is not None and span[0] >= span[1]:
                raise PhospheneError(f"{name} goes from low to high; got {list(span)}")


def name_of(spec: Spec) -> str:
    """The name in a spec.

    Raises:
        PhospheneError: a mapping without a name.
    """
    if isinstance(spec, str):
        return spec
    if not isinstance(spec.get("name"), str):
        raise PhospheneError(f"a component is a name, or a mapping with a name; got {dict(spec)!r}")
    return spec["name"]


def label(spec: Spec) -> str:
    """What a component is called in a session: `as` in its spec, its class, or its name."""
    if not isinstance(spec, str) and "as" in spec:
        return str(spec["as"])
    return name_of(spec).rpartition(":")[2]


def component(registry: Registry, spec: Spec) -> Any:
    """The component that a spec names, with its fields.

    Args:
        registry: where names are looked up.
        spec: a name of the registry, or `MODULE:CLASS` for a class of the user's own.

    Raises:
        PhospheneError: no such component, an unknown field, or a value it refuses.
    """
    name = name_of(spec)
    cls = _imported(registry, name) if ":" in name else registry.get(name)
    given = (
        {} if isinstance(spec, str) else {k: v for k, v in spec.items() if k not in ("name", "as")}
    )
    known = [f.name for f in fields(cls) if f.init]
    for key in given:
        if key not in known:
            raise PhospheneError(f"{registry.kind} {name}: {unknown('field', key, known)}")
    # What YAML calls a list, frozen dataclasses call a tuple.
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in given.items()}
    try:
        return cls(**values)
    except (TypeError, ValueError) as error:
        raise PhospheneError(f"{registry.kind} {name}: {error}") from error


def _imported(registry: Registry, name: str) -> Any:
    module, _, attribute = name.partition(":")
    try:
        return getattr(importlib.import_module(module), attribute)
    except (ImportError, AttributeError, ValueError) as error:
        raise PhospheneError(
            f"{registry.kind} {name!r} can't be imported ({error}); give MODULE:CLASS"
        ) from error
