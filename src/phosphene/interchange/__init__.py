"""Interchange: a run's results in the formats that other tools read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from phosphene.errors import PhospheneError
from phosphene.outcome import Bench

FORMATS: Mapping[str, str] = {
    "jsonl": "results.jsonl",
    "parquet": "results.parquet",
    "inspect": "inspect.json",
    "eval-results": "eval_results.yaml",
}


@dataclass(frozen=True)
class Origin:
    """What only the person who publishes knows.

    Args:
        dataset: Hub id of the benchmark's dataset, `org/name`; `eval-results` needs it.
        url: where the results can be looked at.
        user: the Hub user or organisation that ran it.
    """

    dataset: str = ""
    url: str = ""
    user: str = ""


def export(bench: Bench, to: str, path: Path | None = None, origin: Origin = Origin()) -> Path:
    """Write a run's results.

    Args:
        to: `jsonl`, `parquet`, `inspect` or `eval-results`.
        path: the file; by default one of the format's name in the run directory.
        origin: for `eval-results`.

    Returns:
        The file's path.

    Raises:
        PhospheneError: no such format, no results, or something the format needs is missing.
    """
    from phosphene.interchange import eval_results, inspect_log, rows

    if to not in FORMATS:
        raise PhospheneError(f"no format {to!r}; there are {', '.join(FORMATS)}")
    if not bench.results:
        raise PhospheneError(f"run {bench.root} has no results yet; let phosphene bench go on")
    path = path or bench.root / FORMATS[to]
    if to == "jsonl":
        return rows.write_jsonl(bench, path)
    if to == "parquet":
        return rows.write_parquet(bench, path)
    if to == "inspect":
        return inspect_log.write(bench, path)
    return eval_results.write(bench, path, origin)
