"""Judging: what was drawn in each arm, read by the task's own reader on the last frame."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass

import numpy as np

from phosphene import media
from phosphene.certificates import digest_of
from phosphene.clip import Clip
from phosphene.conditions.arms import Arm
from phosphene.conditions.asking import Round, Told
from phosphene.notebook import Notebook
from phosphene.run import Record, Run
from phosphene.stage import unbox
from phosphene.task import Canvas


@dataclass(frozen=True)
class Outcome:
    """What came of one sample.

    Args:
        instance: of the problem; `item` is its id in the suite, with the sample's number.
        right: whether the answer in the last frame is right; a sample that failed is not.
        passed: whether the whole verdict is, the givens included.
        read: the answer that was read; None where nothing could be.
        change: mean absolute difference of the last frame from the bare arm's, 0..1; None where
            either is missing.
    """

    instance: str
    item: str
    arm: Arm
    wording: int
    right: bool
    passed: bool
    read: str | None
    change: float | None


def outcomes(
    run: Run,
    found: Sequence[Round],
    records: Sequence[Record],
    canvas: Canvas,
    pad: tuple[int, int] | None,
    book: Notebook,
) -> list[Outcome]:
    """Judge every sample that has not been judged as it is now by the scorer as it is now.

    Args:
        records: one for each request, round by round.
    """
    out: list[Outcome] = []
    book.plan(len(found))
    place = 0
    for one in found:
        mine = records[place : place + len(one.told)]
        place += len(one.told)
        held = " ".join((r.sha256 or r.status)[:12] for r in mine)
        key = f"judged {one.id} {digest_of(type(one.asked.task))} {held}"
        rows = book.once(
            key,
            lambda one=one, mine=mine: [asdict(o) for o in _judge(run, one, mine, canvas, pad)],
            f"{one.asked.item.id} judged in {len(mine)} arms",
        )
        out += [Outcome(**row) for row in rows]
    return out


def last_frames(
    run: Run, one: Round, records: Sequence[Record], pad: tuple[int, int] | None
) -> Mapping[tuple[Arm, int], np.ndarray]:
    """(arm, wording) -> last frame uint8 `(h, w, 3)`; arms whose sample failed are missing."""
    out: dict[tuple[Arm, int], np.ndarray] = {}
    for told, record in zip(one.told, records, strict=True):
        clip = _clip(run, record, pad)
        if clip is not None and clip.frames is not None:
            out[told.arm, told.wording] = clip.frames[-1]
    return out


def _judge(
    run: Run,
    one: Round,
    records: Sequence[Record],
    canvas: Canvas,
    pad: tuple[int, int] | None,
) -> list[Outcome]:
    clips = [_clip(run, r, pad) for r in records]
    bare = clips[[t.arm for t in one.told].index("bare")]
    return [
        _outcome(one, told, clip, bare, canvas) for told, clip in zip(one.told, clips, strict=True)
    ]


def _outcome(
    one: Round, told: Told, clip: Clip | None, bare: Clip | None, canvas: Canvas
) -> Outcome:
    task, problem = one.asked.task, one.asked.problem
    if clip is None:
        return Outcome(one.instance, one.id, told.arm, told.wording, False, False, None, None)
    trace = task.decode(problem, clip, every=False, canvas=canvas)
    verdict = task.judge(problem, trace)
    read = verdict.evidence.get("answer") if verdict.evidence else None
    return Outcome(
        one.instance,
        one.id,
        told.arm,
        told.wording,
        verdict.answer == "passed",
        verdict.passed,
        None if read is None else task.say(read),
        _change(clip, bare),
    )


def _change(clip: Clip, bare: Clip | None) -> float | None:
    if bare is None or clip.frames is None or bare.frames is None:
        return None
    a, b = (c.frames[-1].astype(np.float32) for c in (clip, bare))  # type: ignore[union-attr]
    return float(np.abs(a - b).mean() / 255) if a.shape == b.shape else None


def _clip(run: Run, record: Record, pad: tuple[int, int] | None) -> Clip | None:
    """The square part of a sample's clip; None where it could not be made."""
    if record.status == "failed":
        return None
    clip = media.load(run.path(record))
    return clip if pad is None else unbox(clip, *pad)
