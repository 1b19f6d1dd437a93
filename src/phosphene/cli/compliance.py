"""`phosphene bench compliance`: does a model act on what it is told of its situation?"""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.cli.console import say
from phosphene.cli.probe import tell
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.cli.bench import BenchOptions
    from phosphene.probe import Result

SUITE = "compliance"
_GENERATORS = (
    "size",
    "frames",
    "fps",
    "steps",
    "guidance",
)


def bench_compliance(
    options: BenchOptions,
    settings: Sequence[str],
    changes: Sequence[str],
    out: Path | None,
    quiet: bool,
    json: bool,
) -> int:
    """Put the compliance bench to a language model, a server or a generator.

    Args:
        settings: KEY=VALUE of `--with`.
        changes: KEY=VALUE of `--set`, for generators.

    Raises:
        PhospheneError: a flag or setting that this kind of model has none of.
    """
    from phosphene.config import assignments
    from phosphene.minds.opening import is_mind

    told = assignments(settings, "--with")
    if is_mind(options.backbone or "ember"):
        return _mind(options, told, changes, out, quiet, json)
    return _generator(options, told, changes, out, quiet, json)


def _mind(
    options: BenchOptions,
    told: Mapping[str, Any],
    changes: Sequence[str],
    out: Path | None,
    quiet: bool,
    json: bool,
) -> int:
    from phosphene.minds.compliance.run import make_bench, run_compliance, run_name
    from phosphene.progress import shown

    given = [f"--{n}" for n in _GENERATORS if getattr(options, n) is not None]
    given += ["--words-only"] * options.words_only + ["--shard"] * (options.shard != "1/1")
    given += ["--samples"] * (options.samples != 1) + ["--set"] * bool(changes)
    if given:
        raise PhospheneError(
            f"{given[0]} is for generators; a language model has none: leave it out"
        )
    if options.batch is not None:
        told = {**told, "batch": options.batch}
    bench = make_bench(dict(told), options.limit)
    spec = options.spec()
    root = out or Path("runs") / run_name(bench, spec)
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        found = run_compliance(spec, bench, root, on_event=on_event)
    if json:
        return tell(root, found, json)
    tell(root, _brief(found), json)
    say(f"{len(found.findings)} comparisons in all; {root / 'findings.json'} has every one")
    return 0


def _brief(found: Result) -> Result:
    """Verdicts, and of the single gaps those that stand."""
    kept = [f for f in found.findings if f.holds or not f.name.startswith("gap ")]
    return replace(found, findings=kept, notes=())


def _generator(
    options: BenchOptions,
    told: Mapping[str, Any],
    changes: Sequence[str],
    out: Path | None,
    quiet: bool,
    json: bool,
) -> int:
    from phosphene.conditions.bench import Compliance, bench_generator
    from phosphene.config import assignments, build
    from phosphene.progress import shown

    asks = build(Compliance, told, "bench compliance")
    name = Path(options.backbone or "ember").name
    root = out or Path("runs") / f"compliance-{name}"
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        asked = options.settings(assignments(changes))
        found = bench_generator(options.spec(), root, asked, asks, on_event=on_event)
    return tell(root, found, json)
