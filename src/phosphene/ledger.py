"""Ledger: the files of a bench run that say what was asked, of what, and what came of it.

bench.json       which suite, at what size, with which backbone and settings
plan.jsonl       which sample of the run answers which item
verdicts.jsonl   one line a judged sample; only ever added to
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from phosphene.certificates import certificate
from phosphene.errors import PhospheneError
from phosphene.journal import Journal, locked
from phosphene.media.disk import write_text
from phosphene.outcome import Bench
from phosphene.result import Result
from phosphene.run import Run
from phosphene.trace import Mark
from phosphene.verdict import Verdict

_COMPARABLE = ("suite", "backbone", "fingerprint", "canvas", "pad", "settings")
_log = logging.getLogger("phosphene")


def begin(root: Path, about: Mapping[str, Any]) -> None:
    """Write bench.json, or refuse a directory whose bench differs in what makes it comparable.

    Raises:
        PhospheneError: the directory holds a bench that differs; says in what.
    """
    about = json.loads(json.dumps(about, default=str))
    path = root / "bench.json"
    with locked(root / ".lock"):
        if not path.exists():
            write_text(json.dumps(about, indent=1) + "\n", path)
            return
        before = read_about(root)
    for name in _COMPARABLE:
        if before.get(name) != about[name]:
            raise PhospheneError(
                f"{root} holds a bench with another {name}; give another directory"
            )


def read_about(root: Path) -> dict[str, Any]:
    """bench.json.

    Raises:
        PhospheneError: there is none, or it is damaged.
    """
    path = root / "bench.json"
    try:
        return json.loads(path.read_text())
    except FileNotFoundError as error:
        raise PhospheneError(f"{root} holds no bench (no bench.json)") from error
    except ValueError as error:
        raise PhospheneError(f"{path} is damaged ({error}); remove it to begin anew") from error


def renew_certificates(root: Path) -> None:
    """Put the certificates of the scorers that judge now into bench.json."""
    with locked(root / ".lock"):
        about = read_about(root)
        kinds = sorted({cell["task"] for cell in about["suite"]["cells"]})
        found = {name: certificate(name) for name in kinds}
        certificates = {name: record for name, record in found.items() if record is not None}
        if certificates != about["certificates"]:
            about["certificates"] = certificates
            write_text(json.dumps(about, indent=1) + "\n", root / "bench.json")


def plan_of(root: Path) -> Journal:
    return Journal(root / "plan.jsonl", root / ".plan.lock")


def verdicts_of(root: Path) -> Journal:
    return Journal(root / "verdicts.jsonl", root / ".verdicts.lock")


def note_plan(root: Path, wanted: Iterable[Mapping[str, Any]]) -> None:
    """Note which sample answers which item; what is noted already is not noted twice."""
    journal = plan_of(root)
    journal.heal()
    known = {(row["item"], row["sample"]): row["key"] for row in rows(journal)}
    for row in wanted:
        if known.get((row["item"], row["sample"])) != row["key"]:
            journal.append(json.dumps(row).encode())


def planned(root: Path) -> list[dict[str, Any]]:
    """The rows of plan.jsonl; of several for one (item, sample) the last counts."""
    return list({(row["item"], row["sample"]): row for row in rows(plan_of(root))}.values())


def rows(journal: Journal) -> list[dict[str, Any]]:
    """The rows not yet read; lines that can't be are passed over, with a warning."""
    found, bad = [], 0
    for _, line in journal.read():
        try:
            row = json.loads(line)
        except ValueError:
            row = None
        if isinstance(row, dict) and "key" in row:
            found.append(row)
        else:
            bad += 1
    if bad:
        _log.warning(
            "%s: %d unreadable lines; left as they are, everything else counts", journal.path, bad
        )
    return found


def load_results(root: str | Path) -> Bench:
    """Everything a bench run has judged so far.

    Raises:
        PhospheneError: no bench there, or its bench.json is damaged.
    """
    root = Path(root).expanduser()
    about = read_about(root)
    known = {row["key"]: row for row in rows(verdicts_of(root))}
    run = Run.load(root)
    results = []
    for row in planned(root):
        found = known.get(row["key"])
        if found is None:
            continue
        record = run.record(row["key"])
        verdicts = {
            name: Verdict(**{k: v for k, v in told.items() if k != "headline"})
            for name, told in found["verdicts"].items()
        }
        results.append(
            Result(
                **{k: v for k, v in row.items() if k != "key"},
                key=row["key"],
                verdicts=verdicts,
                marks=tuple(Mark(m[0], tuple(m[1]), m[2]) for m in found["marks"]),
                file=None if record is None else record.file,
                floors=found["floors"],
                seconds=found["seconds"],
            )
        )
    order = {cell["id"]: i for i, cell in enumerate(about["suite"]["cells"])}
    results.sort(key=lambda r: (order.get(r.cell, len(order)), r.item, r.sample))
    names = ("suite", "backbone", "spec", "fingerprint", "canvas", "command", "created")
    return Bench(
        results=results,
        root=root,
        certificates=about["certificates"],
        pad=tuple(about["pad"]) if about["pad"] else None,
        **{n: about[n] for n in names},
    )
