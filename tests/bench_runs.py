"""Small bench runs made by hand, for the tests of reports, comparisons and exports."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import media
from phosphene.certificates import digest_of
from phosphene.clip import Clip
from phosphene.outcome import Bench
from phosphene.result import Result
from phosphene.scoring import judged
from phosphene.task import Canvas, Split
from phosphene.tasks.symmetry import Symmetry
from phosphene.verdict import Verdict

CANVAS = Canvas(frames=3)
RUNGS: tuple[dict[str, Any], ...] = ({"cells": 4, "colours": 1}, {"cells": 6, "colours": 2})


def interval(share: float) -> dict[str, float]:
    return {"share": share, "low": max(share - 0.02, 0), "high": min(share + 0.02, 1), "n": 200}


def certificate(**changes: Any) -> dict[str, Any]:
    """A certificate of today's symmetry scorer."""
    return {
        "task": "symmetry",
        "seeds": 200,
        "digest": digest_of(Symmetry),
        "date": "2026-11-23",
        "oracle": interval(1.0),
        "nulls": {"static": interval(0.0), "noise": interval(0.005)},
        "ladder": {"h264": interval(0.97), "blur": interval(1.0)},
        "variations": {"wobble": interval(0.99)},
        "decoder": {"right answers": interval(1.0)},
        "chance": interval(0.04),
        **changes,
    }


def judged_run(root: Path, right: Callable[[int, int], bool], items: int = 2, k: int = 2) -> Bench:
    """Real clips, really judged: item i's sample j shows the right answer where `right(i, j)`.

    Items are counted over two rungs, test instances first.
    """
    results = []
    (root / "clips").mkdir(parents=True)
    splits: tuple[Split, ...] = ("test", "train")
    places: list[tuple[int, Split, int]] = [
        (level, split, n) for level in range(2) for split in splits for n in range(items)
    ]
    for i, (level, split, n) in enumerate(places):
        task = Symmetry(**RUNGS[level], variety=0.0)
        problem = task.sample(100 + n, split)
        cell = f"symmetry-{level}" + ("-seen" if split == "train" else "")
        for j in range(k):
            answer = problem.state["answer"]
            shown = answer if right(i, j) else (1 - np.array(answer).clip(0, 1)).tolist()
            clip = task.solve(problem.answered(shown), CANVAS)
            verdicts, marks = judged(task, problem, clip, CANVAS)
            file = f"clips/{cell}-{n}-{j}.mkv"
            media.save(clip, root / file)
            results.append(
                Result(
                    **asked(f"{cell}_{n:04d}", cell, j, asdict(task), level, split, 100 + n),
                    verdicts=verdicts,  # type: ignore[arg-type]
                    marks=marks,
                    file=file,
                    floors={"static": "failed", "random": "passed" if i == 0 else "failed"},
                )
            )
    return told(root, results)


def asked(
    item: str,
    cell: str,
    sample: int = 0,
    fields: dict[str, Any] | None = None,
    level: int | None = None,
    split: str = "test",
    seed: int = 1,
) -> dict[str, Any]:
    """What a result says of its question."""
    prompts = ("mirror it", "paint the mirror image", "make it symmetric")
    return {
        "item": item,
        "cell": cell,
        "task": "symmetry",
        "fields": fields or {},
        "level": level,
        "split": split,
        "problem_seed": seed,
        "sample": sample,
        "wording": sample % 3,
        "prompt": prompts[sample % 3],
        "key": f"{item}-{sample}",
    }


def paper_run(cells: dict[str, list[list[str]]], name: str = "a") -> Bench:
    """Verdicts without clips: cell -> for each item, the headlines of its samples.

    A headline is `passed`, `failed`, `unreadable`, or `unmade` for a clip that was never made.
    """
    results = []
    for cell, items in cells.items():
        for i, samples in enumerate(items):
            for j, said in enumerate(samples):
                part: Any = "failed" if said == "unmade" else said
                reason = "out of memory" if said == "unmade" else "as told"
                verdict = Verdict(part, reason=reason)
                file = None if said == "unmade" else f"{cell}-{i}-{j}.mkv"
                question = asked(f"{cell}_{i:04d}", cell, j, seed=i)
                results.append(Result(**question, verdicts={"last": verdict}, file=file))
    return told(Path(f"runs/{name}"), results, name)


def told(root: Path, results: list[Result], backbone: str = "ember") -> Bench:
    return Bench(
        results=results,
        suite={"name": "small", "version": 1, "cells": []},
        backbone=backbone,
        spec={"id": backbone},
        fingerprint="0123456789abcdef",
        canvas={**asdict(CANVAS), "fps": "8"},
        command=f"phosphene bench small --backbone {backbone}",
        created="2026-11-23T12:00:00+00:00",
        certificates={"symmetry": certificate()},
        root=root,
    )


def with_clip(bench: Bench, place: int, clip: Clip, suffix: str = ".mkv") -> Bench:
    """The run with another clip in one place; the verdict stays."""
    file = f"clips/other{suffix}"
    media.save(clip, bench.root / file)
    results = list(bench.results)
    results[place] = replace(results[place], file=file)
    return replace(bench, results=results)
