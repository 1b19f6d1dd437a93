"""The page of emergence curves: how often each cell of a suite is solved, by examples seen."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phosphene import __version__
from phosphene.emergence import Stage
from phosphene.report import tally
from phosphene.report.curve import Line, curve
from phosphene.report.page import part, write_page
from phosphene.result import Result
from phosphene.statistics import Interval


def write_emergence(stages: Sequence[Stage], path: Path) -> Path:
    """Write the page: a chart a cell, a line for each size and split, a point a checkpoint."""
    first = stages[0].bench
    return write_page(
        path,
        "emergence.html.j2",
        style=part("bench.css"),
        suite=first.of,
        backbone=stages[0].checkpoint.backbone.rpartition("/")[0],
        sizes=[
            (f"line{i}", label, [s.checkpoint for s in stages if size(s) == label])
            for i, label in enumerate(_sizes(stages))
        ],
        charts=[_chart(stages, key) for key in _kinds(stages)],
        total=len(stages),
        command=first.command,
        footer=f"phosphene {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def rows(stages: Sequence[Stage]) -> list[dict[str, Any]]:
    """A line for each checkpoint, cell and split: names, counts, the share passed and chance."""
    out = []
    for stage in stages:
        for row in tally.rows(stage.bench):
            if row.cell == tally.OVERALL:
                continue
            passed, chance = row.shares["last"], row.floors.get("random")
            out.append(
                {
                    "checkpoint": stage.checkpoint.name,
                    "weights": stage.checkpoint.weights,
                    "examples": stage.checkpoint.examples,
                    "cell": row.cell,
                    "split": row.split,
                    "n": passed.n,
                    "passed": passed.share,
                    "low": passed.low,
                    "high": passed.high,
                    "random": None if chance is None else chance.share,
                }
            )
    return out


def size(stage: Stage) -> str:
    """`4.4 M`: how many weights a checkpoint has."""
    return f"{stage.checkpoint.weights / 1e6:.1f} M"


def _sizes(stages: Sequence[Stage]) -> list[str]:
    return list(dict.fromkeys(size(s) for s in stages))


def _kinds(stages: Sequence[Stage]) -> list[str]:
    """What the charts are of: task and fields, both splits together."""
    return list(dict.fromkeys(tally.field_key(r) for s in stages for r in s.bench.results))


def _chart(stages: Sequence[Stage], key: str) -> dict[str, Any]:
    ours = {
        s.checkpoint.name: [r for r in s.bench.results if tally.field_key(r) == key] for s in stages
    }
    every = [r for results in ours.values() for r in results]
    moments = sorted({s.checkpoint.examples for s in stages})
    lines = []
    chance = tally.row([r for r in every if r.sample == 0]).floors.get("random")
    if chance is not None:
        lines.append(Line("chance", "chance", dict.fromkeys(moments, chance)))
    for i, label in enumerate(_sizes(stages)):
        for split in sorted({r.split for r in every}):
            points = _points([s for s in stages if size(s) == label], ours, split)
            held = {"train": "seen", "test": "held out"}.get(split, split)
            lines.append(Line(f"{label}, {held}", f"line{i} {split}", points))
    title = next(c["title"] for c in stages[0].bench.suite["cells"] if c["id"] == every[0].cell)
    levels = {moment: _short(moment) for moment in moments}
    return {
        "title": title,
        "svg": curve(levels, lines, f"{title} by examples seen"),
        "lines": lines,
    }


def _points(
    stages: Sequence[Stage], ours: dict[str, list[Result]], split: str
) -> dict[int, Interval]:
    out = {}
    for stage in stages:
        here = [r for r in ours[stage.checkpoint.name] if r.split == split]
        if here:
            out[stage.checkpoint.examples] = tally.row(here).shares["last"]
    return out


def _short(examples: int) -> str:
    return f"{examples / 1000:.0f} k" if examples < 1e6 else f"{examples / 1e6:.1f} M"
