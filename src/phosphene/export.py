"""Export: a suite as folders of first frames and prompts, for models that run elsewhere."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.layouts.four_files import write
from phosphene.media.disk import write_text
from phosphene.stage import letterbox
from phosphene.suite import Item, Suite, load_suite


def export(
    suite: str | Path | Suite,
    out: str | Path,
    *,
    samples: int = 1,
    size: tuple[int, int] | None = None,
    solutions: bool = False,
    limit: int | None = None,
) -> Iterator[Path]:
    """Write every item of a suite as `OUT/TASK_task/ITEM/` with `first_frame.png`, `prompt.txt`.

    `metadata.json` beside them holds the prompt of every sample and the names that
    `phosphene bench SUITE --from-folder` looks for; `OUT/prompts.jsonl` lists it all.

    Args:
        samples: how many clips of each item will be recorded; each has its wording.
        size: `(width, height)` of the first frames in pixels; the suite's if None. Oblong pictures
            hold the problem in their middle.
        solutions: also write `final_frame.png` and `ground_truth.mp4`, for training sets and to
            look at; they give the answers away.
        limit: only the first so many items of each cell.

    Yields:
        Each item's folder, once it is written.

    Raises:
        PhospheneError: an unknown suite, or a file can't be written.
    """
    if samples < 1 or (limit is not None and limit < 1):
        raise PhospheneError(f"samples and limit must be at least 1; got {samples}, {limit}")
    dealt, root = suite if isinstance(suite, Suite) else load_suite(suite), Path(out).expanduser()
    lines = []
    for item in dealt.items():
        if limit is not None and item.number >= limit:
            continue
        folder, asked = _write(root, dealt, item, samples, size, solutions)
        lines += [{"item": item.id, **one} for one in asked]
        yield folder
    write_text("".join(json.dumps(line) + "\n" for line in lines), root / "prompts.jsonl")


def _write(
    root: Path,
    suite: Suite,
    item: Item,
    samples: int,
    size: tuple[int, int] | None,
    solutions: bool,
) -> tuple[Path, list[dict[str, Any]]]:
    task, problem = item.deal()
    canvas = suite.canvas if size is None else replace(suite.canvas, size=min(size))
    first = task.first_frame(problem, canvas)
    wordings = problem.prompts
    asked = [
        {
            "sample": k,
            "prompt": wordings[(item.number + k) % len(wordings)],
            "clip": f"{item.id}.mp4" if samples == 1 else f"{item.id}_{k}.mp4",
        }
        for k in range(samples)
    ]
    truth: Clip | None = task.solve(problem, canvas) if solutions else None
    folder = write(
        root,
        item.id,
        first if size is None else letterbox(first, *size),
        asked[0]["prompt"],
        final_frame=task.last_frame(problem, canvas) if solutions else None,
        ground_truth=truth,
        metadata={
            "suite": suite.name,
            "version": suite.version,
            "task": item.cell.task,
            "fields": dict(item.cell.fields),
            "split": item.cell.split,
            "problem_seed": item.problem_seed,
            "caption": problem.caption,
            "samples": asked,
        },
        domain=item.cell.task,
    )
    return folder, asked
