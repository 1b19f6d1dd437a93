"""`phosphene nuggets`: what of a session is new, good, coherent and no accident."""

from __future__ import annotations

import shutil
import sys
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.cli.console import say, say_json, say_table
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.exploring.nuggets import Judgement
    from phosphene.session import Session


def nuggets(
    session: Path,
    /,
    *,
    out: Path | None = None,
    against: tuple[Path, ...] = (),
    all: bool = False,
    quiet: bool = False,
    json: bool = False,
) -> None:
    """List a session's nuggets, and export them with recipe and lineage.

    Those that pass what costs nothing are made once more, with three near relatives each. Nuggets
    of the sessions beside this one that began before it are not new.

    Args:
        session: a session of `phosphene explore`.
        out: directory to export to: each clip, with ID.json.
        against: further sessions whose nuggets are not new; may be repeated.
        all: list every candidate, with the first thing that it lacks.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.exploring.mining import KEPT, mine, siblings
    from phosphene.progress import shown
    from phosphene.session import Session

    held = Session.load(session)
    for other in against:
        if not (other / KEPT).exists():
            raise PhospheneError(f"{other} has no {KEPT}; run phosphene nuggets {other} first")
    earlier = [*siblings(held), *(other / KEPT for other in against)]
    with redirect_stdout(sys.stderr), shown(quiet) as on_event:
        judged = mine(held, None, earlier, on_event)
    found = [j for j in judged if j.nugget]
    if out is not None:
        export(held, found, out)
    if json:
        rows = [_row(held, j) for j in (judged if all else found)]
        say_json({"session": session, "candidates": len(judged), "nuggets": rows})
        return
    shown_ones = judged if all else found
    if shown_ones:
        table = [("id", "operator", "prompt", "file", "lacks" if all else "")]
        table += [_line(held, j, all) for j in shown_ones]
        say_table(table)
    say(f"{len(found)} nuggets among {len(judged)} candidates; {held.root / KEPT} has the reasons")
    if not found and judged:
        say(f"most often missing: {_missing(judged)}")
    if out is not None:
        say(str(out))


def export(session: Session, found: list[Judgement], out: Path) -> None:
    """Copy the nuggets' clips to `out`, each beside a file with recipe, reasons and lineage."""
    import json as jsonlib

    from phosphene.exploring.mining import lineage
    from phosphene.media.disk import write_text

    out.mkdir(parents=True, exist_ok=True)
    for judgement in found:
        source = session.root / str(session.made[judgement.id].media)
        shutil.copyfile(source, out / f"{judgement.id}{source.suffix}")
        record = {**_row(session, judgement), "lineage": lineage(session, judgement.id)}
        text = jsonlib.dumps(record, indent=1, default=str) + "\n"
        write_text(text, out / f"{judgement.id}.json")


def _row(session: Session, judgement: Judgement) -> dict[str, Any]:
    made, proposal = session.made[judgement.id], session.proposal(judgement.id)
    return {
        "id": judgement.id,
        "nugget": judgement.nugget,
        "operator": proposal.operator,
        "parents": list(proposal.parents),
        "recipe": proposal.genome.record(),
        "file": str(session.root / str(made.media)),
        "digest": made.digest,
        "scores": dict(made.scores),
        "reasons": {name: asdict(reason) for name, reason in judgement.reasons.items()},
    }


def _line(session: Session, judgement: Judgement, all: bool) -> tuple[str, ...]:
    proposal = session.proposal(judgement.id)
    file = str(session.made[judgement.id].media)
    lacks = next((n for n, r in judgement.reasons.items() if not r.passed), "") if all else ""
    return (judgement.id, proposal.operator, proposal.genome.prompt, file, lacks)


def _missing(judged: list[Judgement]) -> str:
    """What most candidates lack first, with how many do."""
    counts: dict[str, int] = {}
    for j in judged:
        name = next((n for n, r in j.reasons.items() if not r.passed), "")
        counts[name] = counts.get(name, 0) + 1
    name, count = max(counts.items(), key=lambda item: item[1])
    return f"{name} ({count} of {len(judged)})"
