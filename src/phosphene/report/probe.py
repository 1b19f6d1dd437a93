"""What a probe leaves on disk: findings, table, figures, and one page that shows them all."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import __version__
from phosphene.errors import PhospheneError
from phosphene.media.disk import naming, write, write_text
from phosphene.minds.probe import MindProbe
from phosphene.probe import ALPHA, Figure, Finding, Heat, Lines, Probe, Result, Thoughts
from phosphene.report.heat import heat_html
from phosphene.report.interval import figures as numbers
from phosphene.report.interval import interval_svg
from phosphene.report.lines import lines_html
from phosphene.report.page import fill, part, write_page
from phosphene.report.plot import png
from phosphene.report.scale import colours
from phosphene.report.sheet import rows, sheet
from phosphene.report.strip import strip_html
from phosphene.report.thoughts import thoughts_html

SHOWN = 60  # rows of the table that the page shows; the files have all
HOLDS = {True: ("holds", "●"), False: ("null result", "○"), None: ("not asked", "?")}


def save_result(
    result: Result,
    probe: Probe | MindProbe,
    about: Mapping[str, Any],
    directory: Path,
    command: str,
) -> Path:
    """Write findings.json, table.csv, table.jsonl, figures/NAME.png and .csv, and report.html.

    Each file is replaced in one move, the page last; figures of an earlier result are removed.

    Args:
        about: the subject, as `Subject.about` tells it.
        directory: made if it is not there.
        command: the command line that makes it again.

    Returns:
        Where the page is.

    Raises:
        PhospheneError: the disk is full or refuses, or a figure's name is no plain file name.
    """
    folder = directory / "figures"
    with naming(f"can't write to {folder}"):
        _make(folder)
    for name, figure in result.figures.items():
        _plain(name)
        _write_png(png(figure), folder / f"{name}.png")
        write_text(sheet(rows(figure)), folder / f"{name}.csv")
    for path in folder.iterdir():
        if path.suffix in (".png", ".csv") and path.stem not in result.figures:
            path.unlink()
    lines = [json.dumps(finite(dict(row)), ensure_ascii=False) for row in result.table]
    write_text("".join(line + "\n" for line in lines), directory / "table.jsonl")
    write_text(sheet(result.table), directory / "table.csv")
    record = json.dumps(_record(result, probe, about, command), indent=1, ensure_ascii=False)
    write_text(record + "\n", directory / "findings.json")
    setup = about["setup"]
    return write_page(
        directory / "report.html",
        "probe.html.j2",
        title=f"{probe.name}: {about['backbone']} on {setup['task']}",
        style=style(),
        script=part("study.js"),
        probe=probe.name,
        subject=about["backbone"],
        task=setup["task"].replace("_", " "),
        study=study_html(result, probe, about, command),
        footer=f"phosphene {__version__}, {datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
    )


def study_html(
    result: Result,
    probe: Probe | MindProbe,
    about: Mapping[str, Any],
    command: str,
    files: str = "",
) -> str:
    """One probe's part of a page: question, controls, findings, figures, how to make it again.

    Args:
        files: where its directory lies as seen from the page, with a slash at its end.
    """
    keys = list(dict.fromkeys(key for row in result.table for key in row))
    return fill(
        "study.html.j2",
        asks=probe.ASKS,
        controls=probe.CONTROLS,
        findings=[_view(finding) for finding in result.findings],
        tally=[
            (word, sign, sum(f.holds is holds for f in result.findings))
            for holds, (word, sign) in HOLDS.items()
        ],
        alpha=ALPHA,
        figures=[
            {"name": name, "title": figure.title, "html": _figure_html(figure)}
            for name, figure in result.figures.items()
        ],
        notes=result.notes,
        keys=keys,
        table=[[_cell(row.get(key)) for key in keys] for row in result.table[:SHOWN]],
        rows=len(result.table),
        facts=_facts(probe, about),
        command=command,
        files=files,
    )


def style() -> str:
    """The style sheet of pages with studies; colours of heat maps for light and for dark."""

    def levels(dark: bool) -> str:
        return "".join(f"--d{i}:{colour};" for i, colour in enumerate(colours(dark)))

    rules = "".join(
        f".d{i}{{fill:var(--d{i});background:var(--d{i})}}" for i in range(len(colours()))
    )
    dark = f"@media(prefers-color-scheme:dark){{:root{{{levels(True)}}}}}"
    return f"{part('study.css')}\n:root{{{levels(False)}}}\n{dark}\n{rules}"


def finite(value: Any) -> Any:
    """JSON-able values; what is no finite number becomes null, numpy's become Python's."""
    if isinstance(value, Mapping):
        return {str(k): finite(v) for k, v in value.items()}
    if isinstance(value, (np.ndarray, np.generic)):
        return finite(value.tolist())
    if isinstance(value, (list, tuple)):
        return [finite(v) for v in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _figure_html(figure: Figure) -> str:
    if isinstance(figure, Heat):
        return heat_html(figure)
    if isinstance(figure, Thoughts):
        return thoughts_html(figure)
    return lines_html(figure) if isinstance(figure, Lines) else strip_html(figure)


def _view(finding: Finding) -> dict[str, Any]:
    word, sign = HOLDS[finding.holds]
    return {
        "name": finding.name,
        "says": finding.says,
        "word": word,
        "sign": sign,
        "style": word.split()[0],
        "numbers": numbers(finding),
        "interval": interval_svg(finding),
    }


def _facts(probe: Probe | MindProbe, about: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Settings and subject, name by name."""
    setup = dict(about["setup"])
    told = {"backbone": about["backbone"], "weights": about["fingerprint"], **setup}
    told |= {f"probe's {name}": value for name, value in settings_of(probe).items()}
    given = {k: v for k, v in told.items() if v is not None and v != {}}
    return [(k.replace("_", " "), _cell(v)) for k, v in given.items()]


def settings_of(probe: Probe | MindProbe) -> dict[str, Any]:
    """A probe's fields and their values, JSON-able."""
    return finite(asdict(probe))  # type: ignore[call-overload]


def _record(
    result: Result, probe: Probe | MindProbe, about: Mapping[str, Any], command: str
) -> dict[str, Any]:
    return {
        "schema": 1,
        "phosphene": __version__,
        "probe": probe.name,
        "asks": probe.ASKS,
        "controls": probe.CONTROLS,
        "settings": settings_of(probe),
        "subject": finite(about),
        "command": command,
        "created": datetime.now(UTC).isoformat(timespec="seconds"),
        "findings": finite([asdict(f) for f in result.findings]),
        "notes": list(result.notes),
        "figures": list(result.figures),
        "rows": len(result.table),
    }


def _cell(value: Any) -> str:
    value = finite(value)
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:.4g}"
    if isinstance(value, Mapping):
        return ", ".join(f"{k} {_cell(v)}" for k, v in value.items())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return ", ".join(_cell(v) for v in value)
    return "" if value is None else str(value)


def _plain(name: str) -> None:
    if not name or Path(name).name != name or name.startswith("."):
        raise PhospheneError(f"a figure is called {name!r}; give it a plain file name")


def _make(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PhospheneError(f"{(error.strerror or str(error)).lower()}; give another") from error


def _write_png(data: bytes, path: Path) -> None:
    def check(back: bytes) -> None:
        if back != data:
            raise PhospheneError("the disk returns something else than was written; check it")

    with naming(f"can't write {path}"):
        write(data, path, check)
