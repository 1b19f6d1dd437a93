"""Put a probe's question to a mind, keep what it did, and write what it found."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from phosphene import __version__
from phosphene.backbone import BackboneSpec
from phosphene.config import build
from phosphene.minds.mind import Mind
from phosphene.minds.opening import open_mind
from phosphene.minds.probe import MindProbe, mind_probes
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.notebook import Notebook
from phosphene.observe import loading_words, pairs
from phosphene.probe import Result
from phosphene.progress import OnEvent
from phosphene.report.probe import save_result, settings_of


def observe_mind(
    probe: str | MindProbe,
    mind: str | BackboneSpec | Mind,
    setup: MindSetup | None = None,
    settings: Mapping[str, Any] | None = None,
    out: str | Path | None = None,
    *,
    on_event: OnEvent | None = None,
) -> Result:
    """Run a probe, write its findings, table, figures and page, and return them.

    The same call again goes on where it was interrupted and repeats no finished unit of work.

    Args:
        probe: a name of `phosphene ls probes`, or a probe.
        mind: `mind`, `mind/NAME`, a directory, `hf:ID_OR_DIR`, a spec, or an open mind.
        setup: the text task and how it is put; what the mind was taught if None.
        settings: the probe's own, by name; only with a probe's name.
        out: directory; None keeps everything in memory and writes nothing.
        on_event: told of each finished unit.

    Raises:
        PhospheneError: an unknown probe, task, field or setting; a mind that lacks what the probe
            looks at; a directory that holds other work.
    """
    asked = make_mind_probe(probe, settings or {}) if isinstance(probe, str) else probe
    subject = MindSubject(mind if isinstance(mind, Mind) else open_mind(mind), setup or MindSetup())
    if out is None:
        return asked.run(subject, Notebook(on_event=on_event))
    root = Path(out).expanduser()
    spec = mind if isinstance(mind, BackboneSpec) else BackboneSpec(subject.mind.id)
    about = {"probe": asked.name, "settings": settings_of(asked), **subject.about}
    result = asked.run(subject, Notebook(root, {**about, "phosphene": __version__}, on_event))
    save_result(result, asked, subject.about, root, command(asked, subject, spec, root))
    return result


def make_mind_probe(name: str, settings: Mapping[str, Any]) -> MindProbe:
    """A probe with these settings.

    Raises:
        PhospheneError: no such probe, an unknown setting, or a value that it refuses.
    """
    return build(mind_probes.get(name), settings, f"probe {name}")


def run_name(probe: MindProbe, spec: BackboneSpec, setup: MindSetup) -> str:
    """The directory name that one and the same question always gets: `PROBE-MIND-HASH`."""
    values = {k: v for k, v in asdict(setup).items() if k != "batch"}
    loading = {k: v for k, v in asdict(spec).items() if k not in ("device", "offload")}
    whole = [probe.name, settings_of(probe), loading, values]
    digest = hashlib.sha256(json.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
    name = re.sub(r"[^a-z0-9]+", "-", spec.id.lower()).strip("-")[-40:]
    return f"{probe.name}-{name}-{digest[:12]}"


def command(probe: MindProbe, subject: MindSubject, spec: BackboneSpec, out: Path) -> str:
    """The command line that makes the same again; what stands at its default is left out."""
    setup, plain = subject.setup, MindSetup()
    words = ["phosphene", "probe", probe.name, "--backbone", spec.id]
    if setup.task:
        words += ["--task", setup.task]
    words += pairs("--field", setup.fields)
    for name in ("items", "split", "first_seed", "way", "thoughts", "batch"):
        if getattr(setup, name) != getattr(plain, name):
            words += [f"--{name.replace('_', '-')}", str(getattr(setup, name))]
    usual = settings_of(type(probe)())
    words += pairs("--with", {k: v for k, v in settings_of(probe).items() if v != usual[k]})
    return shlex.join([*words, *loading_words(spec), "--out", str(out)])
