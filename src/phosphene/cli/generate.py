"""`phosphene generate`: prompts in, files out."""

from __future__ import annotations

import dataclasses
import hashlib
import json as jsonlib
import re
import sys
from collections.abc import Sequence
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from phosphene.cli.console import say, say_json
from phosphene.cli.options import SAMPLE, GenerateOptions

if TYPE_CHECKING:
    from phosphene.backbone import BackboneSpec
    from phosphene.request import Request
    from phosphene.run import Record

# Where a sample is computed does not change what was asked for.
_PLACEMENT = ("device", "offload")


def generate(
    *prompt: str,
    config: Path | None = None,
    # `--no-compile` turns off what a file turned on.
    options: Annotated[
        GenerateOptions, Parameter(name="*", negative_bool=("no-",))
    ] = GenerateOptions(),  # noqa: B008
    changes: Annotated[tuple[str, ...], SAMPLE, Parameter(name="--set")] = (),
) -> int:
    """Generate clips with any diffusers pipeline or with Ember; prints the files' paths.

    An interrupted command goes on where it stopped when it is given again.

    Args:
        prompt: what to draw or sound; several are taken one after the other.
        config: YAML file of flags, with `prompt` for the prompts; flags given here win.
        changes: KEY=VALUE, a further argument of the backbone's own call; may be repeated.
    """
    from phosphene.backbone import open_backbone
    from phosphene.config import assignments
    from phosphene.generate import generate_run
    from phosphene.progress import shown

    asked = dataclasses.replace(
        options, prompt=(*prompt, *(options.prompt or ())) or None, set=assignments(changes) or None
    )
    if config is not None:
        asked = asked.over(GenerateOptions.read(config))
    spec, requests = asked.spec(), asked.requests()
    lossless = bool(asked.lossless)
    out = asked.out or Path("runs") / run_name(spec, requests, lossless)
    backbone = open_backbone(spec)
    # Some pipelines print; stdout is for the result alone.
    with redirect_stdout(sys.stderr), shown(bool(asked.quiet)) as on_event:
        records = generate_run(
            backbone, requests, out, batch=asked.batch, lossless=lossless, on_event=on_event
        )
    return report(out, records, bool(asked.json))


def run_name(spec: BackboneSpec, requests: Sequence[Request], lossless: bool) -> str:
    """The directory name that one and the same question always gets: `BACKBONE-HASH`."""
    asked = {k: v for k, v in dataclasses.asdict(spec).items() if k not in _PLACEMENT}
    if Path(spec.id).is_dir():
        asked["id"] = str(Path(spec.id).resolve())
    whole = {"backbone": asked, "requests": [r.record() for r in requests], "lossless": lossless}
    digest = hashlib.sha256(jsonlib.dumps(whole, sort_keys=True, default=str).encode()).hexdigest()
    name = re.sub(r"[^a-z0-9]+", "-", Path(asked["id"]).name.lower()).strip("-")[:40]
    return f"{name.strip('-') or 'run'}-{digest[:12]}"


def report(out: Path, records: Sequence[Record], json: bool) -> int:
    """Say what became of each sample; returns the exit status, 1 where one failed."""
    failed = [record for record in records if record.status == "failed"]
    if json:
        say_json(
            {
                "run": out,
                "done": len(records) - len(failed),
                "failed": len(failed),
                "samples": [_row(out, record) for record in records],
            }
        )
    else:
        for record in records:
            if record.file is not None:
                say(str(out / record.file))
    if failed:
        sys.stderr.write(
            f"phosphene: {len(failed)} of {len(records)} samples failed, the others are kept; "
            f"number {failed[0].index}: {failed[0].reason}\n"
        )
    return 1 if failed else 0


def _row(out: Path, record: Record) -> dict[str, Any]:
    request = record.recipe.get("request", {})
    row = {name: request.get(name) for name in ("prompt", "seed", "index")}
    return {
        **row,
        "status": record.status,
        "file": None if record.file is None else str(out / record.file),
        "reason": record.reason,
        "key": record.key,
    }
