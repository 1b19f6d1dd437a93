"""Observe: put a probe's question to a backbone, keep what it did, and write what it found."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
import sys
from collections.abc import Mapping
from dataclasses import asdict, fields
from pathlib import Path
from types import ModuleType
from typing import Any

from phosphene import __version__
from phosphene.backbone import Backbone, BackboneSpec
from phosphene.config import assignments, build
from phosphene.notebook import Notebook
from phosphene.probe import Probe, Result, probes
from phosphene.progress import OnEvent
from phosphene.report.probe import save_result, settings_of
from phosphene.subject import Setup, Subject

# Where a sample is computed does not change what is asked.
_PLACEMENT = ("id", "device", "offload")


def observe(
    probe: str | Probe,
    backbone: str | BackboneSpec | Backbone,
    setup: Setup | str,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    on_event: OnEvent | None = None,
) -> Result:
    """Run a probe, write its findings, table, figures and page, and return them.

        import phosphene
        setup = phosphene.Setup("equations", {"largest": 4, "variety": 0.0}, items=24)
        found = phosphene.observe("lens", "ember", setup, out="runs/lens-ember")

    The same call again goes on where it was interrupted and repeats no finished unit of work.

    Args:
        probe: a name of `phosphene ls probes`, or a probe.
        backbone: a name, a directory, a hub id, a spec, or an open backbone.
        setup: the task and how it is put; a task's name for the defaults.
        settings: the probe's own, by name; only with a probe's name.
        out: directory; None keeps everything in memory and writes nothing.
        on_event: told of each finished unit.

    Raises:
        PhospheneError: an unknown probe, task, field or setting; a backbone that can't be probed,
            or lacks what the probe looks at; a directory that holds other work.
    """
    asked = make_probe(probe, settings or {}) if isinstance(probe, str) else probe
    subject = Subject(backbone, Setup(setup) if isinstance(setup, str) else setup)
    if out is None:
        return asked.run(subject, Notebook(on_event=on_event))
    root = Path(out).expanduser()
    result = asked.run(subject, Notebook(root, signature(asked, subject), on_event))
    save_result(result, asked, subject.about, root, command(asked, subject, root))
    return result


def make_probe(name: str, settings: Mapping[str, Any]) -> Probe:
    """A probe with these settings.

    Raises:
        PhospheneError: no such probe, an unknown setting, or a value that it refuses.
    """
    return build(probes.get(name), settings, f"probe {name}")


def run_name(probe: Probe, spec: BackboneSpec, setup: Setup) -> str:
    """The directory name that one and the same question always gets: `PROBE-BACKBONE-HASH`."""
    loading = {k: v for k, v in asdict(spec).items() if k not in _PLACEMENT}
    where = str(Path(spec.id).resolve()) if Path(spec.id).is_dir() else spec.id
    values = {k: v for k, v in asdict(setup).items() if k != "batch"}
    whole = [probe.name, settings_of(probe), where, loading, values]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
    name = re.sub(r"[^a-z0-9]+", "-", Path(where).name.lower()).strip("-")[:40]
    return f"{probe.name}-{name or 'run'}-{digest[:12]}"


def signature(probe: Probe, subject: Subject) -> dict[str, Any]:
    """All that the units of one piece of work depend on."""
    loading = {k: v for k, v in asdict(subject.backbone.spec).items() if k not in _PLACEMENT}
    return {
        "probe": probe.name,
        "settings": settings_of(probe),
        **subject.about,
        "loading": loading,
        "phosphene": __version__,
    }


def command(probe: Probe, subject: Subject, out: Path) -> str:
    """The command line that makes the same again; what stands at its default is left out."""
    setup, spec = subject.setup, subject.backbone.spec
    words = ["phosphene", "probe", probe.name, "--backbone", spec.id, "--task", setup.task]
    words += pairs("--field", setup.fields)
    plain = Setup("")
    for name in ("items", "split", "first_seed", "size", "frames", "steps", "guidance", "batch"):
        if getattr(setup, name) != getattr(plain, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(setup, name))]
    words += pairs("--set", setup.extra)
    usual = settings_of(type(probe)())
    words += pairs("--with", {k: v for k, v in settings_of(probe).items() if v != usual[k]})
    return shlex.join([*words, *loading_words(spec), "--out", str(out)])


def loading_words(spec: BackboneSpec) -> list[str]:
    """The flags that say how a backbone was loaded; what stands at its default is left out."""
    words: list[str] = []
    bare = BackboneSpec(spec.id)
    for name in (f.name for f in fields(BackboneSpec) if f.name != "id"):
        value, flag = getattr(spec, name), f"--{name.replace('_', '-')}"
        if value != getattr(bare, name):
            many = value if isinstance(value, tuple) else (value,)
            words += [w for v in many for w in ([flag] if v is True else [flag, str(v)])]
    return words


def pairs(flag: str, values: Mapping[str, Any]) -> list[str]:
    """Each value as `FLAG NAME=VALUE`."""
    return [word for name, value in values.items() for word in (flag, _pair(name, value))]


def _pair(name: str, value: Any) -> str:
    """`NAME=VALUE` that reads back as the same value."""
    plain = f"{name}={value}"
    if isinstance(value, str) and assignments([plain])[name] == value:
        return plain
    return f"{name}={json.dumps(value)}"


class _Callable(ModuleType):
    """`import phosphene.observe` puts this module where `from phosphene import observe` finds the
    function of its name; so that `phosphene.observe(...)` works before and after, the module can be
    called too."""

    __call__ = staticmethod(observe)


sys.modules[__name__].__class__ = _Callable
