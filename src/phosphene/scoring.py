"""Scoring: the samples of a bench run are read and judged; nothing is generated."""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import media
from phosphene.certificates import digest_of
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.ledger import (
    load_results,
    planned,
    read_about,
    renew_certificates,
    rows,
    verdicts_of,
)
from phosphene.outcome import Bench
from phosphene.player import baselines
from phosphene.progress import Event, OnEvent
from phosphene.run import Record, Run
from phosphene.stage import unbox
from phosphene.suite import make_task
from phosphene.task import Canvas, Problem, Task, tasks
from phosphene.trace import PROTOCOLS, Mark
from phosphene.verdict import Verdict

FLOORS = ("static", "random")
_POLL = 0.2  # seconds between looks at what another process is judging


def score(
    root: str | Path,
    *,
    again: bool = False,
    on_event: OnEvent | None = None,
    only: set[tuple[str, int]] | None = None,
) -> Bench:
    """Judge the samples of a bench run; nothing is generated.

    Samples judged by the present scorer already are left alone unless `again`.

    Args:
        root: a bench's run directory.
        again: judge all of them anew.
        on_event: called with each `Event`.
        only: (item, sample) pairs to see to; all that are planned if None.

    Raises:
        PhospheneError: no bench there.
    """
    root = Path(root).expanduser()
    about = read_about(root)
    run = Run.open(root, {"kind": "generate"})
    journal = verdicts_of(root)
    journal.heal()
    known: dict[str, dict[str, Any]] = {}
    plan = [row for row in planned(root) if only is None or (row["item"], row["sample"]) in only]
    total = len(plan)
    judge = _Judge(about)
    fresh: set[str] = set()

    def settled(row: Mapping[str, Any], record: Record) -> bool:
        before = known.get(row["key"])
        return (
            before is not None
            and before.get("scorer") == judge.digest(row)
            and before.get("sha256") == record.sha256
            and before.get("status") == record.status
            and not (again and row["key"] not in fresh)
        )

    todo = {row["key"]: row for row in plan if run.record(row["key"]) is not None}
    while todo:
        known |= {r["key"]: r for r in rows(journal)}
        for key, row in list(todo.items()):
            record = run.record(key)
            assert record is not None
            if not settled(row, record):
                if not run.claim(f"verdict-{key}"):
                    continue
                try:
                    known |= {r["key"]: r for r in rows(journal)}
                    if not settled(row, record):
                        found = judge(run, row, record)
                        journal.append(json.dumps(found).encode())
                        fresh.add(key)
                        known[key] = found
                finally:
                    run.release(f"verdict-{key}")
                if on_event is not None:
                    text = f"{row['item']} sample {row['sample']}: {known[key]['said']}"
                    done = total - len(todo) + 1
                    on_event(Event("judged", done, total, text=text))
            del todo[key]
        if todo:
            time.sleep(_POLL)
    renew_certificates(root)
    return load_results(root)


class _Judge:
    """Judges the samples of one bench; deals each problem once."""

    def __init__(self, about: Mapping[str, Any]) -> None:
        canvas = about["canvas"]
        fps = Fraction(canvas["fps"])
        self.canvas = Canvas(
            canvas["size"],
            canvas["frames"],
            int(fps) if fps.denominator == 1 else fps,  # type: ignore[arg-type]
            canvas["rate"],
        )
        self.pad = about["pad"]
        self._floors: dict[str, dict[str, str]] = {}

    def digest(self, row: Mapping[str, Any]) -> str:
        return digest_of(tasks.get(row["task"]))

    def __call__(self, run: Run, row: Mapping[str, Any], record: Record) -> dict[str, Any]:
        task = make_task(row["task"], row["fields"])
        problem = task.sample(row["problem_seed"], row["split"])
        verdicts, marks = self._verdicts(run, task, problem, record)
        return {
            "key": row["key"],
            "scorer": self.digest(row),
            "sha256": record.sha256,
            "status": record.status,
            "said": f"{verdicts['last'].headline}, {verdicts['last'].reason}",
            "verdicts": {name: v.record() for name, v in verdicts.items()},
            "marks": [list(mark) for mark in marks],
            "floors": self.floors(row["item"], task, problem),
            "seconds": record.recipe.get("seconds", 0.0),
        }

    def _verdicts(
        self, run: Run, task: Task, problem: Problem, record: Record
    ) -> tuple[dict[str, Verdict], tuple[Mark, ...]]:
        if record.status == "failed":
            return _lost(f"no clip: {record.reason}"), ()
        try:
            clip = media.load(run.path(record))
        except PhospheneError as error:
            return _lost(f"the clip can't be read: {error}"), ()
        if self.pad is not None:
            clip = unbox(clip, *self.pad)
        return judged(task, problem, clip, self.canvas)

    def floors(self, item: str, task: Task, problem: Problem) -> dict[str, str]:
        """What doing nothing and what luck would score on this very item."""
        if item not in self._floors:
            small = replace(self.canvas, size=min(self.canvas.size, 256))
            found = {}
            for name in FLOORS:
                rng = np.random.default_rng([problem.seed, 3])
                clip = baselines.get(name)(task, problem, small, rng)
                found[name] = task.score(problem, clip, canvas=small).headline
            self._floors[item] = found
        return self._floors[item]


def judged(
    task: Task,
    problem: Problem,
    clip: Clip,
    canvas: Canvas = Canvas(),
) -> tuple[dict[str, Verdict], tuple[Mark, ...]]:
    """The verdict under every protocol, and what to draw over the last frame."""
    trace = task.decode(problem, clip, True, canvas)
    verdicts = {name: task.judge(problem, trace, name) for name in PROTOCOLS}
    last = trace.readings.get(trace.frames - 1)
    return {str(k): v for k, v in verdicts.items()}, () if last is None else last.marks


def _lost(reason: str) -> dict[str, Verdict]:
    return {name: Verdict("failed", reason=reason) for name in PROTOCOLS}
