"""`phosphene results`: a run's results in other tools' formats."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from phosphene.cli.console import say, say_json


def results(
    run: Path,
    /,
    *,
    to: Literal["jsonl", "parquet", "inspect", "eval-results"],
    out: Path | None = None,
    dataset: str = "",
    url: str = "",
    user: str = "",
    json: bool = False,
) -> None:
    """Write a run's results as rows, as an Inspect log, or as the Hub's evaluation results.

    Args:
        run: a bench run's directory.
        to: jsonl, parquet, inspect or eval-results.
        out: the file; one of the format's name in the run directory by default.
        dataset: eval-results: the benchmark's dataset on the Hub, ORG/NAME.
        url: eval-results: where the results can be looked at.
        user: eval-results: the Hub user who ran it.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.interchange import Origin, export
    from phosphene.ledger import load_results

    bench = load_results(run)
    path = export(bench, to, out, Origin(dataset, url, user))
    if json:
        say_json({"file": path, "format": to, "samples": len(bench.results)})
    else:
        say(str(path))
