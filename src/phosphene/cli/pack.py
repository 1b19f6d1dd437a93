"""`phosphene pack`: read, solve and compare the items of other people's benchmarks."""

from __future__ import annotations

import json as jsonlib
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter, validators

from phosphene.cli.console import say, say_table

if TYPE_CHECKING:
    from phosphene.readpack import Reading

_WIDE = 44


def pack(
    directory: Path,
    /,
    *,
    kind: str | None = None,
    clips: Path | None = None,
    limit: Annotated[int | None, Parameter(validator=validators.Number(gte=1))] = None,
    json: bool = False,
    quiet: bool = False,
) -> None:
    """Read the puzzle pictures of a benchmark's folder, solve them, compare with its answers.

    The layout is detected; nothing is guessed: a picture that can't be read is unreadable.

    Args:
        directory: the benchmark's folder: V-ReasonBench, AlgoPuzzleVQA, PuzzleVQA, KiVA, ARC, or
            folders of first_frame.png and prompt.txt.
        kind: only items of this kind, or that this puzzle reads.
        clips: directory of clips that a model made of these pictures, named ITEM.mp4, to judge.
        limit: only the first so many items.
        json: one JSON object a line for each item, then one with the summary, and nothing else.
        quiet: no progress.
    """
    from phosphene.progress import shown
    from phosphene.readpack import find_items, read_items, summarise

    items = find_items(directory, kind, limit)
    readings = []
    with shown(quiet) as on_event:
        for reading in read_items(items, on_event, clips):
            readings.append(reading)
            if json:
                say(jsonlib.dumps(reading.record(), default=str))
    summary = summarise(readings)
    if json:
        say(jsonlib.dumps({"summary": summary}))
        return
    head = ("id", "kind", "status", "answer", "given", "agree", "clip", "why")
    say_table([head, *map(_row, readings)])
    say()
    names = ("items", "read", "unreadable", "no_reader", "agree", "compared")
    rows = [("kind", *names, "parse rate"), *(_total(k, c) for k, c in summary["kinds"].items())]
    say_table([*rows, _total("all", summary)])


def _row(reading: Reading) -> tuple[str, ...]:
    agree = {None: "", True: "yes", False: "NO"}[reading.agree]
    answer = reading.solved if reading.answer is None else reading.answer
    text = "" if answer is None else jsonlib.dumps(answer, default=str, ensure_ascii=False)
    given = _short(reading.given or "")
    return (
        reading.id,
        reading.kind,
        reading.status,
        _short(text.strip('"')),
        given,
        agree,
        reading.verdict["headline"] if reading.verdict else "",
        reading.verdict["reason"] if reading.verdict else reading.reason,
    )


def _short(text: str) -> str:
    return text if len(text) <= _WIDE else text[: _WIDE - 1] + "…"


def _total(kind: str, counts: dict[str, Any]) -> tuple[Any, ...]:
    names = ("items", "read", "unreadable", "no_reader", "agree", "compared")
    rate = counts["parse_rate"]
    shown = f"{rate['share']:.0%} [{rate['low']:.0%}, {rate['high']:.0%}]" if rate else ""
    return (kind, *(counts[name] for name in names), shown)
