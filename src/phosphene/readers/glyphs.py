"""Glyphs: digits told one by one by their shape, the second opinion beside the text reader's."""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np

from phosphene.draw import FONTS
from phosphene.writing import Face, FontFace

DIGITS = "0123456789"
SIDE = 24  # pixels of the square that every digit is brought to
DARK = 0.4  # ink that counts as a stroke
ADVANCE = 0.85  # usual distance of digits, as a share of their height


class Look(NamedTuple):
    """What shapes look like, left to right.

    Fields: `text`; `scores` `(digits, 10)`, correlation of every digit with the glyphs of each of
    0..9, signs left out.
    """

    text: str
    scores: np.ndarray

    @property
    def fit(self) -> float:
        """How well the worst fitting digit fits, up to 1; 0 without digits."""
        return float(self.scores.max(1).min()) if len(self.scores) else 0.0

    @property
    def lead(self) -> float:
        """How far the least clear digit is ahead of the next one."""
        order = np.sort(self.scores, 1)
        return float((order[:, -1] - order[:, -2]).min()) if len(order) else 0.0

    def fits(self, text: str) -> float:
        """How well the shapes fit another text; 0 where the number of digits differs."""
        digits = [DIGITS.index(c) for c in text if c in DIGITS]
        if not digits or len(digits) != len(self.scores):
            return 0.0
        return float(self.scores[np.arange(len(digits)), digits].min())


def look(ink: np.ndarray, face: Face | None = None) -> Look:
    """Tell digits by the nearest glyph over all fonts, strokes of three widths, sharp and soft.

    Args:
        ink: float `(h, w)` in 0..1, one line of digits; low wide marks count as `-`, low narrow
            ones as `:`.
        face: a typeface to expect beside the usual ones.
    """
    parts = _parts(ink)
    names, templates = _templates(face)
    text, scores = "", []
    for part, low in parts:
        if low:
            text += "-" if part.shape[1] > part.shape[0] else ":"
            continue
        square = _brought(part)
        # Where touching digits were cut, an edge may be off by a little.
        views = [np.roll(square.reshape(SIDE, SIDE), move, 1).ravel() for move in (-2, 0, 2)]
        every = (templates @ np.stack(views, 1)).max(1)
        scores.append([every[names == d].max() for d in range(10)])
        text += DIGITS[int(np.argmax(scores[-1]))]
    return Look(text, np.array(scores).reshape(-1, 10))


def _parts(ink: np.ndarray) -> list[tuple[np.ndarray, bool]]:
    """What stands alone, from left to right, and whether it is too low for a digit."""
    from scipy import ndimage

    dark = ink > DARK
    labelled: Any = ndimage.label(dark, np.ones((3, 3)))
    spots = [s for s in ndimage.find_objects(labelled[0]) if s is not None]
    if not spots:
        return []
    tall = max(s[0].stop - s[0].start for s in spots)
    spans: list[list[int]] = []
    for s in sorted(spots, key=lambda s: s[1].start):
        if dark[s].sum() < 0.012 * tall * tall:
            continue
        # Broken strokes above one another are one digit.
        if spans and s[1].start < spans[-1][1]:
            spans[-1][1] = max(spans[-1][1], s[1].stop)
        else:
            spans.append([s[1].start, s[1].stop])
    parts = []
    for span in spans:
        for left, right in _split(dark, span[0], span[1], tall):
            rows = np.flatnonzero(dark[:, left:right].any(1))
            if not len(rows):
                continue
            cut = ink[rows[0] : rows[-1] + 1, left:right]
            parts.append((cut, len(cut) < 0.7 * tall))
    return parts


def _split(dark: np.ndarray, left: int, right: int, tall: int) -> list[tuple[int, int]]:
    """Cut digits that touch one another where there is least ink."""
    count = round((right - left) / (ADVANCE * tall))
    rows = np.flatnonzero(dark[:, left:right].any(1))
    if count < 2 or rows[-1] + 1 - rows[0] < 0.7 * tall:
        return [(left, right)]
    columns, edges = dark.sum(0), [left]
    for i in range(1, count):
        middle, reach = left + (right - left) * i / count, 0.2 * tall
        near = np.arange(round(middle - reach), round(middle + reach) + 1)
        cost = columns[near] + 0.5 * np.abs(near - middle) / reach
        edges.append(int(near[cost.argmin()]))
    return list(pairwise([*edges, right]))


def _brought(part: np.ndarray) -> np.ndarray:
    """A digit as high as a square of `SIDE`, in its middle: zero mean, unit norm, `(SIDE²,)`."""
    import cv2

    height, width = part.shape
    wide = min(max(round(width * SIDE / height), 2), SIDE)
    scaled = cv2.resize(part.astype(np.float32), (wide, SIDE), interpolation=cv2.INTER_LINEAR)
    square = np.zeros((SIDE, SIDE), np.float32)
    left = (SIDE - wide) // 2
    square[:, left : left + wide] = scaled
    flat = square.ravel() - square.mean()
    return flat / (np.linalg.norm(flat) + 1e-6)


@cache
def _templates(face: Face | None) -> tuple[np.ndarray, np.ndarray]:
    """Digits `(k,)` and rows `(k, SIDE²)` of how they may look, in `face` too."""
    cells = ((16, 10), (40, 25))
    sets = [_of_face(FontFace(font), cell) for font in range(len(FONTS)) for cell in cells]
    if face is not None:
        sets.append(_of_face(face, face.cell("0")))
    return np.concatenate([names for names, _ in sets]), np.concatenate([rows for _, rows in sets])


@cache
def _of_face(face: Face, cell: tuple[int, int]) -> tuple[np.ndarray, np.ndarray]:
    """The same for one typeface in cells of that height and width."""
    names, rows = [], []
    for d, name in enumerate(DIGITS):
        plain = np.pad(face.coverage(name, *cell), 4)
        for shape in _drawn_differently(plain, cell[0] / 16):
            parts = _parts(shape / shape.max())
            if len(parts) == 1:
                names.append(d)
                rows.append(_brought(parts[0][0]))
    return np.array(names), np.stack(rows)


def _drawn_differently(plain: np.ndarray, unit: float) -> list[np.ndarray]:
    """A glyph in strokes of three widths, sharp and soft."""
    from scipy import ndimage

    window = 2 * max(round(unit), 1) + 1
    thin = 0.5 * plain + 0.5 * ndimage.minimum_filter(plain, window)
    looks = (plain, thin, ndimage.maximum_filter(plain, window))
    return [ndimage.gaussian_filter(one, soft * unit) for one in looks for soft in (0, 0.7, 1.2)]
