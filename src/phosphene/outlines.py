"""Outlines: plain figures, each around its centre of mass, drawn and compared."""

from __future__ import annotations

from functools import cache, lru_cache

import numpy as np

from phosphene.draw import place, polygon

# Overlap (intersection over union) with its outline that a seen figure needs, and that settles it.
LIKE, SURE = 0.42, 0.72


def _ring(n: int, start: float, radii: tuple[float, ...] = (1.0,)) -> list[tuple[float, float]]:
    """Corners of a regular figure, its first one `start` degrees from the right."""
    angles = np.radians(start + 360 / n * np.arange(n))
    return [
        (radii[i % len(radii)] * np.cos(a), radii[i % len(radii)] * np.sin(a))
        for i, a in enumerate(angles)
    ]


HALF_CROSS = ((-1, -3), (1, -3), (1, -1), (3, -1), (3, 1), (1, 1))
OUTLINES = {
    "circle": _ring(40, 0),
    "square": _ring(4, 45),
    "triangle": _ring(3, -90),
    "star": _ring(10, -90, (1, 0.45)),
    "bar": [(-1, -3), (1, -3), (1, 3), (-1, 3)],
    "cross": [(a * x, a * y) for a in (1, -1) for x, y in HALF_CROSS],
    "L": [(-2, -3), (0, -3), (0, 1), (3, 1), (3, 3), (-2, 3)],
    "T": [(-3, -3), (3, -3), (3, -1), (1, -1), (1, 3), (-1, 3), (-1, -1), (-3, -1)],
    "arrow": [(0, -3), (3, 0), (1, 0), (1, 3), (-1, 3), (-1, 0), (-3, 0)],
    "half": [(np.cos(a), np.sin(a)) for a in np.linspace(0, np.pi, 20)],
}


@cache
def outline(shape: str) -> np.ndarray:
    """Corners `(n, 2)` around the centre of mass, the farthest at distance 1."""
    points = np.array(OUTLINES[shape], np.float64)
    x, y = points.T
    u, v = np.roll(points, -1, 0).T
    cross = x * v - u * y
    centre = np.array([((x + u) * cross).sum(), ((y + v) * cross).sum()]) / (3 * cross.sum())
    points = points - centre
    return points / np.hypot(*points.T).max()


def put(
    picture: np.ndarray,
    shape: str,
    x: float,
    y: float,
    radius: float,
    angle: float,
    ink: np.ndarray,
) -> None:
    """Paint a shape in place; place and radius as shares of the side, angle in degrees."""
    size = len(picture)
    # As fine as the drawing is: pieces at rest, and other clips' pieces, are drawn once.
    down, across = round(4 * y * size), round(4 * x * size)
    cover = _patch(shape, radius * size, down % 4 / 4, across % 4 / 4, round(angle))
    reach = len(cover) // 2 - 1
    place(picture, cover, down // 4 - reach, across // 4 - reach, ink)


@lru_cache(4096)
def _patch(shape: str, radius: float, down: float, across: float, angle: int) -> np.ndarray:
    """Coverage of a shape whose middle lies that far, in pixels, into the patch's middle pixel."""
    reach = int(np.ceil(radius)) + 1
    c, s = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    points = outline(shape) @ np.array([[c, s], [-s, c]]) * radius
    return polygon(2 * reach + 2, points + np.array([reach + across, reach + down]))


@cache
def _mask(shape: str, radius: int) -> np.ndarray:
    """Bool `(2 * radius + 3,) * 2`: an upright shape of that many pixels around the middle."""
    side = 2 * radius + 3
    return polygon(side, outline(shape) * radius + side / 2) > 0.5


@cache
def size_of(shape: str) -> tuple[float, float]:
    """Area, and diagonal of the rectangle with the same spread, of a shape of radius 1."""
    mask = _mask(shape, 60)
    y, x = np.nonzero(mask)
    return len(x) / 60**2, float(np.sqrt(12 * (x.var() + y.var()))) / 60


@cache
def likeness(one: str, other: str) -> float:
    a, b = _mask(one, 60), _mask(other, 60)
    return float((a & b).sum() / (a | b).sum())


def fits(seen: np.ndarray, shape: str, x: float, y: float, radius: float) -> bool:
    """Whether a mask `(s, s)` holds that shape, upright, around (x, y), in shares of the side."""
    like = _overlap(seen, shape, x, y, radius)
    if like < LIKE or like > SURE:
        return like > SURE
    return like > 0.85 * max(_overlap(seen, other, x, y, radius) for other in OUTLINES)


def _overlap(seen: np.ndarray, shape: str, x: float, y: float, radius: float) -> float:
    """Intersection over union of a mask `(s, s)` and an upright shape around (x, y), in shares."""
    size = len(seen)
    cover = _patch(shape, radius * size, y * size % 1 // 0.25 / 4, x * size % 1 // 0.25 / 4, 0)
    reach = len(cover) // 2 - 1
    top, left = int(y * size) - reach, int(x * size) - reach
    part = seen[max(top, 0) : top + len(cover), max(left, 0) : left + len(cover)]
    wanted = cover[max(-top, 0) :, max(-left, 0) :][: part.shape[0], : part.shape[1]] > 0.5
    both = (part & wanted).sum()
    return float(both / max(seen.sum() + (cover > 0.5).sum() - both, 1))
