"""Curves and bars as inline SVG, in the page's own colours, for light, dark and paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from phosphene.statistics import Interval

WIDTH, HEIGHT = 360, 220
LEFT, RIGHT, TOP, BOTTOM = 36, 12, 10, 44


@dataclass(frozen=True)
class Line:
    """One line of a chart.

    Args:
        label: what it shows, for its title.
        style: its class in the page's style sheet.
        points: level -> share.
    """

    label: str
    style: str
    points: Mapping[int, Interval]


def curve(levels: Mapping[int, str], lines: Sequence[Line], title: str) -> str:
    """Share against difficulty, with whiskers; lines at one level stand side by side.

    Args:
        levels: level -> its name under the axis, easiest first.
        lines: what to draw.
        title: for those who can't see it.
    """
    places = {level: i for i, level in enumerate(levels)}
    parts = [_grid(list(levels.values()))]
    for i, line in enumerate(lines):
        aside = (i - (len(lines) - 1) / 2) * 5
        spots = [
            (_x(places[level], len(places)) + aside, interval)
            for level, interval in sorted(line.points.items())
            if level in places
        ]
        path = " ".join(f"{x:.1f},{_y(v.share):.1f}" for x, v in spots)
        marks = "".join(_mark(x, v, line.label) for x, v in spots)
        parts.append(f'<g class="{line.style}"><polyline points="{path}"/>{marks}</g>')
    return (
        f'<svg class="curve" viewBox="0 0 {WIDTH} {HEIGHT}" role="img" '
        f'aria-label="{escape(title)}">{"".join(parts)}</svg>'
    )


def bar(interval: Interval, floors: Mapping[str, float]) -> str:
    """A share on a line from nothing to everything, its interval, and a tick at each floor."""
    ticks = "".join(
        f'<line class="floor" x1="{100 * share:.1f}" x2="{100 * share:.1f}" y1="1" y2="15">'
        f"<title>{escape(name)} {share:.0%}</title></line>"
        for name, share in floors.items()
    )
    low, high, share = 100 * interval.low, 100 * interval.high, 100 * interval.share
    return (
        '<svg class="bar" viewBox="-3 0 106 16" aria-hidden="true">'
        f'<rect class="all" x="0" y="6" width="100" height="4" rx="2"/>{ticks}'
        f'<rect class="range" x="{low:.1f}" y="5" width="{max(high - low, 0.5):.1f}" height="6" '
        f'rx="2"/><circle cx="{share:.1f}" cy="8" r="3"/></svg>'
    )


def _grid(names: Sequence[str]) -> str:
    rules = "".join(
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{_y(s):.1f}" y2="{_y(s):.1f}"/>'
        f'<text class="axis" x="{LEFT - 5}" y="{_y(s) + 3:.1f}" text-anchor="end">{s:.0%}</text>'
        for s in (0, 0.25, 0.5, 0.75, 1)
    )
    room = int((WIDTH - LEFT - RIGHT) / max(len(names), 1) / 5)
    rows = 1 if room >= 6 else 2  # where names would touch, every other one stands lower
    room *= rows
    return rules + "".join(
        f'<text class="axis" text-anchor="middle" y="{HEIGHT - BOTTOM + 14 + i % rows * 11}">'
        + "".join(
            f'<tspan x="{_x(i, len(names)):.1f}" dy="{11 if k else 0}">{escape(word)}</tspan>'
            for k, word in enumerate(_wrap(name, max(room, 4)))
        )
        + f"<title>{escape(name)}</title></text>"
        for i, name in enumerate(names)
    )


def _wrap(name: str, room: int) -> list[str]:
    """A name on at most three lines of `room` letters, broken after commas."""
    pieces = [
        piece if len(piece) <= room else piece[: room - 1] + "…" for piece in name.split(", ")
    ]
    return pieces if len(pieces) <= 3 else [*pieces[:2], "…"]


def _mark(x: float, v: Interval, label: str) -> str:
    return (
        f'<line class="whisker" x1="{x:.1f}" x2="{x:.1f}" y1="{_y(v.low):.1f}" '
        f'y2="{_y(v.high):.1f}"/><circle cx="{x:.1f}" cy="{_y(v.share):.1f}" r="3">'
        f"<title>{escape(label)}: {escape(v.brief())}, n = {v.n}</title></circle>"
    )


def _x(place: int, n: int) -> float:
    return LEFT + (place + 0.5) * (WIDTH - LEFT - RIGHT) / n


def _y(share: float) -> float:
    return TOP + (1 - share) * (HEIGHT - TOP - BOTTOM)
