"""Cards: for some samples of a cell, what came, how it was read, and what is right."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from phosphene import media
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.outcome import Bench, problem_of, task_of
from phosphene.report.overlay import overlay, picture_url
from phosphene.report.page import video_url
from phosphene.result import Result
from phosphene.stage import unbox
from phosphene.verdict import PARTS

HEADLINES = ("passed", "failed", "unreadable")
SIDE = 384  # pixels; larger clips are shown smaller


@dataclass(frozen=True)
class Shown:
    """A clip in a page, or why it isn't there.

    Args:
        kind: `video`, `image` or `audio`; empty where there is nothing to show.
        url: a `data:` address.
        poster: a still of the last frame.
        missing: why there is nothing to show.
    """

    kind: str = ""
    url: str = ""
    poster: str = ""
    missing: str = ""


def pick(results: Sequence[Result], most: int) -> list[Result]:
    """At most `most` samples, spread over headlines and then over items, the same every time."""
    seen: set[str] = set()
    queues: dict[str, list[Result]] = {headline: [] for headline in HEADLINES}
    again: dict[str, list[Result]] = {headline: [] for headline in HEADLINES}
    for result in _alternating(results):
        headline = result.verdicts["last"].headline
        (again if result.item in seen else queues)[headline].append(result)
        seen.add(result.item)
    waiting = [queues[h] + again[h] for h in HEADLINES]
    out: list[Result] = []
    while len(out) < most and any(waiting):
        out += [queue.pop(0) for queue in waiting if queue][: most - len(out)]
    return sorted(
        out, key=lambda r: (HEADLINES.index(r.verdicts["last"].headline), r.item, r.sample)
    )


def _alternating(results: Sequence[Result]) -> list[Result]:
    """First samples first; train and test items in turn."""
    splits = sorted({r.split for r in results})
    items = {s: sorted({r.item for r in results if r.split == s}) for s in splits}
    rank = {(s, item): i for s in splits for i, item in enumerate(items[s])}
    return sorted(results, key=lambda r: (r.sample, rank[r.split, r.item], r.split))


def card(bench: Bench, result: Result) -> dict[str, Any]:
    """What the template shows of one sample."""
    came, trace = _came(bench, result)
    verdict = result.verdicts["last"]
    return {
        "item": result.item,
        "cell": result.cell,
        "split": result.split,
        "sample": result.sample,
        "headline": verdict.headline,
        "reason": verdict.reason,
        "prompt": result.prompt,
        "parts": [(part, getattr(verdict, part)) for part in PARTS],
        "others": [(p, v.headline) for p, v in result.verdicts.items() if p != "last"],
        "floors": list(result.floors.items()),
        "came": came,
        "trace": trace,
        "right": _right(bench, result),
    }


def _came(bench: Bench, result: Result) -> tuple[Shown, str]:
    """What the backbone made, and its last frame with the marks on it."""
    if result.file is None:
        return Shown(missing="no clip was made"), ""
    try:
        clip = media.load(bench.root / result.file)
        judged = clip if bench.pad is None else unbox(clip, *bench.pad)
        if judged.frames is None:
            return shown(clip), ""
        return shown(clip), overlay(_small(judged.frames[-1:])[0], result.marks)
    except PhospheneError as error:
        # The page travels; where the run lay on this disk is nobody's business.
        return Shown(missing=str(error).replace(f"{bench.root}/", "")), ""


def _right(bench: Bench, result: Result) -> Shown:
    canvas = bench.asked()
    small = replace(canvas, size=min(canvas.size, SIDE))
    try:
        return shown(task_of(result).solve(problem_of(result), small))
    except PhospheneError as error:
        return Shown(missing=str(error))


def shown(clip: Clip) -> Shown:
    """A clip as a page plays it.

    Raises:
        PhospheneError: no browser format holds it.
    """
    if clip.frames is None:
        return Shown("audio", video_url(clip))
    small = replace(clip, frames=_small(clip.frames))
    assert small.frames is not None
    still = picture_url(small.frames[-1])
    return (
        Shown("image", still) if clip.kind == "image" else Shown("video", video_url(small), still)
    )


def _small(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 `(t, h, w, 3)` with no side above `SIDE`."""
    from PIL import Image

    height, width = frames.shape[1:3]
    factor = -(-max(height, width) // SIDE)
    if factor == 1:
        return frames
    return np.stack([np.asarray(Image.fromarray(frame).reduce(factor)) for frame in frames])
