"""`phosphene certify`: prove a task's scorer before it judges anyone."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from phosphene.cli.console import say, say_json, say_table

if TYPE_CHECKING:
    from phosphene.certify import Certificate
    from phosphene.statistics import Interval


def certify(
    *task: str,
    seeds: int = 200,
    size: int = 64,
    out: Path | None = None,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Throw oracles, nulls, degradations and hand-drawn looks at scorers; exit 1 if one fails.

    Args:
        task: tasks to certify; all of them where none is named.
        seeds: problems of each task, spread over its difficulties.
        size: side of the pictures in pixels.
        out: directory to keep the certificates in, TASK.json.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    import json as jsonlib

    from phosphene.certify import certify as prove
    from phosphene.errors import PhospheneError
    from phosphene.media.disk import write_text
    from phosphene.task import tasks

    if seeds < 1 or size < 32:
        raise PhospheneError(f"certify wants seeds >= 1 and size >= 32; got {seeds}, {size}")
    kinds = [tasks.get(name) for name in task or tasks.names()]

    def tell(line: str) -> None:
        if not quiet:
            sys.stderr.write(line + "\n")

    found = []
    for kind in kinds:
        certificate = prove(kind, seeds, size, tell)
        found.append(certificate)
        if out is not None:
            out.mkdir(parents=True, exist_ok=True)
            text = jsonlib.dumps(certificate.record(), indent=1) + "\n"
            write_text(text, out / f"{kind.name}.json")
    if json:
        say_json({c.task: c.record() for c in found})
    else:
        rows = [("task", "oracle", "worst null", "worst degradation", "worst look", "holds")]
        rows += [_row(certificate) for certificate in found]
        say_table(rows)
        for c in found:
            for fault in c.faults():
                say(f"{c.task}: {fault}")
    return 1 if any(c.faults() for c in found) else 0


def _row(c: Certificate) -> tuple[str, str, str, str, str, str]:
    """One certificate in a line: what fares worst in each part."""

    def worst(part: Mapping[str, Interval], choose: Callable[..., str]) -> str:
        if not part:
            return "none"
        name = choose(part, key=lambda n: part[n].share)
        return f"{part[name].share:.1%} {name}"

    holds = "no" if c.faults() else "yes"
    shares = (worst(c.nulls, max), worst(c.ladder, min), worst(c.variations, min))
    return (c.task, f"{c.oracle.share:.1%}", *shares, holds)
