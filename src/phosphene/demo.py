"""Demo: Ember draws a grid of clips with sound; each is judged; one page shows it all."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene import __version__, media
from phosphene.backbone import open_backbone
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.generate import generate_run
from phosphene.progress import Event, shown
from phosphene.request import Request
from phosphene.statistics import Interval, wilson
from phosphene.task import Canvas, Problem, Split, Task, tasks
from phosphene.verdict import Verdict

FIRST_SEED = 2 * 10**9  # instances that neither training nor its exams have dealt


@dataclass(frozen=True)
class Scene:
    """A task as the demo shows it.

    Args:
        title: heading of its section.
        blurb: what to look and listen for.
        task: the task's name.
        fields: its difficulty: what the shipped weights were trained on.
    """

    title: str
    blurb: str
    task: str
    fields: Mapping[str, Any] = field(default_factory=dict)


SCENES = (
    Scene(
        "Equations",
        "The first frame shows a sum or difference; the video writes the answer and the tones "
        "spell it. Held-out pairs were never trained on, in either order.",
        "equations",
        {"largest": 9, "variety": 0.0},
    ),
    Scene(
        "Worked out in dots",
        "The same, but both numbers are laid out in dots first, which move with a knock, two at a "
        "time, until what is left can be read.",
        "worked_equations",
        {"largest": 9, "variety": 0.0},
    ),
    Scene(
        "Mirror",
        "The painted half of a pattern is mirrored at the line, with a tone for each cell. "
        "Held-out patterns were never trained on.",
        "symmetry",
        {"cells": 4, "colours": 1, "axes": "vh", "variety": 0.0},
    ),
    Scene(
        "Maze",
        "The way from the green dot to the red one grows cell by cell; blips spell its turns. "
        "Held-out mazes were never trained on.",
        "maze",
        {"smallest": 3, "largest": 4, "variety": 0.0},
    ),
)


@dataclass(frozen=True)
class Exhibit:
    """One clip with what was asked of it and what became of it."""

    scene: Scene
    task: Task
    problem: Problem
    request: Request
    clip: Clip | None
    verdict: Verdict


def demo(out: Path, *, quiet: bool = False, clips: int = 24, cards: int = 4) -> Path:
    """Generate, judge and show.

    Args:
        out: directory for the clips (lossless, each with its recipe) and the page.
        quiet: no progress.
        clips: clips of each scene and split that are generated and counted.
        cards: how many of those the page shows.

    Returns:
        The path of the HTML page, self-contained; its table is in `summary.json` beside it.

    Raises:
        PhospheneError: clips or cards below 1.
    """
    if clips < 1 or cards < 1:
        raise PhospheneError(f"the demo wants at least 1 clip; got clips {clips}, cards {cards}")
    exhibits = _make(out, clips, quiet)
    groups: dict[tuple[str, Split], list[Exhibit]] = {}
    for e in exhibits:
        groups.setdefault((e.scene.title, e.problem.split), []).append(e)
    from phosphene.report.page import write_page

    summary = [
        {"scene": title, "instances": _instances(split), "right": _share(group)}
        for (title, split), group in groups.items()
    ]
    plain = [{**row, "right": row["right"]._asdict()} for row in summary]
    (out / "summary.json").write_text(json.dumps(plain, indent=1) + "\n")
    sections = [
        {
            "title": scene.title,
            "blurb": scene.blurb,
            "cards": [
                _card(e, e.clip)
                for split in ("train", "test")
                for e in groups[scene.title, split][:cards]
                if e.clip is not None
            ],
        }
        for scene in SCENES
    ]
    footer = (
        f"Phosphene {__version__}, backbone ember, 8 steps, seed 0. Every clip lies in "
        f"{out / 'clips' / 'media'} with its recipe inside; phosphene recreate FILE makes it again."
    )
    return write_page(
        out / "index.html", "demo.html.j2", summary=summary, sections=sections, footer=footer
    )


def _make(out: Path, clips: int, quiet: bool) -> list[Exhibit]:
    """Generate whatever `out` lacks and judge all of it."""
    dealt: list[tuple[Scene, Task, Problem, Request]] = []
    for scene in SCENES:
        task = tasks.get(scene.task)(**scene.fields)
        splits: tuple[Split, ...] = ("train", "test")
        for problem in (task.sample(FIRST_SEED + i, s) for s in splits for i in range(clips)):
            first = task.first_frame(problem, Canvas())
            request = Request(problem.prompts[0], first_frame=first, index=len(dealt))
            dealt.append((scene, task, problem, request))
    fresh: dict[int, Clip] = {}

    def keep(event: Event) -> None:
        if event.index is not None and event.clip is not None:
            fresh[event.index] = event.clip
        progress(event)

    root, requests = out / "clips", [request for *_, request in dealt]
    with shown(quiet) as progress:
        records = generate_run(
            open_backbone("ember"), requests, root, batch=12, lossless=True, on_event=keep
        )
    exhibits = []
    for i, (about, record) in enumerate(zip(dealt, records, strict=True)):
        _, task, problem, _ = about
        if record.file is None:
            lost = Verdict("failed", reason=f"no clip: {record.reason}")
            exhibits.append(Exhibit(*about, None, lost))
            continue
        clip = fresh[i] if i in fresh else media.load(root / record.file)
        exhibits.append(Exhibit(*about, clip, task.score(problem, clip)))
    return exhibits


def _card(e: Exhibit, clip: Clip) -> dict[str, str]:
    from phosphene.report.page import video_url

    return {
        "asked": e.request.prompt,
        "came": video_url(clip),
        "right": video_url(e.task.solve(e.problem, Canvas())),
        "headline": e.verdict.headline,
        "reason": e.verdict.reason,
        "instances": _instances(e.problem.split),
    }


def _instances(split: Split) -> str:
    return "training split" if split == "train" else "held out"


def _share(group: list[Exhibit]) -> Interval:
    return wilson(sum(e.verdict.passed for e in group), len(group))
