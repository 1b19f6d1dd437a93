"""Sheets: the numbers behind a figure, a line each, for spreadsheets."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from phosphene.probe import Figure, Heat, Lines, Strip, Thoughts
from phosphene.report.strip import SIGNS


def rows(figure: Figure) -> list[dict[str, Any]]:
    """What a figure shows: a row for each cell, point or picture; same keys in every row."""
    if isinstance(figure, Heat):
        return list(_cells(figure))
    if isinstance(figure, Thoughts):
        return list(_readings(figure))
    return list(_points(figure)) if isinstance(figure, Lines) else list(_pictures(figure))


def sheet(held: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV with a head; what is no finite number is left empty.

    Args:
        held: rows; a key that one lacks is left empty there.
    """
    names = list(dict.fromkeys(name for row in held for name in row))
    out = io.StringIO()
    writer = csv.DictWriter(out, names, lineterminator="\n")
    writer.writeheader()
    writer.writerows({k: _plain(v) for k, v in row.items()} for row in held)
    return out.getvalue()


def _cells(heat: Heat) -> Iterator[dict[str, Any]]:
    for at, value in np.ndenumerate(heat.values):
        row = {
            "panel": heat.panels[at[0]],
            heat.y_label: heat.y[at[1]],
            heat.x_label: heat.x[at[2]],
        }
        row |= {"value": value}
        for name in ("low", "high", "marks", "notes"):
            if (held := getattr(heat, name)) is not None:
                row[{"marks": "holds", "notes": "note"}.get(name, name)] = held.item(at)
        yield row | {"null": heat.null, "unit": heat.unit}


def _points(lines: Lines) -> Iterator[dict[str, Any]]:
    for name, held in lines.series.items():
        for i, x in enumerate(lines.x):
            value, low, high = (float(v[i]) for v in np.asarray(held))
            point = {"series": name, lines.x_label: x, "value": value, "low": low, "high": high}
            yield point | {"null": lines.null}


def _pictures(strip: Strip) -> Iterator[dict[str, Any]]:
    for label, pictures in strip.rows:
        for place, (caption, _, right) in enumerate(pictures):
            style = SIGNS[None if right is None else bool(right)][0]
            yield {"row": label, "place": place, "caption": caption, "shows": style}


def _readings(thoughts: Thoughts) -> Iterator[dict[str, Any]]:
    for number, chain in enumerate(thoughts.chains):
        for thought in chain.thoughts:
            for rank, (word, share, value) in enumerate(thought.words, 1):
                yield {
                    "problem": number,
                    "question": chain.question,
                    "wanted": chain.wanted,
                    "said": chain.said,
                    "right": chain.right,
                    "place": thought.name,
                    "rank": rank,
                    "word": word,
                    "share": share,
                    "value": value,
                }


def _plain(value: Any) -> Any:
    """A cell's text; lists and the like as they print."""
    if isinstance(value, np.generic):
        value = value.item()
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return ""
    return value
