"""Trace: what a scorer has read from a clip, in symbols, before anything is judged."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, NamedTuple

Protocol = Literal["last", "best", "first-stable", "majority"]
PROTOCOLS: tuple[Protocol, ...] = ("last", "best", "first-stable", "majority")
STABLE = 3  # frames in a row that an answer must hold to count as stable


class Mark(NamedTuple):
    """Something a report draws over a frame to show what was read. Places are shares of the side.

    Fields: `kind` is `box` (x0, y0, x1, y1), `path` (x0, y0, x1, y1, ...), `point` (x, y) or
    `text` (x, y); `text` labels it.
    """

    kind: Literal["box", "path", "point", "text"]
    at: tuple[float, ...]
    text: str = ""


@dataclass(frozen=True)
class Reading:
    """What one frame shows.

    Args:
        answer: the answer in symbols, of the same JSON-able form as `problem.state["answer"]`;
            None where nothing has been drawn yet, or nothing can be read.
        unreadable: why there is something that can't be read; empty where all is clear.
        altered: the givens that are no longer as they were, a few words each.
        marks: what to draw over the frame to show how it was read.
    """

    answer: Any = None
    unreadable: str = ""
    altered: tuple[str, ...] = ()
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Trace:
    """A clip in symbols: everything a judge looks at.

    Args:
        frames: number of frames of the clip.
        readings: frame number -> what it shows; the last frame is always there.
        changed: for each frame, the share of the picture outside the region where change is allowed
            that differs from the problem's first frame (0..1).
        heard: what the sound says, JSON-able; None without sound.
        unreadable: why nothing at all could be read (wrong aspect, no picture); empty otherwise.
        fps: the clip's frames a second, which puts sounds and frames on one clock.
    """

    frames: int
    readings: Mapping[int, Reading] = field(default_factory=dict)
    changed: tuple[float, ...] = ()
    heard: Any = None
    unreadable: str = ""
    fps: float = 1.0

    def frame(self, protocol: Protocol) -> int:
        """The frame that a blind protocol looks at: chosen by the readings alone, never the truth.

        `last` is the last frame. `first-stable` is the first frame whose answer holds for `STABLE`
        frames in a row or until the end. `majority` is the last frame that shows the answer which
        most frames show (of a tie, the later one). Where no frame shows an answer, the last one.

        Raises:
            ValueError: for `best`, which is an oracle and needs the judge.
        """
        last = self.frames - 1
        if protocol == "last":
            return last
        if protocol == "best":
            raise ValueError("best is no blind protocol")
        shown = [(k, r.answer) for k, r in sorted(self.readings.items()) if r.answer is not None]
        if not shown:
            return last
        if protocol == "majority":
            votes = Counter(repr(answer) for _, answer in shown)
            latest = {repr(answer): k for k, answer in shown}
            return max(latest.values(), key=lambda k: (votes[repr(self.readings[k].answer)], k))
        for k, answer in shown:
            after = [self.readings.get(j) for j in range(k, min(k + STABLE, self.frames))]
            if all(r is not None and r.answer == answer for r in after):
                return k
        return last
