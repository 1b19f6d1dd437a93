"""`phosphene report`: one page of one or several runs."""

from __future__ import annotations

from pathlib import Path

from phosphene.cli.console import say, say_json
from phosphene.errors import PhospheneError


def report(
    run: Path, /, *more: Path, out: Path | None = None, items: int = 6, json: bool = False
) -> None:
    """Write one self-contained HTML page: scores, curves, certificates and playable samples.

    Args:
        run: a bench run's directory, or a session of `phosphene explore`.
        more: further runs of the same suite, to stand beside it.
        out: the page; report.html in the first run's directory by default.
        items: samples to show of each cell and run, 0 for none.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.ledger import load_results
    from phosphene.report.bench import names, write_report
    from phosphene.report.standing import standings
    from phosphene.report.tally import row, rows

    if (run / "session.json").exists():
        _session(run, more, out, json)
        return
    if items < 0:
        raise PhospheneError(f"--items counts samples; got {items}")
    benches = [load_results(path) for path in (run, *more)]
    page = write_report(benches, out or run / "report.html", items)
    if json:
        found = {
            name: {
                "overall": row(bench.results).record(),
                "cells": [r.record() for r in rows(bench)],
                "faults": {task: s.faults for task, s in standings(bench).items()},
            }
            for name, bench in zip(names(benches), benches, strict=True)
        }
        say_json({"page": page, "runs": found})
    else:
        say(str(page))


def _session(root: Path, more: tuple[Path, ...], out: Path | None, json: bool) -> None:
    from phosphene.report.session import publish

    if more:
        raise PhospheneError("a session is reported by itself; its control and repeats are inside")
    page, found = publish(root, out)
    if json:
        say_json({"page": page, **found})
    else:
        say(str(page))
