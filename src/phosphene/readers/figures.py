"""Figures read: which of all the figures that can be drawn is in a panel, and is that clear?"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image
from scipy import ndimage

from phosphene.figures import (
    APART,
    CORNERS,
    COUNTABLE,
    COUNTED,
    PLACED,
    SHAPES,
    SIZES,
    Box,
    Figure,
    Mode,
    edges,
    figure,
    looks,
    stamp,
)
from phosphene.readers.added import added_ink
from phosphene.readers.ink import drawn

GRID = 20  # side of the raster on which shapes are compared
SPAN = 2.3  # half its extent, in root-mean-square radii of the shape
FIT, CLEAR = 0.78, 0.015  # least likeness of the best look, and its lead over another
SPECK = 0.12  # share of the largest piece under which a piece is a speck
THICKER = 0.7  # pixels of 64 that a radius may grow more than shrink, in other strokes
OFF = 0.17  # furthest from its place, share of the panel's side
THINNEST = 0.55
SOLID = 0.8  # least solidity of a figure
PATCHES = 9  # pieces beyond which nobody could have meant copies of a figure


def read_panel(
    frames: np.ndarray,
    first: np.ndarray,
    box: Box,
    mode: Mode,
    inks: np.ndarray,
    sizes: Sequence[int],
) -> list[tuple[Figure | None, str]]:
    """The figure drawn into a panel that was empty in the first frame, in every picture.

    Args:
        frames: uint8 `(n, s, s, 3)`.
        first: uint8 `(s, s, 3)`.
        box: the panel.
        mode: how its figures are laid out.
        inks: float32 `(k, 3)`, the colours there are.
        sizes: the sizes that are told apart; any is taken for the nearest of them.

    Returns:
        For each frame the figure and why it can't be read: (None, "") where nothing is drawn.
    """
    size = len(first)
    left, top, right, bottom = edges(box, size)
    inset = max(round(size / 64), 1)
    area = (slice(top + inset, bottom - inset), slice(left + inset, right - inset))
    ink = added_ink(frames, first)[:, area[0], area[1]]
    paper = np.median(first[area], (0, 1)).astype(np.float32)
    return [
        _read(a, f[area], mode, inks, sizes, paper, size) for a, f in zip(ink, frames, strict=True)
    ]


def altered_panels(
    frames: np.ndarray,
    first: np.ndarray,
    boxes: list[Box],
    given: list[Figure],
    mode: Mode,
    inks: np.ndarray,
    paper: np.ndarray,
) -> list[tuple[str, ...]]:
    """For each frame the given panels that clearly show another figure than they did, in words.

    Args:
        boxes, given: the panels that held a figure in the first frame, and which.
        paper: float32 `(3,)`, what lies under the figures.
    """
    size = len(first)
    blank = np.broadcast_to(np.rint(paper).clip(0, 255).astype(np.uint8), first.shape)
    out: list[list[str]] = [[] for _ in frames]
    for number, (box, was) in enumerate(zip(boxes, given, strict=True), 1):
        left, top, right, bottom = edges(box, size)
        part = (slice(top, bottom), slice(left, right))
        # Reading is dear; a panel whose pixels are as they were shows what it did.
        moved = drawn(frames[(slice(None), *part)], first[part]) >= 1
        for k in np.flatnonzero(moved.mean((1, 2)) > 0.004):
            ((fig, _),) = read_panel(frames[k : k + 1], blank, box, mode, inks, [was["size"]])
            if fig is not None and fig != was:
                out[k].append(f"panel {number}")
    return [tuple(names) for names in out]


def _read(
    ink: np.ndarray,
    picture: np.ndarray,
    mode: Mode,
    inks: np.ndarray,
    sizes: Sequence[int],
    paper: np.ndarray,
    size: int,
) -> tuple[Figure | None, str]:
    pieces = _pieces(ink, size)
    if not pieces:
        return None, ""
    if len(pieces) > (4 if mode == "counted" else 1):
        return None, f"{len(pieces)} figures are drawn"
    side = len(ink) + 2 * max(round(size / 64), 1)
    if min(map(_solidity, pieces)) < SOLID:
        return None, "no clear figure"
    found = [_moments(p) for p in pieces]
    likeness = np.mean([_likeness(p, m) for p, m in zip(pieces, found, strict=True)], 0)
    if mode == "counted":
        likeness = np.where([shape in COUNTABLE for shape, _, _ in NAMES], likeness, -1)
    shape, turn, mirror = NAMES[int(likeness.argmax())]
    lead = likeness.max() - np.delete(likeness, likeness.argmax()).max()
    if likeness.max() < FIT or lead < CLEAR:
        return None, "no clear figure"
    colours = [_colour(p, picture, inks, paper) for p in pieces]
    if min(colours) < 0 or len(set(colours)) > 1:
        return None, "no clear colour"
    radii = [_radius(p, m, shape) / side for p, m in zip(pieces, found, strict=True)]
    spread = max(radii) / min(radii)
    if spread > 1.5:
        return None, "figures of unlike sizes"
    middles = [((x + 0.5) / len(ink) - 0.5, (y + 0.5) / len(ink) - 0.5) for x, y, _ in found]
    level, place = 2, 0
    if mode == "one":
        level = _level(radii[0], 64 * side / size, sizes)
        if max(abs(v) for v in middles[0]) > OFF:
            return None, "the figure is off the panel's middle"
    elif mode == "placed":
        away = np.hypot(*(np.array(CORNERS) * APART - middles[0]).T)
        place = int(away.argmin())
        if away[place] > OFF:
            return None, "the figure is in no clear place"
    expected = {"one": SIZES[level], "placed": PLACED, "counted": COUNTED}[mode]
    if not 0.6 < np.median(radii) / expected < 1.6:
        return None, "a figure of no known size"
    return figure(shape, colours[0], level, turn, mirror, len(pieces), place), ""


def _level(radius: float, side: float, sizes: Sequence[int]) -> int:
    """Which of `sizes`; thicker strokes add more than thinner ones take away, hence the bias."""
    radii = np.array([SIZES[k] for k in sorted(sizes)])
    between = (radii[1:] + radii[:-1]) / 2 + THICKER / side
    return sorted(sizes)[int((radius > between).sum())]


def _radius(ink: np.ndarray, moments: tuple[float, float, float], shape: str) -> float:
    """Half the extent of a piece in pixels, of two measures that blur moves opposite ways."""
    spread, extent = _unit(shape)
    rows, columns = np.flatnonzero((ink > 0.5).any(1)), np.flatnonzero((ink > 0.5).any(0))
    longest = max(np.ptp(rows), np.ptp(columns)) + 1
    return float(np.sqrt(moments[2] / spread * longest / extent))


def _pieces(ink: np.ndarray, size: int) -> list[np.ndarray]:
    """The ink `(h, w)` of each connected piece, specks left out."""
    labels, count = ndimage.label(ink > 0.5, np.ones((3, 3)))  # type: ignore[misc]
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    least = max(SPECK * areas.max(initial=0), 6 * (size / 64) ** 2)
    large = [i + 1 for i in np.flatnonzero(areas >= least)]
    if not large or len(large) > PATCHES:
        return [ink] * min(len(large), PATCHES)
    # Each pixel of an edge goes with the piece it touches.
    near = ndimage.grey_dilation(np.where(np.isin(labels, large), labels, 0), size=(3, 3))
    return [np.where(near == i, ink, 0) for i in large]


def _solidity(ink: np.ndarray) -> float:
    """Share of a piece that is ink once its gaps are closed: low for scribbles and noise."""
    there = ink > 0.5
    closed = ndimage.binary_closing(np.pad(there, 1), np.ones((3, 3)))
    whole = np.asarray(ndimage.binary_fill_holes(closed))
    return float(there.sum() / max(whole.sum(), 1))


def _moments(ink: np.ndarray) -> tuple[float, float, float]:
    """Centre x, y and root-mean-square radius in pixels."""
    y, x = np.mgrid[: ink.shape[0], : ink.shape[1]]
    mass = ink.sum()
    cx, cy = float((ink * x).sum() / mass), float((ink * y).sum() / mass)
    return cx, cy, float(np.sqrt((ink * ((x - cx) ** 2 + (y - cy) ** 2)).sum() / mass))


def _raster(ink: np.ndarray, moments: tuple[float, float, float]) -> np.ndarray:
    """The piece centred and scaled to a common radius: zero-mean, unit-norm `(GRID * GRID,)`."""
    x, y, radius = moments
    reach = max(radius, 0.5) * SPAN
    pad = int(np.ceil(reach)) + 1
    image = Image.fromarray(np.pad(ink.astype(np.float32), pad))
    x, y = x + 0.5 + pad, y + 0.5 + pad
    window = (x - reach, y - reach, x + reach, y + reach)
    raster = np.asarray(image.resize((GRID, GRID), Image.Resampling.BILINEAR, box=window))
    vector = raster.ravel() - raster.mean()
    return vector / max(float(np.linalg.norm(vector)), 1e-6)


def _likeness(ink: np.ndarray, moments: tuple[float, float, float]) -> np.ndarray:
    """How well each look fits, -1..1, over thin, plain and thick strokes: `(looks,)`."""
    return (_templates() @ _raster(ink, moments)).max(1)


NAMES = [(shape, turn, mirror) for shape in SHAPES for turn, mirror in looks(shape)]


@cache
def _templates() -> np.ndarray:
    """`(looks, variants, GRID * GRID)`: every look, sharp, blurred, thinner and thicker."""
    out = []
    for shape, turn, mirror in NAMES:
        plain = np.pad(stamp(shape, turn, mirror, 24.0), 8)
        soft = [ndimage.gaussian_filter(plain, sigma) for sigma in (3.5, 6.0)]
        thick, thin = ndimage.grey_dilation(plain, (7, 7)), ndimage.grey_erosion(plain, (4, 4))
        views = (plain, *soft, thick, thin)
        out.append([_raster(v, _moments(v)) for v in views])
    return np.array(out, np.float32)


@cache
def _unit(shape: str) -> tuple[float, float]:
    """Root-mean-square radius and longest extent of a shape whose half extent is 1."""
    plain = np.pad(stamp(shape, 0, False, 24.0), 2)
    points = np.array(SHAPES[shape])
    return _moments(plain)[2] / 24, float(np.ptp(points, axis=0).max())


def _colour(ink: np.ndarray, picture: np.ndarray, inks: np.ndarray, paper: np.ndarray) -> int:
    """Which ink a piece is painted in, from its inner half; -1 where that is not clear.

    Paint may be as thin as `THINNEST` of the ink's strength: codecs wash small pieces out.
    """
    depth = ndimage.distance_transform_edt(ink > 0.5)
    assert isinstance(depth, np.ndarray)
    inner = depth >= max(np.quantile(depth[depth > 0], 0.6), 1)
    seen = np.median(picture[inner].astype(np.float32), 0) - paper
    axes = inks - paper
    strength = np.clip(axes @ seen / (axes**2).sum(1), THINNEST, 1)
    away = np.linalg.norm(seen - strength[:, None] * axes, axis=1)
    best, second = np.sort(away)[:2]
    return int(away.argmin()) if best < 90 and second > 1.25 * best else -1
