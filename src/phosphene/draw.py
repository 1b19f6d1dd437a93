"""Drawing primitives that every task's renderer shares. Arrays in, arrays out."""

from __future__ import annotations

from functools import cache

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from phosphene.assets import asset

FONTS = (
    "DejaVuSansMono.ttf",
    "LiberationSans-Regular.ttf",
    "LiberationSerif-Regular.ttf",
    "LiberationMono-Regular.ttf",
    "ComicNeue-Regular.otf",
)


@cache
def glyph(character: str, font: int, height: int, width: int) -> np.ndarray:
    """Coverage of one character, float32 `(height, width)` in 0..1, centred in its cell.

    Args:
        character: one character.
        font: index into `FONTS`.
        height, width: the cell in pixels; the font's em is the height.
    """
    # Drawn four times too large and averaged down: small glyphs stay smooth and hinting-free.
    scale = 4
    face = ImageFont.truetype(str(asset(f"fonts/{FONTS[font]}")), round(height * scale * 0.95))
    image = Image.new("L", (width * scale, height * scale))
    centre = (width * scale / 2, height * scale * 0.82)
    ImageDraw.Draw(image).text(centre, character, fill=255, font=face, anchor="ms")
    pixels = np.asarray(image, np.float32) / 255
    pixels = pixels.reshape(height, scale, width, scale).mean((1, 3))
    pixels.setflags(write=False)
    return pixels


def blend(picture: np.ndarray, coverage: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Paint `colour` `(3,)` over `picture` `(h, w, 3)` by `coverage` `(h, w)`; float 0..255."""
    return picture + coverage[..., None] * (colour - picture)


def disc(size: int, x: float, y: float, radius: float) -> np.ndarray:
    """Coverage `(size, size)` of an antialiased disc; centre and radius in pixels."""
    return capsule(size, (x, y), (x, y), radius)


def capsule(
    size: int, start: tuple[float, float], end: tuple[float, float], radius: float
) -> np.ndarray:
    """Coverage `(size, size)` of a round-ended stroke from `start` to `end` (x, y in pixels)."""
    coverage = np.zeros((size, size), np.float32)
    # Only the box around the stroke is looked at: a clip is made of many small strokes.
    low = [max(int(min(a, b) - radius - 1), 0) for a, b in zip(start, end, strict=True)]
    high = [int(max(a, b) + radius + 2) for a, b in zip(start, end, strict=True)]
    box = coverage[low[1] : high[1], low[0] : high[0]]
    x = np.arange(low[0], low[0] + box.shape[1], dtype=np.float32)[None, :] + 0.5 - start[0]
    y = np.arange(low[1], low[1] + box.shape[0], dtype=np.float32)[:, None] + 0.5 - start[1]
    dx, dy = end[0] - start[0], end[1] - start[1]
    along = np.clip((x * dx + y * dy) / max(dx * dx + dy * dy, 1e-9), 0, 1)
    box[:] = np.clip(radius - np.hypot(x - along * dx, y - along * dy) + 0.5, 0, 1)
    return coverage


def palette(rng: np.random.Generator, count: int, variety: float) -> np.ndarray:
    """A light paper colour and `count` dark, distinct inks: float32 `(1 + count, 3)`, 0..255.

    At `variety` 0 the paper is white and the inks are black, blue, green, red, in that order; at 1
    hues and lightness are drawn freely, at least 96 levels of contrast kept against the paper.
    """
    base = np.array(
        [[255, 255, 255], [0, 0, 0], [30, 60, 230], [0, 160, 60], [220, 30, 30]], np.float32
    )[: 1 + count]
    if variety <= 0:
        return base
    paper = rng.uniform(215, 255, 3)
    inks = np.clip(base[1:] + rng.uniform(-60, 60, (count, 3)), 0, 215)
    drawn = np.concatenate([paper[None], inks]).astype(np.float32)
    # Shrinks the contrast no further than the promise above.
    limit = paper.mean() - 96
    for ink in drawn[1:]:
        ink -= max(0.0, float(ink.mean()) - limit)
    drawn = np.clip(drawn, 0, 255)
    return base + np.float32(variety) * (drawn - base)


def ink_amount(picture: np.ndarray, paper: np.ndarray, ink: np.ndarray) -> np.ndarray:
    """How far each pixel lies from paper (0) to ink (1): the inverse of `blend`, `(..., h, w)`."""
    axis = ink - paper
    return np.clip((picture - paper) @ axis / (axis @ axis), 0, 1)


def text(string: str, font: int, height: int) -> np.ndarray:
    """Coverage of a line of characters in cells of 10:16, float32 `(height, cells * width)`."""
    width = cell_width(height)
    if not string:
        return np.zeros((height, 0), np.float32)
    return np.concatenate([glyph(c, font, height, width) for c in string], 1)


def cell_width(height: int) -> int:
    """Width in pixels of a character's cell of that height."""
    return max(round(height * 10 / 16), 1)


def place(picture: np.ndarray, coverage: np.ndarray, top: int, left: int, ink: np.ndarray) -> None:
    """Paint `ink` by a smaller `coverage` at (top, left) pixels, in place, cut at the borders."""
    rows, columns = coverage.shape
    y, x = max(top, 0), max(left, 0)
    area = picture[y : max(top + rows, 0), x : max(left + columns, 0)]
    part = coverage[y - top :, x - left :][: area.shape[0], : area.shape[1]]
    area[:] = blend(area, part, ink)


def box(size: int, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    """Coverage `(size, size)` of an upright rectangle with antialiased edges, in pixels."""
    edge = np.arange(size, dtype=np.float32)
    across = np.clip(np.minimum(edge + 1, x1) - np.maximum(edge, x0), 0, 1)
    down = np.clip(np.minimum(edge + 1, y1) - np.maximum(edge, y0), 0, 1)
    return down[:, None] * across[None, :]


def polygon(size: int, points: np.ndarray) -> np.ndarray:
    """Coverage `(size, size)` of a filled polygon; points `(n, 2)` are x, y in pixels."""
    scale = 4
    image = Image.new("L", (size * scale, size * scale))
    ImageDraw.Draw(image).polygon([tuple(p) for p in points * scale - 0.5], fill=255)
    pixels = np.asarray(image, np.float32) / 255
    return pixels.reshape(size, scale, size, scale).mean((1, 3))
