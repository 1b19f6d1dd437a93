"""Evaluation results as model repositories on the Hub keep them: `.eval_results/*.yaml`.

A list of entries, each with `dataset` (`id`, `task_id`), `value`, `date`, `source` (`url`, `name`,
`user`) and `notes`. The Hub has no version for the format; this is its specification of 2026 (the
page calls it work in progress). The dataset must be one that the Hub knows as a benchmark, with
the suite and its cells as tasks in its `eval.yaml`.

Values are percent right under `last`, of test instances alone: what may be trained on is no
benchmark.

References:
    https://huggingface.co/docs/hub/eval-results
    https://github.com/huggingface/hub-docs/blob/main/eval_results.yaml
"""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from phosphene.errors import PhospheneError
from phosphene.interchange.plain import plain
from phosphene.media.disk import write_text
from phosphene.outcome import Bench
from phosphene.report.tally import Row, row
from phosphene.result import Result

if TYPE_CHECKING:
    from phosphene.interchange import Origin


def write(bench: Bench, path: Path, origin: Origin) -> Path:
    """Write the file; it goes into the model's repository as `.eval_results/NAME.yaml`."""
    import yaml

    text = yaml.safe_dump(
        plain(entries(bench, origin)), sort_keys=False, allow_unicode=True, width=100
    )
    write_text(text, path)
    return path


def entries(bench: Bench, origin: Origin) -> list[dict[str, Any]]:
    """One entry for the suite, then one a cell.

    Raises:
        PhospheneError: no dataset, a name that is no Hub id, a user without a url, or a run without
            test instances.
    """
    if not re.fullmatch(r"[\w.-]+/[\w.-]+", origin.dataset):
        raise PhospheneError(
            f"eval-results needs the benchmark's dataset on the Hub; got {origin.dataset!r}; "
            "give --dataset ORG/NAME"
        )
    if origin.user and not origin.url:
        raise PhospheneError("the Hub takes a user only with a source; give --url as well")
    cells: dict[str, list[Result]] = {}
    for result in bench.results:
        if result.split == "test":
            cells.setdefault(result.cell, []).append(result)
    if not cells:
        raise PhospheneError(
            f"run {bench.root} has no test instances; nothing of it is a benchmark"
        )
    whole = row([r for results in cells.values() for r in results])
    tasks = {bench.suite["name"]: whole, **{name: row(results) for name, results in cells.items()}}
    return [_entry(bench, task, found, origin) for task, found in tasks.items()]


def _entry(bench: Bench, task: str, found: Row, origin: Origin) -> dict[str, Any]:
    share = found.shares["last"]
    source = {"url": origin.url, "name": "Phosphene report", "user": origin.user}
    notes = (
        f"{bench.of}; last frame right in every part; 95% interval "
        f"{100 * share.low:.1f} to {100 * share.high:.1f}; {found.items} items x {found.samples}; "
        f"canvas {', '.join(f'{k} {v}' for k, v in bench.canvas.items())}"
    )
    return {
        "dataset": {"id": origin.dataset, "task_id": task},
        "value": round(100 * share.share, 2),
        "date": datetime.fromisoformat(bench.created).date().isoformat(),
        **({"source": {k: v for k, v in source.items() if v}} if origin.url else {}),
        "notes": notes,
    }
