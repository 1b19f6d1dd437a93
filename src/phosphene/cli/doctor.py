"""`phosphene doctor`: what this machine, and a backbone, can do."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.options import TRUST_REMOTE_CODE

_GIB = 2**30


def doctor(
    *,
    backbone: str | None = None,
    revision: str | None = None,
    trust_remote_code: Annotated[bool, Parameter(help=TRUST_REMOTE_CODE)] = False,
    json: bool = False,
) -> None:
    """Say what this machine can do, and with --backbone what a backbone can do.

    Args:
        backbone: a registered name, a directory, or a hub id; no weights are loaded.
        revision: hub branch, tag or commit.
        trust_remote_code: run Python that ships with the weights.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.backbone import BackboneSpec
    from phosphene.doctor import examine, examine_backbone

    if backbone is not None:
        spec = BackboneSpec(backbone, revision=revision, trust_remote_code=trust_remote_code)
        found = examine_backbone(spec)
        say_json(found) if json else _say_backbone(found)
        return
    machine = examine()
    say_json(machine) if json else _say_machine(machine)


def _say_machine(found: dict[str, Any]) -> None:
    memory, disk, cache = found["memory"], found["disk"], found["cache"]
    missing = [name for name, there in found["codecs"].items() if not there]
    rows = [(name, number or "not installed") for name, number in found["versions"].items()]
    rows += [(d["device"], d["name"]) for d in found["devices"]]
    rows += list(found["dtypes"].items())
    rows += [
        ("codecs", f"missing: {', '.join(missing)}" if missing else "all there"),
        ("memory", f"{memory / _GIB:.1f} GiB" if memory else "unknown"),
        ("disk", f"{disk['free'] / _GIB:.1f} GiB free in {disk['path']}"),
        ("cache", f"{len(cache['models'])} pipelines in {cache['path']}"),
    ]
    say_table(rows)


def _say_backbone(found: dict[str, Any]) -> None:
    defaults = ", ".join(f"{name} {value}" for name, value in found["defaults"].items())
    say(found["id"])
    rows = [
        (name, ", ".join(found[name]) or "none")
        for name in ("produces", "accepts", "requires", "options", "extra")
    ]
    say_table([*rows, ("defaults", defaults or "none")])
    for note in found["notes"]:
        say(f"note: {note}")
