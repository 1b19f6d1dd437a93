"""Run a compliance bench on a speaker, and write what it found."""

from __future__ import annotations

import hashlib
import json
import re
import shlex
from pathlib import Path
from typing import Any

from phosphene import __version__
from phosphene.backbone import BackboneSpec
from phosphene.config import build
from phosphene.minds.compliance.bench import Compliance
from phosphene.minds.compliance.conditions import Conditions
from phosphene.minds.compliance.requests import queries
from phosphene.minds.speaker import Speaker
from phosphene.minds.speaking import open_speaker
from phosphene.notebook import Notebook
from phosphene.observe import loading_words, pairs
from phosphene.probe import Result
from phosphene.progress import OnEvent
from phosphene.report.probe import save_result, settings_of

Bench = Compliance | Conditions


def make_bench(settings: dict[str, Any], limit: int | None = None) -> Bench:
    """The bench that these settings mean: with `conditions` the search among candidate lines.

    Raises:
        PhospheneError: an unknown setting, or a value out of range.
    """
    kind = Conditions if "conditions" in settings else Compliance
    asked = settings if limit is None else {**settings, "limit": limit}
    return build(kind, asked, "bench compliance")


def run_compliance(
    speaker: str | BackboneSpec | Speaker,
    bench: Bench | None = None,
    out: str | Path | None = None,
    *,
    on_event: OnEvent | None = None,
) -> Result:
    """Put a bench to a language model; write findings, table, figures and page; return them.

    The same call again goes on where it was interrupted and asks nothing twice.

    Args:
        speaker: an id as `--backbone` takes it, a spec, or an open speaker.
        bench: what is asked.
        out: directory; None keeps everything in memory and writes nothing.
        on_event: told of each finished unit.

    Raises:
        PhospheneError: a model that can't be opened, a server that fails, a directory that holds
            other work.
    """
    asked = bench or Compliance()
    if isinstance(asked, Conditions):
        asked.lines  # a bad file is told before weights are loaded  # noqa: B018
    opened = speaker if isinstance(speaker, Speaker) else open_speaker(speaker, asked.batch)
    if out is None:
        return asked.ask(opened, Notebook(on_event=on_event))
    root = Path(out).expanduser()
    spec = speaker if isinstance(speaker, BackboneSpec) else BackboneSpec(opened.id)
    about = _about(opened, asked)
    signed = {"probe": asked.name, "settings": settings_of(asked), **about}
    if isinstance(asked, Conditions):
        signed["lines"] = json.loads(json.dumps(vars(asked.lines)))
    result = asked.ask(opened, Notebook(root, {**signed, "phosphene": __version__}, on_event))
    save_result(result, asked, about, root, _command(asked, spec, root))
    return result


def run_name(bench: Bench, spec: BackboneSpec) -> str:
    """The directory name that one and the same question always gets: `BENCH-MODEL-HASH`."""
    loading = {k: v for k, v in vars(spec).items() if k not in ("device", "offload")}
    whole = json.dumps([bench.name, settings_of(bench), loading], sort_keys=True, default=str)
    name = re.sub(r"[^a-z0-9]+", "-", spec.id.lower()).strip("-")[-40:]
    return f"{bench.name}-{name}-{hashlib.sha256(whole.encode()).hexdigest()[:12]}"


def _about(speaker: Speaker, bench: Bench) -> dict[str, Any]:
    count = len(list(queries()))
    return {
        "backbone": speaker.id,
        "fingerprint": speaker.fingerprint,
        "setup": {"task": "harmless requests", "queries": min(bench.limit or count, count)},
    }


def _command(bench: Bench, spec: BackboneSpec, out: Path) -> str:
    words = ["phosphene", "bench", "compliance", "--backbone", spec.id]
    usual = settings_of(type(bench)())
    changed = {k: v for k, v in settings_of(bench).items() if v != usual[k]}
    if "limit" in changed:
        words += ["--limit", str(changed.pop("limit"))]
    words += pairs("--with", changed)
    return shlex.join([*words, *loading_words(spec), "--out", str(out)])
