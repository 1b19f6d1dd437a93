"""Figures: the small bold shapes that analogy and sequence problems are made of, and their panels.

A figure is a JSON-able dict: `shape` (a name), `turn` (quarter turns clockwise) and `mirror`
(flipped left-right before it is turned), `colour` (index into the inks), `size` (index into
`SIZES`), `count` (1..4 copies) and `place` (0..3, clockwise from the upper left).
"""

from __future__ import annotations

from functools import cache
from typing import Any, Literal

import numpy as np
from PIL import Image, ImageDraw

from phosphene.draw import place as put
from phosphene.sound import finish, mix, tone
from phosphene.trace import Mark

Figure = dict[str, Any]
# How a panel is laid out: one figure in its middle, one in a corner, or up to four copies.
Mode = Literal["one", "placed", "counted"]
Box = tuple[float, float, float]  # left, top, side; shares of the picture's side

# Corners in -1..1, x right and y down; no look of one resembles a look of another.
SHAPES: dict[str, list[tuple[float, float]]] = {
    "square": [(-0.9, -0.9), (0.9, -0.9), (0.9, 0.9), (-0.9, 0.9)],
    "triangle": [(0, -1), (1, 0.85), (-1, 0.85)],
    "cross": [
        *((-0.3, -1), (0.3, -1), (0.3, -0.3), (1, -0.3), (1, 0.3), (0.3, 0.3)),
        *((0.3, 1), (-0.3, 1), (-0.3, 0.3), (-1, 0.3), (-1, -0.3), (-0.3, -0.3)),
    ],
    "hourglass": [(-0.85, -1), (0.85, -1), (0.2, 0), (0.85, 1), (-0.85, 1), (-0.2, 0)],
    "arrow": [
        *((0, -1), (0.95, 0), (0.35, 0), (0.35, 1), (-0.35, 1), (-0.35, 0), (-0.95, 0)),
    ],
    "L": [(-0.8, -1), (-0.1, -1), (-0.1, 0.4), (0.85, 0.4), (0.85, 1), (-0.8, 1)],
    "P": [(-0.7, -1), (0.7, -1), (0.7, 0.35), (0, 0.35), (0, 1), (-0.7, 1)],
    "F": [
        *((-0.33, -1), (1, -1), (1, -0.33), (0.33, -0.33), (0.33, 1)),
        *((-0.33, 1), (-0.33, 0.33), (-1, 0.33), (-1, -0.33), (-0.33, -0.33)),
    ],
    "chair": [
        *((-0.85, -1), (-0.3, -1), (-0.3, -0.15), (0.85, -0.15), (0.85, 1), (0.3, 1)),
        *((0.3, 0.45), (-0.3, 0.45), (-0.3, 1), (-0.85, 1)),
    ],
}
CHIRAL = ("L", "P", "F", "chair")  # eight looks each: turned and mirrored
DIRECTED = ("triangle", "arrow", *CHIRAL)  # at least four looks
# Bold enough for small copies.
COUNTABLE = ("square", "triangle", "cross", "hourglass", "arrow", "L")
SIZES = (0.17, 0.26, 0.36, 0.47)  # half the figure's extent, as a share of the panel's side
PLACED, COUNTED = 0.2, 0.185  # the same, in the other two modes
CORNERS = ((-1, -1), (1, -1), (1, 1), (-1, 1))  # clockwise from the upper left
APART = 0.26  # how far corners lie from the middle, as a share of the panel's side
COLOURS = ("red", "blue", "green", "orange", "purple")
INKS = np.array(
    [[220, 30, 40], [30, 70, 230], [20, 150, 60], [250, 160, 20], [150, 40, 190]], np.float32
)
_LINE = np.array([165, 165, 165], np.float32)


def figure(
    shape: str,
    colour: int = 0,
    size: int = 2,
    turn: int = 0,
    mirror: bool = False,
    count: int = 1,
    place: int = 0,
) -> Figure:
    """A figure in its one spelling: of all turns and flips that look alike, the first."""
    turn, mirror = look(shape, turn % 4, mirror)
    return {
        "shape": shape,
        "colour": colour,
        "size": size,
        "turn": turn,
        "mirror": mirror,
        "count": count,
        "place": place,
    }


@cache
def look(shape: str, turn: int, mirror: bool) -> tuple[int, bool]:
    """The first (turn, mirror) that looks like this one."""
    this = stamp(shape, turn, mirror, 12.0)
    for flip in (False, True):
        for quarter in range(4):
            if np.abs(stamp(shape, quarter, flip, 12.0) - this).mean() < 0.02:
                return quarter, flip
    return turn, mirror


def looks(shape: str) -> list[tuple[int, bool]]:
    """Every (turn, mirror) of a shape that looks different, in their one spelling."""
    return sorted({look(shape, t, m) for t in range(4) for m in (False, True)})


def turned(fig: Figure, quarters: int) -> Figure:
    """The figure turned clockwise."""
    return figure(**{**fig, "turn": fig["turn"] + quarters})


def mirrored(fig: Figure, axis: str) -> Figure:
    """The figure flipped left-right (`v`, at an upright line) or top-down (`h`)."""
    # A flip after t quarter turns is the flip before -t; top-down is that and half a turn.
    turn = -fig["turn"] + (2 if axis == "h" else 0)
    return figure(**{**fig, "turn": turn, "mirror": not fig["mirror"]})


@cache
def stamp(shape: str, turn: int, mirror: bool, radius: float) -> np.ndarray:
    """Coverage of a figure in a square just large enough, float32 `(k, k)` in 0..1.

    Args:
        radius: half its extent in pixels.
    """
    side, scale = 2 * int(np.ceil(radius)) + 2, 4
    points = np.array(SHAPES[shape]) * (-1 if mirror else 1, 1)
    for _ in range(turn):
        points = np.stack([-points[:, 1], points[:, 0]], 1)
    image = Image.new("L", (side * scale, side * scale))
    at = points * radius * scale + side * scale / 2 - 0.5
    ImageDraw.Draw(image).polygon([tuple(p) for p in at], fill=255)
    cover = np.asarray(image, np.float32) / 255
    cover = cover.reshape(side, scale, side, scale).mean((1, 3))
    cover.setflags(write=False)
    return cover


def items(fig: Figure, mode: Mode) -> list[tuple[float, float, float]]:
    """Centre x, y and radius of each copy, as shares of the panel's side from its middle."""
    if mode == "one":
        return [(0.0, 0.0, SIZES[fig["size"]])]
    if mode == "placed":
        x, y = CORNERS[fig["place"]]
        return [(x * APART, y * APART, PLACED)]
    spots = {1: ((0, 0),), 2: ((-1, 0), (1, 0)), 3: ((0, -1), (1, 1), (-1, 1)), 4: CORNERS}
    return [(x * APART, y * APART, COUNTED) for x, y in spots[fig["count"]]]


def paint(
    picture: np.ndarray, box: Box, fig: Figure, mode: Mode, inks: np.ndarray, shown: float = 1.0
) -> None:
    """Paint a figure into a panel of `picture` `(s, s, 3)`, in place.

    Args:
        shown: how much of it is there, 0..1: copy after copy, each from left to right.
    """
    size = len(picture)
    left, top, side = (v * size for v in box)
    copies = items(fig, mode)
    for i, (x, y, radius) in enumerate(copies):
        part = min(max(shown * len(copies) - i, 0.0), 1.0)
        if part == 0:
            break
        cover = stamp(fig["shape"], fig["turn"], fig["mirror"], round(radius * side, 2))
        if part < 1:
            cover = cover * np.clip(part * cover.shape[1] - np.arange(cover.shape[1]), 0, 1)
        at = round(left + (0.5 + x) * side - len(cover) / 2)
        put(picture, cover, round(top + (0.5 + y) * side - len(cover) / 2), at, inks[fig["colour"]])


def frame(picture: np.ndarray, box: Box) -> None:
    """Rule a thin line around a panel of `picture` `(s, s, 3)`, in place."""
    size = len(picture)
    left, top, right, bottom = edges(box, size)
    line = max(round(size / 64), 1)
    for rows, columns in (
        (slice(top, top + line), slice(left, right)),
        (slice(bottom - line, bottom), slice(left, right)),
        (slice(top, bottom), slice(left, left + line)),
        (slice(top, bottom), slice(right - line, right)),
    ):
        picture[rows, columns] = _LINE


def edges(box: Box, size: int) -> tuple[int, int, int, int]:
    """Left, top, right and bottom of a panel in pixels."""
    left, top, side = box
    return (
        round(left * size),
        round(top * size),
        round((left + side) * size),
        round((top + side) * size),
    )


def inks(rng: np.random.Generator, variety: float) -> np.ndarray:
    """The inks of `COLOURS`, float32 `(5, 3)`, 0..255; each up to 25 levels off at variety 1."""
    off = rng.uniform(-25, 25, INKS.shape)
    return np.clip(INKS + variety * off, 0, 255).astype(np.float32)


def jingle(fig: Figure, samples: int, rate: int, start: float, length: float) -> np.ndarray:
    """What painting a figure sounds like: a tone a copy; pitch says its colour, then its turn.

    Args:
        samples: length of the track.
        start, length: of the painting, seconds.

    Returns:
        float32 `(1, samples)`.
    """
    track = np.zeros(samples, np.float32)
    beat = length / fig["count"]
    base = 262.0 * 2 ** (2 * fig["colour"] / 12) * 2 ** (1 - fig["size"] / 2)
    steps = 3 * fig["turn"] + 12 * fig["mirror"] + 4 * fig["place"]
    for k in range(fig["count"]):
        for part, pitch in enumerate((base, base * 2 ** (steps / 12))):
            note = tone(round(beat / 2 * rate), rate, pitch)
            mix(track, note, start + (k + part / 2) * beat, rate)
    return finish(track, rate)


def mark(box: Box, fig: Figure) -> Mark:
    """A box around a panel, labelled with what was read in it."""
    left, top, side = box
    return Mark("box", (left, top, left + side, top + side), words(fig))


def words(fig: Figure) -> str:
    """A figure in few words: `2 small red arrow, turned 90, mirrored, lower left`."""
    parts = [str(fig["count"])] if fig["count"] > 1 else []
    parts += [("tiny", "small", "", "large")[fig["size"]], COLOURS[fig["colour"]], fig["shape"]]
    text = " ".join(p for p in parts if p)
    text += f" turned {90 * fig['turn']}" if fig["turn"] else ""
    text += " mirrored" if fig["mirror"] else ""
    corner = ("", "upper right", "lower right", "lower left")[fig["place"]]
    return f"{text} {corner}".strip()
