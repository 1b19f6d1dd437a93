"""Demo: Ember draws a grid of clips with sound; each is judged; one page shows it all."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

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
BLURBS = {
    "equations": "The first frame shows a sum or difference; the video writes the answer and the "
    "tones spell its digits. Held-out pairs were never trained on, in either order.",
    "maze": "The way from the green dot to the red one. Held-out mazes were never trained on.",
    "bounce": "The streak shows where the ball is going; each impact on a wall is heard.",
}


@dataclass(frozen=True)
class Exhibit:
    """One clip with what was asked of it and what became of it."""

    task: Task
    problem: Problem
    clip: Clip | None
    verdict: Verdict


def demo(out: Path, *, quiet: bool = False, clips: int = 24, cards: int = 4) -> Path:
    """Generate, judge and show.

    Args:
        out: directory for the clips (lossless, each with its recipe) and the page.
        quiet: no progress.
        clips: clips of each family and split that are generated and counted.
        cards: how many of those the page shows.

    Returns:
        The path of the HTML page, self-contained; its table is in `summary.json` beside it.

    Raises:
        PhospheneError: clips or cards below 1.
    """
    if clips < 1 or cards < 1:
        raise PhospheneError(f"the demo wants at least 1 clip; got clips {clips}, cards {cards}")
    exhibits = _make(out, clips, quiet)
    groups = {
        (name, split): [e for e in exhibits if (e.task.name, e.problem.split) == (name, split)]
        for name in BLURBS
        for split in ("train", "test")
    }
    from phosphene.report.page import video_url, write_page

    summary = [
        {"family": name, "instances": _instances(split), "right": _share(group)}
        for (name, split), group in groups.items()
    ]
    sections = [
        {
            "title": name.capitalize(),
            "blurb": blurb,
            "cards": [
                {
                    "asked": e.problem.prompts[0],
                    "came": video_url(e.clip),
                    "right": video_url(e.task.solve(e.problem, Canvas())),
                    "headline": e.verdict.headline,
                    "reason": e.verdict.reason,
                    "instances": _instances(e.problem.split),
                }
                for split in ("train", "test")
                for e in groups[name, split][:cards]
                if e.clip is not None
            ],
        }
        for name, blurb in BLURBS.items()
    ]
    plain = [{**row, "right": row["right"]._asdict()} for row in summary]
    (out / "summary.json").write_text(json.dumps(plain, indent=1) + "\n")
    footer = (
        f"Phosphene {__version__}, backbone ember, 8 steps, seed 0. Every clip lies in "
        f"{out / 'clips' / 'media'} with its recipe inside; phosphene recreate FILE makes it again."
    )
    return write_page(
        out / "index.html", "demo.html.j2", summary=summary, sections=sections, footer=footer
    )


def _make(out: Path, clips: int, quiet: bool) -> list[Exhibit]:
    """Generate whatever `out` lacks and judge all of it."""
    dealt = [
        (task, task.sample(FIRST_SEED + i, split))
        for task in (tasks.get(name)() for name in BLURBS)
        for split in ("train", "test")
        for i in range(clips)
    ]
    requests = [
        Request(p.prompts[0], first_frame=t.first_frame(p, Canvas()), index=i)
        for i, (t, p) in enumerate(dealt)
    ]
    fresh: dict[int, Clip] = {}

    def keep(event: Event) -> None:
        if event.index is not None and event.clip is not None:
            fresh[event.index] = event.clip
        progress(event)

    root = out / "clips"
    with shown(quiet) as progress:
        records = generate_run(
            open_backbone("ember"), requests, root, batch=12, lossless=True, on_event=keep
        )
    exhibits = []
    for i, ((task, problem), record) in enumerate(zip(dealt, records, strict=True)):
        if record.file is None:
            lost = Verdict("failed", reason=f"no clip: {record.reason}")
            exhibits.append(Exhibit(task, problem, None, lost))
            continue
        clip = fresh[i] if i in fresh else media.load(root / record.file)
        exhibits.append(Exhibit(task, problem, clip, task.judge(problem, clip)))
    return exhibits


def _instances(split: Split | str) -> str:
    return "seen in training" if split == "train" else "held out"


def _share(group: list[Exhibit]) -> Interval:
    return wilson(sum(e.verdict.passed for e in group), len(group))
