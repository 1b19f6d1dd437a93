"""Plots of a training run: one HTML file, losses and accuracies over the examples seen."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, NamedTuple

from phosphene.media.disk import write_text
from phosphene.statistics import wilson

WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 220, 44, 12, 12, 26
POINTS = 300  # most of a line; longer ones are averaged


class Point(NamedTuple):
    """A value and the range it may lie in, after so many examples."""

    samples: float
    value: float
    low: float
    high: float


Lines = Mapping[str, Sequence[Point]]

STYLE = """
:root { color-scheme: light dark; --ink: #1c2330; --faint: #8a93a3; --rule: #e3e6ec;
  --paper: #fcfcfd; --card: #ffffff; --a: #2f6fde; --b: #d9772b; --c: #3a9a6b; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --faint: #8f98a8; --rule: #2c323d;
  --paper: #14171c; --card: #1b1f26; --a: #7aa7ff; --b: #f0a365; --c: #6fcf9c; } }
body { font: 15px/1.5 system-ui, sans-serif; color: var(--ink); background: var(--paper);
  margin: 0 auto; max-width: 1360px; padding: 28px 20px 60px; }
h1 { font-size: 26px; margin: 0 0 2px; } h2 { font-size: 18px; margin: 34px 0 10px; }
p { margin: 0 0 10px; color: var(--faint); }
.grid { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 14px; }
figure { margin: 0; padding: 12px 12px 6px; background: var(--card); border: 1px solid var(--rule);
  border-radius: 8px; }
figcaption { font-weight: 600; } figcaption small { font-weight: 400; color: var(--faint); }
svg { width: 100%; height: auto; display: block; } text { font-size: 11px; fill: var(--faint); }
.rule { stroke: var(--rule); } .stage { stroke: var(--faint); stroke-dasharray: 2 4; }
polyline { fill: none; stroke-width: 1.8; stroke-linejoin: round; } .band { opacity: 0.16; }
.s0 { stroke: var(--a); } .s1 { stroke: var(--b); } .s2 { stroke: var(--c); }
.f0 { fill: var(--a); } .f1 { fill: var(--b); } .f2 { fill: var(--c); }
.key0 { color: var(--a); } .key1 { color: var(--b); } .key2 { color: var(--c); }
"""


def write_plots(path: Path, records: Sequence[Mapping[str, Any]], ends: Sequence[int]) -> Path:
    """Draw a run's log.

    Args:
        path: of the page.
        records: of the log, in order.
        ends: the examples after which the stages end; the last one is where the axes end.
    """
    steps = [r for r in records if "loss" in r]
    exams = [r for r in records if "exam" in r]
    axis = (max(float(ends[-1]), 1.0), [float(end) for end in ends[:-1]])
    losses = {name: _series(steps, name) for name in ("loss", "picture", "sound")}
    pace = {"examples a second": _series(steps, "samples_per_s")}
    used = {"MFU": _series(steps, "mfu")}
    charts = [
        _figure("loss", "sound unweighted", losses, axis, log=True),
        _figure("speed", "examples a second", pace, axis),
        _figure("MFU", "share of the device's peak arithmetic", used, axis, percent=True),
    ]
    # A later stage may examine other families, or the same ones harder.
    families = list(dict.fromkeys(name for r in exams for name in r["exam"]))
    unseen = {name for r in exams for name in r.get("unseen", [])}
    marks = [
        _figure(
            name,
            "rule never shown" if name in unseen else "",
            {split: _shares(exams, name, split) for split in ("train", "test")},
            axis,
            top=1.0,
            percent=True,
        )
        for name in families
    ]
    html = (
        '<!doctype html><html lang="en"><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><title>Ember in training</title>'
        f"<style>{STYLE}</style><h1>Ember in training</h1><p>{escape(_summary(steps))}</p>"
        f'<div class="grid">{"".join(charts)}</div>'
        + (
            "<h2>Problems solved</h2><p>Judged by the tasks' scorers on fresh problems of the "
            "training split and held-out ones, with 95 % Wilson intervals. Dotted lines: a new "
            f'stage begins.</p><div class="grid">{"".join(marks)}</div>'
            if marks
            else ""
        )
        + "</html>"
    )
    write_text(html, path)
    return path


def _summary(steps: Sequence[Mapping[str, Any]]) -> str:
    if not steps:
        return "no step is logged yet"
    last = steps[-1]
    return (
        f"{last['samples']:,} examples seen; loss {last['loss']:.4g}; "
        f"{last['samples_per_s']:,.0f} examples a second, {last.get('mfu', 0):.1%} of the peak"
    )


def _series(steps: Sequence[Mapping[str, Any]], name: str) -> list[Point]:
    """Values over examples, neighbours averaged where there are too many; ranges are of those."""
    kept = [r for r in steps if name in r]
    group = max(1, math.ceil(len(kept) / POINTS))
    out = []
    for i in range(0, len(kept), group):
        part = kept[i : i + group]
        values = [float(r[name]) for r in part]
        mean = sum(values) / len(values)
        out.append(Point(part[-1]["samples"], mean, min(values), max(values)))
    return out


def _shares(exams: Sequence[Mapping[str, Any]], family: str, split: str) -> list[Point]:
    out = []
    for r in exams:
        if family in r["exam"]:
            share = wilson(round(r["exam"][family][split] * r["clips"]), r["clips"])
            out.append(Point(r["samples"], share.share, share.low, share.high))
    return out


@dataclass(frozen=True)
class _Axes:
    """Where values fall in a chart.

    Args:
        end: examples at the right border.
        ticks: values with a rule across, lowest first; the outer ones are the borders.
        log: whether values stand by their logarithms.
    """

    end: float
    ticks: Sequence[float]
    log: bool

    def x(self, samples: float) -> float:
        return LEFT + (WIDTH - LEFT - RIGHT) * samples / self.end

    def y(self, value: float) -> float:
        low, high = self.ticks[0], self.ticks[-1]
        if self.log:
            share = math.log(max(value, low) / low) / math.log(high / low)
        else:
            share = (value - low) / (high - low)
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * share


def _figure(
    title: str,
    note: str,
    lines: Lines,
    axis: tuple[float, list[float]],
    top: float | None = None,
    log: bool = False,
    percent: bool = False,
) -> str:
    """One chart with its key; `axis` is where it ends and where stages begin."""
    highs = [p.high for points in lines.values() for p in points]
    lows = [p.low for points in lines.values() for p in points if p.low > 0]
    if log and lows:
        axes = _Axes(axis[0], _decades(min(lows), max(highs)), True)
    else:
        high = top or _round_up(max(highs, default=1.0))
        axes = _Axes(axis[0], [high * k / 4 for k in range(5)], False)
    parts = [_rule(axes, tick, f"{tick:.0%}" if percent else f"{tick:.3g}") for tick in axes.ticks]
    parts += [
        f'<line class="stage" x1="{axes.x(s):.1f}" x2="{axes.x(s):.1f}" y1="{TOP}" '
        f'y2="{HEIGHT - BOTTOM}"/>'
        for s in axis[1]
    ]
    for k in range(5):
        anchor = "end" if k == 4 else "middle"
        parts.append(
            f'<text x="{axes.x(axis[0] * k / 4):.1f}" y="{HEIGHT - 8}" text-anchor="{anchor}">'
            f"{_count(axis[0] * k / 4)}</text>"
        )
    for i, points in enumerate(lines.values()):
        parts.append(_line(axes, i, points, marked=top is not None))
    key = " ".join(f'<span class="key{i}">● {escape(n)}</span>' for i, n in enumerate(lines))
    words = f"{escape(note)} {key if len(lines) > 1 else ''}".strip()
    return (
        f"<figure><figcaption>{escape(title)} <small>{words}</small></figcaption>"
        f'<svg viewBox="0 0 {WIDTH} {HEIGHT}" role="img" aria-label="{escape(title)} over '
        f'examples">{"".join(parts)}</svg></figure>'
    )


def _rule(axes: _Axes, tick: float, label: str) -> str:
    y = axes.y(tick)
    return (
        f'<line class="rule" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>'
        f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>'
    )


def _line(axes: _Axes, i: int, points: Sequence[Point], marked: bool) -> str:
    """A line with its band, and where it is marked a dot at each value, with its interval."""
    path = " ".join(f"{axes.x(p.samples):.1f},{axes.y(p.value):.1f}" for p in points)
    around = [(p.samples, p.low) for p in points] + [(p.samples, p.high) for p in reversed(points)]
    band = " ".join(f"{axes.x(a):.1f},{axes.y(b):.1f}" for a, b in around)
    dots = "".join(
        f'<circle class="f{i}" cx="{axes.x(p.samples):.1f}" cy="{axes.y(p.value):.1f}" r="2.6">'
        f"<title>{p.value:.0%} [{p.low:.0%}, {p.high:.0%}] after {p.samples:,.0f}</title></circle>"
        for p in points
        if marked
    )
    return (
        f'<polygon class="band f{i}" points="{band}"/>'
        f'<polyline class="s{i}" points="{path}"/>{dots}'
    )


def _decades(low: float, high: float) -> list[float]:
    first, last = math.floor(math.log10(low)), math.ceil(math.log10(high))
    return [10.0**k for k in range(first, max(last, first + 1) + 1)]


def _round_up(value: float) -> float:
    """The next 1, 2, 4 or 8 times a power of ten: quarters of it are easily read."""
    power = 10.0 ** math.floor(math.log10(value)) if value > 0 else 1.0
    return next(k * power for k in (1, 2, 4, 8, 10) if k * power >= value)


def _count(value: float) -> str:
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if value >= size:
            return f"{value / size:.3g}{letter}"
    return f"{value:.0f}"
