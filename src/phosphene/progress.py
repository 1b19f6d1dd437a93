"""Progress: what the loops tell about themselves, and how it is shown to people."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TextIO

if TYPE_CHECKING:
    from phosphene.clip import Clip
    from phosphene.run import Record


EventKind = Literal["planned", "loading", "made", "found", "failed", "judged", "note"]


@dataclass(frozen=True)
class Event:
    """Something happened in a loop.

    Args:
        kind: `planned` once at the start; `loading` before weights load; `made`, `found` or
            `failed` once a sample; `judged` once it is read; `note` for anything else worth a line.
        finished: samples settled so far, failures included.
        total: samples asked for.
        index: the sample's place in the run.
        text: one line for people.
        record: the sample's record, in a run.
        clip: the sample itself, when it was made just now.
    """

    kind: EventKind
    finished: int
    total: int
    index: int | None = None
    text: str = ""
    record: Record | None = None
    clip: Clip | None = None


OnEvent = Callable[[Event], None]


@contextmanager
def shown(quiet: bool = False, stream: TextIO | None = None) -> Iterator[OnEvent]:
    """Show events on `stream` (stderr by default): a bar with the time left on a terminal, plain
    lines elsewhere, nothing when `quiet`."""
    to = sys.stderr if stream is None else stream
    if quiet:
        yield lambda event: None
    elif to.isatty():
        with _bar(to) as on_event:
            yield on_event
    else:
        yield _lines(to)


@contextmanager
def _bar(stream: TextIO) -> Iterator[OnEvent]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    console = Console(file=stream)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task("checking", total=None)

        def on_event(event: Event) -> None:
            doing = {
                "loading": "loading weights",
                "made": "generating",
                "failed": "generating",
                "judged": "judging",
            }
            progress.update(
                task,
                completed=event.finished,
                total=event.total,
                description=doing.get(event.kind),
            )
            if event.kind in ("failed", "note"):
                style = "red" if event.kind == "failed" else "dim"
                progress.console.print(
                    event.text, style=style, markup=False, highlight=False, soft_wrap=True
                )

        yield on_event


def _lines(stream: TextIO) -> OnEvent:
    started = time.monotonic()
    found = 0

    def on_event(event: Event) -> None:
        nonlocal started, found
        if event.kind == "loading":
            started, found = time.monotonic(), event.finished
        line = f"[{event.finished}/{event.total}] {event.text}"
        fresh = event.finished - found
        if event.kind == "made" and fresh > 0 and event.finished < event.total:
            left = (time.monotonic() - started) / fresh * (event.total - event.finished)
            line += f" ({left:.0f} s left)"
        stream.write(line + "\n")
        stream.flush()

    return on_event
