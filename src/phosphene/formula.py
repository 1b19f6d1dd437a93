"""Formulas: LaTeX without TeX, laid out by matplotlib's mathtext, legible when small."""

from __future__ import annotations

from functools import cache, lru_cache
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from phosphene.draw import place
from phosphene.writing import Cell

FAMILIES = ("dejavusans", "stix", "dejavuserif")  # mathtext's, with Unicode fonts
GAP = 0.22  # ems between a numerator and its bar; TeX leaves twice that, which costs size
BASELINE = 0.8  # of a cell's height from its top


class MathFace(NamedTuple):
    """A font file that mathtext chose, at a size in pixels."""

    path: str
    pixels: float

    def coverage(self, character: str, height: int, width: int) -> np.ndarray:
        return _coverage(character, self.path, self.pixels, height, width)

    def cell(self, character: str) -> tuple[int, int]:
        return round(1.1 * self.pixels), int(np.ceil(self.advance(character))) + 2

    def advance(self, character: str) -> float:
        """The distance to the next character, pixels."""
        return _font(self.path, self.pixels * 4).getlength(character) / 4


class Formula(NamedTuple):
    """A formula in place.

    Fields: `cells` with their `face`; `bars` of fractions as (top, left, bottom, right) in pixels;
    `right`, the pixel column behind it.
    """

    cells: tuple[Cell, ...]
    face: MathFace
    bars: tuple[tuple[int, int, int, int], ...]
    right: int


def formula(tex: str, family: int, em: int, left: int, axis: int) -> Formula:
    """Lay a formula out.

    Args:
        tex: LaTeX as mathtext knows it, without dollars.
        family: index into `FAMILIES`.
        em: size of the font in pixels.
        left: pixel column it begins at.
        axis: pixel row of its fractions' bars, or the middle of its signs.
    """
    path, glyphs, rects, wide = _layout(tex, family)
    face, thick = MathFace(path, float(em)), max(round(em / 14), 1)
    # The baseline: signs and bars stand above it.
    base = axis + em * (rects[0][1] + rects[0][3] / 2 if rects else 0.27)
    cells = []
    for character, x, y in glyphs:
        height, width = face.cell(character)
        top = round(base - em * y - BASELINE * height)
        start = round(left + em * x + face.advance(character) / 2 - width / 2)
        cells.append(Cell(character, top, start, height, width))
    bars = []
    for x, y, w, h in rects:
        top = round(base - em * (y + h / 2) - thick / 2)
        bars.append((top, round(left + em * x), top + thick, round(left + em * (x + w))))
    return Formula(tuple(cells), face, tuple(bars), left + int(np.ceil(em * wide)))


@lru_cache(maxsize=4096)
def _layout(tex: str, family: int) -> Any:
    """Font file, glyphs (character, x, y), bars (x, y, width, height) and the width, in ems."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.mathtext import MathTextParser

    em = 100
    font = FontProperties(size=em, math_fontfamily=FAMILIES[family])
    # A pixel is a point at 72 dots an inch.
    parsed = MathTextParser("path").parse(f"${tex}$", 72, font)
    rects = [tuple(float(v) / em for v in rect) for rect in parsed.rects]
    glyphs = []
    for _, _, number, *_, x, y in parsed.glyphs:
        up = float(y) / em
        if rects and up > rects[0][1]:
            up = rects[0][1] + rects[0][3] + GAP
        glyphs.append((chr(number), float(x) / em, up))
    return str(parsed.glyphs[0][0].fname), glyphs, rects, float(parsed.width) / em


def draw_formula(
    picture: np.ndarray, placed: Formula, ink: np.ndarray, shown: float = np.inf
) -> None:
    """Draw onto a picture `(s, s, 3)` in place, the first `shown` marks of it.

    Marks are the characters from the top down, and bars where they come: the numerator's digits,
    the bar, the denominator's.
    """
    marks = [
        (c.top, c.left, placed.face.coverage(c.character, c.height, c.width)) for c in placed.cells
    ]
    for top, left, bottom, right in placed.bars:
        before = sum(c.top + BASELINE * c.height <= bottom for c in placed.cells)
        marks.insert(before, (top, left, np.ones((bottom - top, right - left), np.float32)))
    for i, (top, left, coverage) in enumerate(marks):
        share = shown - i
        if share <= 0:
            return
        if share < 1:
            width = coverage.shape[1]
            coverage = coverage * np.clip(share * width - np.arange(width), 0, 1)
        place(picture, coverage, top, left, ink)


@cache
def _font(path: str, pixels: float) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(path, round(pixels))


@cache
def _coverage(character: str, path: str, pixels: float, height: int, width: int) -> np.ndarray:
    # Drawn four times too large and averaged down: small glyphs stay smooth and hinting-free.
    scale = 4
    image = Image.new("L", (width * scale, height * scale))
    at = (width * scale / 2, BASELINE * height * scale)
    face = _font(path, pixels * scale)
    ImageDraw.Draw(image).text(at, character, fill=255, font=face, anchor="ms")
    pixels_ = np.asarray(image, np.float32) / 255
    out = pixels_.reshape(height, scale, width, scale).mean((1, 3))
    out.setflags(write=False)
    return out
