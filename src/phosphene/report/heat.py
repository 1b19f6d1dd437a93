"""Heat maps as inline SVG: one path a colour, so that large ones stay small; hovering in probe.js.

A panel is drawn in pixels of its own; on a phone it shrinks a little, then scrolls.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from typing import Any

import numpy as np

from phosphene.probe import Heat
from phosphene.report.scale import LEVELS, Scale, brief

LETTER = 6.1  # px, the mean width of a letter of a label
_LONGEST = 22  # letters of a label
_FAR = 7  # levels from the null where a colour asks for text in the paper's colour


@dataclass(frozen=True)
class _Frame:
    """Where a panel's cells lie, in px."""

    left: float
    top: float
    bottom: float
    cell: tuple[float, float]
    size: tuple[int, int]  # columns, rows
    slanted: bool

    @property
    def width(self) -> float:
        return self.left + self.size[0] * self.cell[0] + 10

    @property
    def height(self) -> float:
        return self.top + self.size[1] * self.cell[1] + self.bottom


def heat_html(heat: Heat) -> str:
    """Every panel on one scale, the scale's legend, and what hovering needs to know."""
    scale, frame = Scale.of(heat), _frame(heat)
    panels = "".join(_panel(heat, i, scale, frame) for i in range(len(heat.panels)))
    data = json.dumps(_data(heat), ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    return (
        f'<div class="panels" data-kind="heat"><script type="application/json">{data}</script>'
        f"{panels}</div>{_legend(heat, scale)}"
    )


def _frame(heat: Heat) -> _Frame:
    columns, rows = len(heat.x), len(heat.y)
    wide, tall = (560, 420) if len(heat.panels) == 1 else (240, 200)
    cell = (
        float(np.clip(wide // max(columns, 1), 10, 52)),
        float(np.clip(tall // max(rows, 1), 9, 28)),
    )
    longest = max((len(short(str(name))) for name in heat.x), default=0) * LETTER
    slanted = longest + 6 > cell[0] and not all(_number(name) for name in heat.x)
    left = 26 + max((len(short(str(name))) for name in heat.y), default=0) * LETTER
    if slanted and columns:
        left = max(left, 0.77 * len(short(str(heat.x[0]))) * LETTER + 12 - cell[0] / 2)
    return _Frame(
        left=left,
        top=22.0 if any(heat.panels) else 6.0,
        bottom=36 + (0.6 * longest if slanted else 0),
        cell=cell,
        size=(columns, rows),
        slanted=slanted,
    )


def _panel(heat: Heat, panel: int, scale: Scale, frame: _Frame) -> str:
    values = heat.values[panel]
    w, h = frame.cell
    name = heat.panels[panel]
    inside = w * frame.size[0], h * frame.size[1]
    title = f"{heat.title}{', ' + name if name else ''}: {heat.y_label} by {heat.x_label}"
    heading = f'<text class="name" x="{frame.left:g}" y="13">{escape(name)}</text>' if name else ""
    words = _words(values, scale, frame) if len(heat.panels) == 1 and w >= 34 and h >= 17 else ""
    return (
        f'<svg class="heat" viewBox="0 0 {frame.width:g} {frame.height:g}" tabindex="0" '
        f'style="width:{frame.width:g}px;min-width:{0.78 * frame.width:.0f}px" role="img" '
        f'aria-label="{escape(title)}" data-panel="{panel}" data-box="{frame.left:g} '
        f'{frame.top:g} {w:g} {h:g} {frame.size[0]} {frame.size[1]}">{heading}'
        f'<rect class="blank" x="{frame.left:g}" y="{frame.top:g}" width="{inside[0]:g}" '
        f'height="{inside[1]:g}"/>{_cells(values, scale, frame)}{words}'
        f"{_marks(heat, panel, frame, bool(words))}{_axes(heat, frame)}"
        f'<rect class="here" width="{w:g}" height="{h:g}" visibility="hidden"/></svg>'
    )


def _cells(values: np.ndarray, scale: Scale, frame: _Frame) -> str:
    """A path for each colour."""
    w, h = frame.cell
    gap = 1 if min(w, h) >= 8 else 0
    paths: dict[int, list[str]] = {}
    for row, column in np.argwhere(np.isfinite(values)).tolist():
        x, y = frame.left + column * w, frame.top + row * h
        way = f"M{x:g} {y:g}h{w - gap:g}v{h - gap:g}h-{w - gap:g}z"
        paths.setdefault(scale.level(float(values[row, column])), []).append(way)
    return "".join(f'<path class="d{k}" d="{"".join(way)}"/>' for k, way in sorted(paths.items()))


def _words(values: np.ndarray, scale: Scale, frame: _Frame) -> str:
    """The values themselves, where there is room for them."""
    w, h = frame.cell
    out = []
    for row, column in np.argwhere(np.isfinite(values)).tolist():
        value = float(values[row, column])
        far = abs(scale.level(value) - LEVELS // 2) >= _FAR
        x, y = frame.left + (column + 0.5) * w - 0.5, frame.top + (row + 0.5) * h + 3
        style = "value far" if far else "value"
        text = brief(value, scale.reach)
        out.append(f'<text class="{style}" x="{x:g}" y="{y:g}">{text}</text>')
    return "".join(out)


def _marks(heat: Heat, panel: int, frame: _Frame, aside: bool) -> str:
    """A dot in each cell whose claim stands; in the corner where a value has the middle."""
    if heat.marks is None:
        return ""
    w, h = frame.cell
    r = min(3.2, min(w, h) / 3.2)
    dots = []
    for row, column in np.argwhere(heat.marks[panel]).tolist():
        x = frame.left + (column + 1) * w - r - 2.5 if aside else frame.left + (column + 0.5) * w
        y = frame.top + row * h + r + 1.5 if aside else frame.top + (row + 0.5) * h
        dots.append(f'<circle class="dot" cx="{x - 0.5:g}" cy="{y - 0.5:g}" r="{r:.2g}"/>')
    return "".join(dots)


def _axes(heat: Heat, frame: _Frame) -> str:
    w, h = frame.cell
    columns, rows = frame.size
    bottom = frame.top + rows * h
    out = []
    for i in _shown(heat.x, w, frame.slanted):
        x, text = frame.left + (i + 0.5) * w, escape(short(str(heat.x[i])))
        turn = f' transform="rotate(-40 {x:g} {bottom + 10:g})"' if frame.slanted else ""
        anchor = "end" if frame.slanted else "middle"
        y = bottom + (10 if frame.slanted else 14)
        out.append(f'<text x="{x:g}" y="{y:g}" text-anchor="{anchor}"{turn}>{text}</text>')
    for i in range(0, rows, int(np.ceil(11 / h))):
        y, text = frame.top + (i + 0.5) * h + 3.5, escape(short(str(heat.y[i])))
        out.append(f'<text x="{frame.left - 6:g}" y="{y:g}" text-anchor="end">{text}</text>')
    middle = frame.top + rows * h / 2
    out.append(
        f'<text class="axis" x="{frame.left + columns * w / 2:g}" y="{frame.height - 6:g}" '
        f'text-anchor="middle">{escape(heat.x_label)}</text>'
        f'<text class="axis" transform="rotate(-90 11 {middle:g})" x="11" y="{middle:g}" '
        f'text-anchor="middle">{escape(heat.y_label)}</text>'
    )
    return "".join(out)


def _shown(names: Sequence[str], room: float, slanted: bool) -> range:
    """Which names along x are written: all that have room."""
    need = 13.0 if slanted else max((len(str(n)) for n in names), default=0) * LETTER + 5
    return range(0, len(names), max(1, int(np.ceil(need / room))))


def _legend(heat: Heat, scale: Scale) -> str:
    used = scale.used()
    bars = "".join(f'<i class="d{k}"></i>' for k in used)
    null = 100 * (LEVELS // 2 - used.start + 0.5) / len(used)
    ends = [(0.0, scale.low), (100.0, scale.high)]
    names = [(null, f"null {scale.null:.3g}")]
    names += [(at, brief(v, scale.reach)) for at, v in ends if abs(at - null) > 25]
    labels = "".join(
        f'<span style="left:{at:.0f}%;translate:-{at:.0f}%">{escape(text)}</span>'
        for at, text in names
    )
    said = [escape(heat.unit)] if heat.unit else []
    if heat.marks is not None:
        said.append('<b class="dot"></b>the claim stands')
    if not np.isfinite(heat.values).all():
        said.append('<b class="gap"></b>nothing measured')
    words = "".join(f"<span>{s}</span>" for s in said)
    return (
        f'<div class="legend"><div class="scale"><div class="bars">{bars}</div>'
        f'<div class="labels">{labels}</div></div>{words}</div>'
    )


def _data(heat: Heat) -> dict[str, Any]:
    """What hovering tells: flat lists, panel by panel, row by row."""
    data: dict[str, Any] = {
        "x": [str(n) for n in heat.x],
        "y": [str(n) for n in heat.y],
        "panels": list(heat.panels),
        "labels": [heat.x_label, heat.y_label],
        "unit": heat.unit,
        "null": rounded(heat.null),
        "value": [rounded(v) for v in heat.values.flat],
    }
    for name in ("low", "high"):
        if (held := getattr(heat, name)) is not None:
            data[name] = [rounded(v) for v in held.flat]
    if heat.marks is not None:
        data["marks"] = [int(v) for v in heat.marks.flat]
    if heat.notes is not None:
        data["notes"] = {i: str(v) for i, v in enumerate(heat.notes.flat) if v}
    return data


def rounded(value: float) -> float | None:
    """Three digits; None for what is no number."""
    return float(f"{value:.3g}") if np.isfinite(value) else None


def short(name: str) -> str:
    """A label that leaves room for the picture."""
    return name if len(name) <= _LONGEST else name[: _LONGEST - 1] + "…"


def _number(name: str) -> bool:
    return re.fullmatch(r"[-+]?[\d.]+", str(name)) is not None
