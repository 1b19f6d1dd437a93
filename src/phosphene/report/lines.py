"""Curves with their intervals over any axis, as inline SVG; hovering in probe.js."""

from __future__ import annotations

import json
from dataclasses import dataclass
from html import escape

import numpy as np

from phosphene.probe import Lines
from phosphene.report.heat import rounded
from phosphene.report.scale import ticks

WIDTH, HEIGHT = 460, 290
LEFT, RIGHT, TOP, BOTTOM = 58, 14, 12, 42
KINDS = 6  # colours; with as many shapes, for eyes that see no colours
_SHAPES = ("M-3.4 0a3.4 3.4 0 1 0 6.8 0a3.4 3.4 0 1 0-6.8 0z", "M-3-3h6v6h-6z")
_SHAPES += ("M0-4.2L4 3.2H-4z", "M0-4.4L4.4 0L0 4.4L-4.4 0z")
_SHAPES += ("M0 4.2L4-3.2H-4z", "M-4-1.3h2.7V-4h2.6v2.7H4v2.6H1.3V4h-2.6V1.3H-4z")


@dataclass(frozen=True)
class _Axes:
    """Ranges of both axes; maps data to px."""

    x: tuple[float, float]
    y: tuple[float, float]

    def across(self, value: float) -> float:
        share = (value - self.x[0]) / (self.x[1] - self.x[0])
        return LEFT + 10 + share * (WIDTH - LEFT - RIGHT - 20)

    def up(self, value: float) -> float:
        share = (value - self.y[0]) / (self.y[1] - self.y[0])
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)


def lines_html(lines: Lines) -> str:
    """The chart, its key, and what hovering needs to know."""
    axes = _axes(lines)
    curves = "".join(_curve(lines, i, name, axes) for i, name in enumerate(lines.series))
    spots = " ".join(f"{axes.across(v):.1f}" for v in lines.x)
    data = {
        "x": [rounded(v) for v in lines.x],
        "label": lines.x_label,
        "null": None if lines.null is None else rounded(lines.null),
        "series": {
            name: [[rounded(v) for v in row] for row in np.asarray(held)]
            for name, held in lines.series.items()
        },
    }
    text = json.dumps(data, ensure_ascii=False, allow_nan=False).replace("<", "\\u003c")
    key = "".join(
        f'<span class="line{i % KINDS}"><svg viewBox="-11 -6 22 12"><path class="stroke" '
        f'd="M-11 0H11"/><path d="{_SHAPES[i % KINDS]}"/></svg><em>{escape(name)}</em></span>'
        for i, name in enumerate(lines.series)
    )
    return (
        f'<div class="panels" data-kind="lines"><script type="application/json">{text}</script>'
        f'<svg class="lines" viewBox="0 0 {WIDTH} {HEIGHT}" tabindex="0" role="img" '
        f'aria-label="{escape(lines.title)}" data-spots="{spots}">{_grid(lines, axes)}{curves}'
        f"{_null(lines, axes)}"
        f'<line class="cursor" y1="{TOP}" y2="{HEIGHT - BOTTOM}" visibility="hidden"/></svg></div>'
        f'<div class="legend">{key}</div>'
    )


def _axes(lines: Lines) -> _Axes:
    x = np.asarray(lines.x, float)
    held = [np.asarray(v, float).ravel() for v in lines.series.values()]
    y = np.concatenate([*held, [] if lines.null is None else [lines.null]])
    return _Axes(_range(x, 0), _range(y[np.isfinite(y)], 0.06))


def _range(values: np.ndarray, room: float) -> tuple[float, float]:
    """From the least to the greatest with some room; never of no width."""
    if not values.size:
        return 0.0, 1.0
    low, high = float(values.min()), float(values.max())
    room = (high - low) * room or (0.5 if low == high else 0.0)
    return low - room, high + room


def _grid(lines: Lines, axes: _Axes) -> str:
    out = []
    for value in ticks(*axes.y):
        y = axes.up(value)
        out.append(
            f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
            f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>'
        )
    few = len(lines.x) <= 12
    for value in lines.x if few else ticks(*axes.x, about=8):
        x = axes.across(value)
        out.append(
            f'<text x="{x:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{value:g}</text>'
        )
    middle = (TOP + HEIGHT - BOTTOM) / 2
    out.append(
        f'<text class="axis" x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 6}" '
        f'text-anchor="middle">{escape(lines.x_label)}</text>'
        f'<text class="axis" transform="rotate(-90 12 {middle})" x="12" y="{middle}" '
        f'text-anchor="middle">{escape(lines.y_label)}</text>'
    )
    return "".join(out)


def _null(lines: Lines, axes: _Axes) -> str:
    if lines.null is None:
        return ""
    y = axes.up(lines.null)
    return (
        f'<line class="null" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text class="null" x="{WIDTH - RIGHT}" y="{y - 5:.1f}" text-anchor="end">'
        f"null {lines.null:.3g}</text>"
    )


def _curve(lines: Lines, place: int, name: str, axes: _Axes) -> str:
    value, low, high = np.asarray(lines.series[name], float)
    there = np.flatnonzero(np.isfinite(value))
    runs = np.split(there, np.flatnonzero(np.diff(there) > 1) + 1) if there.size else []

    def way(points: np.ndarray, of: np.ndarray) -> str:
        held = of.tolist()
        places = ((lines.x[i], held[i]) for i in points.tolist())
        return " ".join(f"{axes.across(x):.1f},{axes.up(y):.1f}" for x, y in places)

    out = []
    for run in runs:
        banded = run[np.isfinite(low[run]) & np.isfinite(high[run])]
        if banded.size > 1:
            out.append(f'<polygon points="{way(banded, high)} {way(banded[::-1], low)}"/>')
        out.append(f'<polyline points="{way(run, value)}"/>')
    for i in there.tolist() if len(there) <= 40 else ():
        x, y = axes.across(lines.x[i]), axes.up(float(value[i]))
        if len(lines.x) == 1 and np.isfinite(low[i]) and np.isfinite(high[i]):
            span = f'x1="{x:.1f}" x2="{x:.1f}" y1="{axes.up(float(low[i])):.1f}"'
            out.append(f'<line class="whisker" {span} y2="{axes.up(float(high[i])):.1f}"/>')
        shape = _SHAPES[place % KINDS]
        out.append(f'<path d="{shape}" transform="translate({x:.1f} {y:.1f})"/>')
    return f'<g class="line{place % KINDS}">{"".join(out)}</g>'
