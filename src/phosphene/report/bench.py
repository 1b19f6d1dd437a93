"""The report of one or several runs of a suite: everything on one page that needs no network."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from phosphene import __version__
from phosphene.compare import compare
from phosphene.errors import PhospheneError
from phosphene.outcome import Bench
from phosphene.report import cards, tally
from phosphene.report.curve import Line, bar, curve
from phosphene.report.page import part, write_page
from phosphene.report.standing import Standing, standings
from phosphene.result import Result
from phosphene.statistics import Interval, apart, holm

LINES = 6  # runs that a chart has colours for


def write_report(benches: Sequence[Bench], path: Path, items: int = 6) -> Path:
    """Write the page.

    Args:
        benches: runs of one suite; one or more.
        path: where; an older file is replaced.
        items: samples that are shown of each cell and run.

    Raises:
        PhospheneError: runs of different suites, a run without results, or more than six runs.
    """
    _check(benches)
    labels = names(benches)
    certificates = {label: standings(b) for label, b in zip(labels, benches, strict=True)}
    runs = [
        _run(i, label, bench) for i, (label, bench) in enumerate(zip(labels, benches, strict=True))
    ]
    return write_page(
        path,
        "bench.html.j2",
        style=part("bench.css"),
        suite=benches[0].of,
        runs=runs,
        several=len(runs) > 1,
        scores=_scores(benches, labels, certificates),
        floors=list(dict.fromkeys(n for b in benches for r in b.results for n in r.floors)),
        contests=_contests(benches, labels),
        splits=_splits(benches, labels),
        curves=_curves(benches, labels),
        wordings=_wordings(benches, labels),
        certificates=_certificates(certificates),
        unmade=[(label, tally.unmade(b.results)) for label, b in zip(labels, benches, strict=True)],
        cards=_cards(benches, labels, items),
        bar=bar,
        footer=f"phosphene {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def names(benches: Sequence[Bench]) -> list[str]:
    """A name for each run: its backbone's, with the directory's where two have the same."""
    plain = [b.backbone for b in benches]
    told = [
        f"{name} ({b.root.name})" if plain.count(name) > 1 else name
        for name, b in zip(plain, benches, strict=True)
    ]
    return [f"{n} {i + 1}" if told.count(n) > 1 else n for i, n in enumerate(told)]


def _check(benches: Sequence[Bench]) -> None:
    if not 1 <= len(benches) <= LINES:
        raise PhospheneError(f"a report takes 1 to {LINES} runs; got {len(benches)}")
    for bench in benches:
        if not bench.results:
            raise PhospheneError(f"run {bench.root} has no results yet; let phosphene bench go on")
        if bench.of != benches[0].of:
            raise PhospheneError(
                f"one report takes runs of one suite; {benches[0].root} is of {benches[0].of} and "
                f"{bench.root} of {bench.of}; write a report of each"
            )


def _run(i: int, label: str, bench: Bench) -> dict[str, Any]:
    whole = tally.row(bench.results)
    return {
        "style": f"line{i}",
        "label": label,
        "whole": whole,
        "canvas": ", ".join(f"{name} {value}" for name, value in bench.canvas.items()),
        "command": bench.command,
        "created": bench.created,
        "fingerprint": bench.fingerprint,
    }


def _scores(
    benches: Sequence[Bench], labels: Sequence[str], certificates: dict[str, dict[str, Standing]]
) -> list[dict[str, Any]]:
    """A line for each cell, split and run; runs of a cell stand together, totals come last."""
    lines: list[tuple[tuple[str, str], int, tally.Row]] = []
    for i, bench in enumerate(benches):
        lines += [((row.cell, row.split), i, row) for row in tally.rows(bench)]
    places = {key: n for n, key in enumerate(dict.fromkeys(key for key, _, _ in lines))}
    lines.sort(key=lambda line: (places[line[0]], line[1]))
    lines += [(("", ""), i, tally.row(bench.results)) for i, bench in enumerate(benches)]
    return [
        {
            "run": labels[i],
            "style": f"line{i}",
            "row": row,
            "standing": certificates[labels[i]].get(row.task),
            "whole": row.cell == tally.OVERALL,
        }
        for _, i, row in lines
    ]


def _contests(benches: Sequence[Bench], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Every further run against the first."""
    out = []
    for label, bench in list(zip(labels, benches, strict=True))[1:]:
        found = compare(bench, benches[0])
        out.append({"a": label, "b": labels[0], "found": found})
    adjusted = holm([contest["found"].overall.paired.p for contest in out])
    return [{**contest, "p": p} for contest, p in zip(out, adjusted, strict=True)]


def _splits(benches: Sequence[Bench], labels: Sequence[str]) -> list[dict[str, Any]]:
    """Held-in (train) beside held-out (test) instances of the same task at the same difficulty."""
    out = []
    for label, bench in zip(labels, benches, strict=True):
        groups: dict[str, list[Result]] = {}
        for result in bench.results:
            groups.setdefault(tally.field_key(result), []).append(result)
        both = [g for g in groups.values() if {"train", "test"} <= {r.split for r in g}]
        named = [(" / ".join(dict.fromkeys(r.cell for r in g)), g) for g in both]
        if len(both) > 1:
            named.append((tally.OVERALL, [r for g in both for r in g]))
        for name, group in named:
            seen, new = (
                tally.row([r for r in group if r.split == split]).shares["last"]
                for split in ("train", "test")
            )
            out.append(
                {"run": label, "cell": name, "seen": seen, "new": new, "gap": apart(seen, new)}
            )
    return out


def _curves(benches: Sequence[Bench], labels: Sequence[str]) -> list[dict[str, Any]]:
    """A chart for each task that has results on two rungs of a ladder or more."""
    laddered = [r for b in benches for r in b.results if r.level is not None]
    out = []
    for task in dict.fromkeys(r.task for r in laddered):
        ours = [r for r in laddered if r.task == task]
        levels = _levels(ours)
        if len(levels) < 2:
            continue
        lines = [Line("chance", "chance", _points(ours, floor="random"))]
        splits = sorted({r.split for r in ours})
        for i, (label, bench) in enumerate(zip(labels, benches, strict=True)):
            for split in splits:
                here = [r for r in bench.results if r.task == task and r.split == split]
                title = f"{label}, {split}" if len(splits) > 1 else label
                lines.append(Line(title, f"line{i} {split}", _points(here)))
        lines = [line for line in lines if line.points]
        out.append(
            {"task": task, "svg": curve(levels, lines, f"{task} by difficulty"), "lines": lines}
        )
    return out


def _levels(results: Sequence[Result]) -> dict[int, str]:
    """Level -> what differs on it from the other levels, in words."""
    fields = {r.level: dict(r.fields) for r in results if r.level is not None}
    moving = [
        name
        for name in dict.fromkeys(n for f in fields.values() for n in f)
        if len({repr(f.get(name)) for f in fields.values()}) > 1
    ]
    return {
        level: ", ".join(f"{n} {fields[level][n]}" for n in moving if n in fields[level])
        or f"{level}"
        for level in sorted(fields)
    }


def _points(results: Sequence[Result], floor: str = "") -> dict[int, Interval]:
    out = {}
    for level in sorted({r.level for r in results if r.level is not None}):
        row = tally.row([r for r in results if r.level == level])
        interval = row.floors.get(floor) if floor else row.shares["last"]
        if interval is not None:
            out[level] = interval
    return out


def _wordings(benches: Sequence[Bench], labels: Sequence[str]) -> list[dict[str, Any]]:
    """For each task and run, the share by wording; tasks asked in one wording are left out."""
    out = []
    for label, bench in zip(labels, benches, strict=True):
        for task in dict.fromkeys(r.task for r in bench.results):
            ours = [r for r in bench.results if r.task == task]
            shares = tally.wordings(ours)
            if len(shares) > 1:
                said = {r.wording: r.prompt for r in reversed(ours)}
                values = [i.share for i in shares.values()]
                rows = [(w, said[w], i) for w, i in shares.items()]
                out.append(
                    {"run": label, "task": task, "rows": rows, "spread": max(values) - min(values)}
                )
    return out


def _certificates(found: dict[str, dict[str, Standing]]) -> list[Standing]:
    """Every distinct standing, by task."""
    every = [standing for ours in found.values() for standing in ours.values()]
    return sorted(dict.fromkeys(every), key=lambda standing: standing.task)


def _cards(benches: Sequence[Bench], labels: Sequence[str], most: int) -> list[dict[str, Any]]:
    """Cell by cell, run by run, some samples of each."""
    out = []
    for cell in dict.fromkeys(r.cell for b in benches for r in b.results):
        for i, (label, bench) in enumerate(zip(labels, benches, strict=True)):
            ours = [r for r in bench.results if r.cell == cell]
            shown = [cards.card(bench, r) for r in cards.pick(ours, most)]
            if shown:
                out.append(
                    {
                        "cell": cell,
                        "run": label,
                        "style": f"line{i}",
                        "of": len(ours),
                        "cards": shown,
                    }
                )
    return out
