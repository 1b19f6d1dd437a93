"""`phosphene doctor`: what this machine, and a backbone, can do."""

from __future__ import annotations

from typing import Annotated, Any

from cyclopts import Parameter

from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.loading import ALLOW_PICKLE, TRUST_REMOTE_CODE

_GIB = 2**30


def doctor(
    *,
    backbone: str | None = None,
    revision: str | None = None,
    allow_pickle: Annotated[bool, Parameter(help=ALLOW_PICKLE)] = False,
    trust_remote_code: Annotated[bool, Parameter(help=TRUST_REMOTE_CODE)] = False,
    json: bool = False,
) -> None:
    """Say what this machine can do, and with --backbone what a backbone can do.

    Args:
        backbone: a registered name, a directory, a hub id, mind, mind/NAME or hf:ORG/NAME; no
            weights are loaded.
        revision: hub branch, tag or commit.
        trust_remote_code: run Python that ships with the weights.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.backbone import BackboneSpec
    from phosphene.doctor import examine, examine_backbone
    from phosphene.minds.opening import is_mind

    if backbone is not None:
        spec = BackboneSpec(
            backbone,
            revision=revision,
            allow_pickle=allow_pickle,
            trust_remote_code=trust_remote_code,
        )
        if is_mind(backbone):
            from phosphene.minds.describe import describe_mind

            told = describe_mind(spec)
            say_json(told) if json else _say_mind(told)
            return
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
    told = found["pipeline"]
    say(found["id"])
    rows = [
        ("produces", ", ".join(found["produces"])),
        ("flags", " ".join(_flags([*found["accepts"], *found["options"]]))),
        ("needs", " ".join(_flags(found["requires"])) or "nothing"),
        ("--set", ", ".join(found["extra"]) or "nothing"),
        ("defaults", defaults or "unknown"),
    ]
    if told.get("caches"):
        rows.append(("--cache", ", ".join(told["caches"])))
    if told.get("parameters"):
        counts = [f"{name} {count:,}" for name, count in told["parameters"].items()]
        rows.append(("parameters", ", ".join(counts)))
    say_table(rows)
    for note in found["notes"]:
        say(f"note: {note}")


def _say_mind(found: dict[str, Any]) -> None:
    say(found["id"])
    rows = [("kind", found["kind"])]
    if "model" in found:
        sees = ", sees pictures" if found["sees"] else ""
        routers = f", routers in {found['experts']} layers" if found["experts"] else ""
        shape = f"{found['layers']} layers of {found['heads']} heads, width {found['width']}"
        own = f"{found['way']}, {found['thoughts']}" if found["thoughts"] else found["way"]
        rows += [
            ("model", f"{found['model']}{sees}"),
            ("parameters", f"{found['parameters']:,}"),
            ("shape", f"{shape}{routers}"),
            ("taught", found["task"] or "nothing that is known"),
            ("--way", f"{', '.join(found['ways'])}; its own: {own}"),
            ("--quantize", ", ".join(found["quantize"]) or "needs bitsandbytes or torchao"),
            ("read and edit", ", ".join(found["sites"])),
        ]
    rows.append(("probes", ", ".join(found["probes"]) or "none"))
    say_table(rows)
    for note in found["notes"]:
        say(f"note: {note}")


def _flags(fields: list[str]) -> list[str]:
    """The flags that set these fields of a request or a spec."""
    size = {"width": "size", "height": "size", "prompt": None, "index": None}
    names = dict.fromkeys(size.get(name, name) for name in fields)
    return [f"--{name.replace('_', '-')}" for name in names if name is not None]
