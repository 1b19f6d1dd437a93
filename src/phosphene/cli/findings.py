"""`phosphene findings`: every probe put to one model, on one page."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from phosphene.cli.console import say, say_json, say_table
from phosphene.cli.probe import ProbeOptions
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.findings import Study
    from phosphene.progress import OnEvent


def findings(
    *,
    options: Annotated[ProbeOptions, Parameter(name="*")] = ProbeOptions(),
    fields: Annotated[tuple[str, ...], Parameter(name="--field")] = (),
    changes: Annotated[tuple[str, ...], Parameter(name="--set")] = (),
    only: Annotated[tuple[str, ...], Parameter(name="--probe")] = (),
    out: Path | None = None,
    quiet: bool = False,
    json: bool = False,
) -> int:
    """Ask everything that is known to be asked: when, where and how an answer forms.

    Without --task, the tasks that the model learned are asked: two of Ember's, one of a language
    model's. An interrupted command goes on where it stopped when it is given again.

    Args:
        fields: KEY=VALUE, a field of the task; may be repeated.
        changes: KEY=VALUE, a further argument of the backbone's own call; may be repeated.
        only: a probe's name; all of `phosphene ls probes` if not given; may be repeated.
        out: directory; runs/findings-BACKBONE if not given.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.config import assignments
    from phosphene.minds.opening import is_mind
    from phosphene.progress import shown
    from phosphene.report.probe import HOLDS, finite

    ask = _of_mind if is_mind(options.backbone or "ember") else _of_generator
    root = out or Path("runs") / f"findings-{_plain(options.backbone or 'ember')}"
    told = assignments(fields, "--field")
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        studies = ask(options, told, changes, only, root, on_event)
    held = [(s, f) for s in studies if s.result is not None for f in s.result.findings]
    if json:
        rows = [
            {"task": s.question.task, "split": s.split, "probe": s.probe.name, **asdict(f)}
            for s, f in held
        ]
        refused = {s.name: s.refusal for s in studies if s.refusal}
        page = root / "report.html"
        say_json({"run": root, "report": page, "findings": finite(rows), "refused": refused})
        return 0
    table = [("study", "finding", "", "what was found")]
    table += [(s.name, f.name, HOLDS[f.holds][0], f.says) for s, f in held]
    table += [(s.name, "refused", "not asked", s.refusal) for s in studies if s.refusal]
    say_table(table)
    say(f"{root / 'report.html'}  (every study with its figures, controls and table)")
    return 0


def _of_generator(
    options: ProbeOptions,
    fields: dict[str, Any],
    changes: tuple[str, ...],
    only: tuple[str, ...],
    root: Path,
    on_event: OnEvent,
) -> list[Study]:
    from phosphene.cli.minds import refuse_thinking
    from phosphene.config import assignments
    from phosphene.findings import EMBER, Question
    from phosphene.findings import findings as find

    refuse_thinking(options)
    if options.split is not None:
        raise PhospheneError("findings asks both splits where it matters; leave --split away")
    questions = EMBER if options.task is None else (Question(options.task, fields),)
    names = ("items", "first_seed", "size", "frames", "steps", "guidance", "batch")
    setup = {n: getattr(options, n) for n in names if getattr(options, n) is not None}
    setup |= {"extra": assignments(changes)} if changes else {}
    return find(options.spec(), root, questions, setup, only, on_event)


def _of_mind(
    options: ProbeOptions,
    fields: dict[str, Any],
    changes: tuple[str, ...],
    only: tuple[str, ...],
    root: Path,
    on_event: OnEvent,
) -> list[Study]:
    from phosphene.cli.minds import mind_setup
    from phosphene.minds.findings import mind_findings

    setup = mind_setup(options, fields, changes)
    return mind_findings(options.spec(), root, setup, only, on_event)


def _plain(id: str) -> str:
    """A model's name as part of a directory's."""
    return id.replace("/", "-") if id.startswith("mind/") else Path(id.removeprefix("hf:")).name
