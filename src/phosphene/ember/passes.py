"""Passes: the order in which the pipeline draws frames, and what each pass sees."""

from __future__ import annotations

from typing import Literal

Schedule = Literal["together", "frame-by-frame"]
# Of a frame and its sound in one pass: clean by now, being denoised, or shown with its sound still
# noise.
Role = Literal["done", "drawn", "waits"]


def passes(schedule: Schedule, given: list[bool]) -> list[dict[int, Role]]:
    """For each pass the frames in view, and what becomes of them.

    A row of sound goes with its frame; that of a given frame comes with the next frame drawn.

    Args:
        schedule: all frames at once, or one after another, each in view of the first one, the one
            before it, and the last one if that is given.
        given: which frames are conditions.

    Raises:
        ValueError: no such schedule.
    """
    frames = len(given)
    if schedule == "together":
        return [dict.fromkeys(range(frames), "drawn")]
    if schedule != "frame-by-frame":
        raise ValueError(f'schedule takes "together" or "frame-by-frame"; got {schedule!r}')
    out: list[dict[int, Role]] = []
    begin = 0
    for end in range(frames):
        # A given frame is no pass of its own, but for the last: its sound is still to come.
        if given[end] and end < frames - 1:
            continue
        seen = sorted({0, *range(min(begin, max(end - 1, 0)), end + 1)})
        roles: dict[int, Role] = {k: "drawn" if k >= begin else "done" for k in seen}
        if given[-1] and end < frames - 1:
            roles[frames - 1] = "waits"
        out.append(roles)
        begin = end + 1
    return out
