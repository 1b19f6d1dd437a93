"""Inspect's eval log, version 2, as one JSON file that `inspect_ai.log.read_eval_log` loads.

Every item is a sample and every one of its K samples an epoch; each protocol is a score. A passed
verdict is `C`, a failed one `I`, an unreadable one `N` (Inspect's "no answer", which counts 0).
Written by hand against inspect_ai 0.3: the log's reader fills in what is left out.

References:
    https://inspect.aisi.org.uk/eval-logs.html
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

from phosphene import __version__
from phosphene.interchange.plain import plain
from phosphene.media.disk import write_text
from phosphene.outcome import Bench
from phosphene.report.tally import by_item, row
from phosphene.result import Result
from phosphene.statistics import Interval
from phosphene.trace import PROTOCOLS
from phosphene.verdict import Verdict

VERSION = 2
VALUES = {"passed": "C", "failed": "I", "unreadable": "N"}


def write(bench: Bench, path: Path) -> Path:
    """Write the log."""
    write_text(json.dumps(plain(log(bench)), ensure_ascii=False, indent=1) + "\n", path)
    return path


def log(bench: Bench) -> dict[str, Any]:
    """The log as a dictionary."""
    items = list(by_item(bench.results))
    whole = row(bench.results)
    created = _utc(bench.created)
    return {
        "version": VERSION,
        "status": "success",
        "eval": {
            "eval_id": _id(bench, "eval"),
            "run_id": _id(bench, "run"),
            "task_id": _id(bench, "task"),
            "created": created,
            "task": bench.suite["name"],
            "task_version": bench.suite["version"],
            "dataset": {"name": bench.suite["name"], "samples": len(items), "sample_ids": items},
            "model": f"phosphene/{bench.backbone}",
            "model_args": bench.spec,
            "config": {"epochs": whole.most},
            "packages": {"phosphene": __version__},
            "metadata": {
                "fingerprint": bench.fingerprint,
                "canvas": bench.canvas,
                "command": bench.command,
                "certificates": bench.certificates,
            },
        },
        "results": {
            "total_samples": len(bench.results),
            "completed_samples": len(bench.results) - whole.unmade,
            "scores": [_score(p, i) for p, i in whole.shares.items()],
        },
        "stats": {"started_at": created, "completed_at": created},
        "samples": [_sample(bench, r) for r in bench.results],
    }


def _score(protocol: str, interval: Interval) -> dict[str, Any]:
    values = {"accuracy": interval.share, "low": interval.low, "high": interval.high}
    return {
        "name": protocol,
        "scorer": protocol,
        "params": {},
        "metrics": {name: {"name": name, "value": value} for name, value in values.items()},
    }


def _sample(bench: Bench, r: Result) -> dict[str, Any]:
    last = r.verdicts["last"]
    return {
        "id": r.item,
        "epoch": r.sample + 1,
        "uuid": _id(bench, f"{r.item} {r.sample}"),
        "input": r.prompt,
        "target": "",
        "output": {
            "model": f"phosphene/{bench.backbone}",
            "choices": [
                {
                    "message": {"role": "assistant", "content": r.file or "", "source": "generate"},
                    "stop_reason": "stop" if r.file else "unknown",
                }
            ],
        },
        "scores": {p: _verdict(r.verdicts[p]) for p in PROTOCOLS if p in r.verdicts},
        "metadata": {
            "cell": r.cell,
            "task": r.task,
            "fields": dict(r.fields),
            "level": r.level,
            "split": r.split,
            "problem_seed": r.problem_seed,
            "wording": r.wording,
            "floors": dict(r.floors),
            "key": r.key,
        },
        "total_time": float(r.seconds),
        **({} if r.file else {"error": _error(last.reason)}),
    }


def _verdict(verdict: Verdict) -> dict[str, Any]:
    """Inspect shows the value, what was read, and why."""
    record = verdict.record()
    answer = verdict.evidence.get("answer")
    return {
        "value": VALUES[verdict.headline],
        "answer": None if answer is None else json.dumps(plain(answer)),
        "explanation": verdict.reason,
        "metadata": {name: value for name, value in record.items() if name != "reason"},
    }


def _error(reason: str) -> dict[str, str]:
    return {"message": reason, "traceback": "", "traceback_ansi": ""}


def _id(bench: Bench, what: str) -> str:
    """The same 22 characters for the same run every time."""
    return sha256(f"{bench.fingerprint} {bench.created} {what}".encode()).hexdigest()[:22]


def _utc(moment: str) -> str:
    """A moment as Inspect reads it: ISO 8601 with an offset."""
    read = datetime.fromisoformat(moment)
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).isoformat()
