"""Figures of a probe as PNG, for papers and slides: what the page shows, without the hovering."""

from __future__ import annotations

import io
import textwrap
from typing import Any

import numpy as np

from phosphene.probe import Figure, Heat, Lines, Strip, Thoughts
from phosphene.report.heat import short
from phosphene.report.scale import Scale, colours
from phosphene.report.strip import SIGNS

DPI = 160
INK, SOFT, RULE = "#1c1c22", "#6b6b78", "#e4e1da"
SERIES = ("#3a6fd8", "#d1583a", "#2c9a72", "#8a55c8", "#b08a12", "#c24a88")
MARKERS = ("o", "s", "^", "D", "v", "P")
FRAMES = {"right": "#1f8a4c", "wrong": "#c0392b", "unread": "#a86a10"}


def png(figure: Figure) -> bytes:
    """The figure on white, `DPI` dots an inch."""
    from matplotlib.figure import Figure as Sheet

    # The picture is as large as what it shows; its own text is part of it.
    sheet = Sheet(layout="constrained", facecolor="white")
    if isinstance(figure, Heat):
        _heat(sheet, figure)
    elif isinstance(figure, Lines):
        _lines(sheet, figure)
    elif isinstance(figure, Thoughts):
        _thoughts(sheet, figure)
    else:
        _strip(sheet, figure)
    sheet.suptitle(figure.title, fontsize=11, color=INK, fontweight="bold")
    data = io.BytesIO()
    sheet.savefig(data, format="png", dpi=DPI)
    return data.getvalue()


def _heat(sheet: Any, heat: Heat) -> None:
    from matplotlib.colors import ListedColormap

    panels = len(heat.panels)
    across = min(panels, 3 if panels <= 9 else 5)
    down = -(-panels // across)
    slant = 0.07 * max((len(short(str(n))) for n in heat.x), default=0) if _slanted(heat) else 0
    wide = min(max(0.42 * len(heat.x), 2.4), 9.0 / across + 1)
    tall = min(max(0.28 * len(heat.y), 1.8), 6.5 if down == 1 else 3.2)
    sheet.set_size_inches(wide * across + 2.0, (tall + 0.5) * down + 0.8 + slant)
    axes = sheet.subplots(down, across, squeeze=False, sharex=True, sharey=True)
    scale = Scale.of(heat)
    ends = {"vmin": scale.null - scale.reach, "vmax": scale.null + scale.reach}
    drawn = None
    for i, ax in enumerate(axes.flat):
        if i >= panels:
            ax.set_axis_off()
            continue
        drawn = ax.imshow(heat.values[i], cmap=ListedColormap(colours()), aspect="auto", **ends)
        ax.set_title(heat.panels[i], fontsize=8, color=INK, loc="left")
        _names(ax, heat)
        if heat.marks is not None:
            y, x = np.nonzero(heat.marks[i])
            ax.plot(x, y, "o", ms=3.6, mfc="white", mec="black", mew=0.7)
    if drawn is not None:
        bar = sheet.colorbar(drawn, ax=axes, shrink=0.9, aspect=28, pad=0.02)
        bar.ax.set_ylim(scale.low, scale.high if scale.high > scale.low else scale.low + 1)
        bar.ax.axhline(scale.null, color=INK, lw=0.8, ls="--")
        said = textwrap.wrap(f"{heat.unit} (dashed: null)".strip(), max(18, int(14 * tall * down)))
        bar.set_label("\n".join(said), fontsize=8)
        bar.ax.tick_params(labelsize=7)
        bar.outline.set_visible(False)
    sheet.supxlabel(heat.x_label, fontsize=9, color=SOFT)
    sheet.supylabel(heat.y_label, fontsize=9, color=SOFT)


def _names(ax: Any, heat: Heat) -> None:
    """Names along both axes, as many as have room."""
    for axis, held, room in ((ax.xaxis, heat.x, 16), (ax.yaxis, heat.y, 24)):
        places = range(0, len(held), -(-len(held) // room) if held else 1)
        axis.set_ticks(list(places), [short(str(held[k])) for k in places])
    ax.tick_params(length=0, labelsize=7, colors=INK)
    if _slanted(heat):
        for label in ax.get_xticklabels():
            label.set(rotation=40, ha="right", rotation_mode="anchor")
    for side in ax.spines.values():
        side.set_visible(False)


def _slanted(heat: Heat) -> bool:
    return any(len(str(n)) > 4 for n in heat.x)


def _lines(sheet: Any, lines: Lines) -> None:
    sheet.set_size_inches(6.4, 3.9)
    ax = sheet.subplots()
    for i, (name, held) in enumerate(lines.series.items()):
        value, low, high = np.asarray(held, float)
        look = {"color": SERIES[i % len(SERIES)], "label": name}
        x = np.asarray(lines.x, float)
        ax.fill_between(x, low, high, color=look["color"], alpha=0.13, lw=0)
        ax.plot(x, value, marker=MARKERS[i % len(MARKERS)], ms=4.5, lw=1.7, **look)
        if len(x) == 1:
            ax.vlines(x, low, high, color=look["color"])
    if lines.null is not None:
        ax.axhline(lines.null, color=INK, lw=0.9, ls="--", label="null")
    ax.set_xlabel(lines.x_label, fontsize=9, color=SOFT)
    ax.set_ylabel(lines.y_label, fontsize=9, color=SOFT)
    ax.grid(axis="y", color=RULE)
    ax.set_axisbelow(True)
    ax.tick_params(length=0, labelsize=8, colors=INK)
    for side in ax.spines.values():
        side.set_visible(False)
    sheet.legend(fontsize=8, frameon=False, loc="outside lower center", ncols=3)


def _strip(sheet: Any, strip: Strip) -> None:
    from matplotlib.patches import Rectangle

    columns = max((len(pictures) for _, pictures in strip.rows), default=1)
    sheet.set_size_inches(min(0.95 * columns, 20) + 0.3, 1.3 * len(strip.rows) + 0.7)
    ax = sheet.subplots()
    for j, (label, pictures) in enumerate(strip.rows):
        top = 1.42 * j
        ax.text(0, top - 0.06, label, fontsize=8, color=INK, fontweight="bold", va="bottom")
        for i, (caption, picture, right) in enumerate(pictures):
            style, sign = SIGNS[None if right is None else bool(right)]
            x = 1.08 * i
            ax.imshow(picture, extent=(x, x + 1, top + 1, top), interpolation="nearest")
            ax.add_patch(Rectangle((x, top), 1, 1, fill=False, ec=FRAMES[style], lw=2.2))
            # The sign is in DejaVu, which matplotlib carries.
            badge = {"boxstyle": "square,pad=0.15", "fc": FRAMES[style], "lw": 0}
            ax.text(x + 0.97, top + 0.1, sign, color="white", fontsize=7, ha="right", bbox=badge)
            ax.text(x + 0.5, top + 1.03, caption, fontsize=7, color=SOFT, ha="center", va="top")
    ax.set_xlim(-0.05, 1.08 * columns)
    ax.set_ylim(1.42 * len(strip.rows) - 0.2, -0.25)
    ax.set_aspect("equal")
    ax.set_axis_off()


def _thoughts(sheet: Any, held: Thoughts) -> None:
    """A row a chain: bars of each thought's readings, those of named values in green."""
    columns = max((len(c.thoughts) for c in held.chains), default=1)
    sheet.set_size_inches(1.9 * columns + 0.4, 1.7 * max(len(held.chains), 1) + 0.6)
    axes = sheet.subplots(max(len(held.chains), 1), columns, squeeze=False)
    for ax in axes.flat:
        ax.set_axis_off()
    for row, chain in zip(axes, held.chains, strict=False):
        sign = SIGNS[chain.right][1]
        for ax, thought in zip(row, chain.thoughts, strict=False):
            for i, (word, share, value) in enumerate(thought.words):
                colour = FRAMES["right"] if value else SERIES[0]
                ax.barh(i, share, color=colour, alpha=0.45)
                name = f"{word} = {value}" if value else word
                ax.text(0.01, i, name, fontsize=7, va="center", color=INK)
            ax.set_xlim(0, 1)
            ax.set_ylim(len(thought.words) - 0.4, -0.6)
            first = thought is chain.thoughts[0]
            said = (
                f"{sign} said {chain.said or 'nothing'}, wanted {chain.wanted}\n" if first else "\n"
            )
            ax.set_title(said + thought.name, fontsize=7, color=SOFT, loc="left")
