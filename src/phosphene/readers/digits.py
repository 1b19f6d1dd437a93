"""Digits in cells: written ones by text recognition, printed ones by comparison with their font."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

import numpy as np
from PIL import Image
from scipy import ndimage

from phosphene.draw import cell_width, glyph
from phosphene.readers.ocr import read_lines

ALPHABET = "0123456789"
HEIGHT = 32  # pixels to which digits are scaled before they are read
TOGETHER = 6  # digits that are read as one line
SURE = 0.4  # least confidence of a digit
SMALLEST = 0.3  # least height of a digit, as a share of its cell's
LEAST = 0.015  # share of a cell that ink must cover to count
SAME = 0.02  # mean difference of ink up to which two cells hold the same
AGREES = 0.6  # least correlation of a printed digit with itself


class Written:
    """Reads digits written into cells, each look of a cell once."""

    def __init__(self) -> None:
        self._known: dict[int, list[tuple[np.ndarray, str]]] = {}

    def __call__(self, cells: Sequence[np.ndarray]) -> list[str]:
        """What is written in each cell: a digit, empty where nothing is, `?` where it isn't clear.

        Args:
            cells: ink of each cell, float32 `(h, w)` in 0..1; the k-th is the same cell each time.
        """
        out = [""] * len(cells)
        fresh: list[int] = []
        for k, ink in enumerate(cells):
            known = self._known.setdefault(k, [])
            same = [text for was, text in known if np.abs(was - ink).mean() < SAME]
            if (ink > 0.5).mean() < LEAST:
                continue
            if same:
                out[k] = same[-1]
            else:
                fresh.append(k)
        for k, text in zip(fresh, _read([cells[k] for k in fresh]), strict=True):
            out[k] = text
            self._known[k].append((cells[k], text))
        return out


def _read(cells: Sequence[np.ndarray]) -> list[str]:
    tight = [_tight(ink) for ink in cells]
    large = [k for k, t in enumerate(tight) if t is not None]
    out = ["?"] * len(cells)
    # Several as one line is faster; a line that doesn't come out even is read one by one.
    groups = [large[k : k + TOGETHER] for k in range(0, len(large), TOGETHER)]
    lines = [_picture([t for k in g if (t := tight[k]) is not None]) for g in groups]
    alone: list[int] = []
    for group, (text, confidence) in zip(groups, read_lines(lines, ALPHABET), strict=True):
        if len(text) == len(group) and confidence >= SURE:
            for k, digit in zip(group, text, strict=True):
                out[k] = digit
        else:
            alone += group
    pictures = [_picture([t]) for k in alone if (t := tight[k]) is not None]
    for k, (text, confidence) in zip(alone, read_lines(pictures, ALPHABET), strict=True):
        if len(text) == 1 and confidence >= SURE:
            out[k] = text
    return out


def _tight(ink: np.ndarray) -> np.ndarray | None:
    """The ink without specks, cut out, `HEIGHT` high, with room at both sides; None if tiny."""
    labels, count = ndimage.label(ink > 0.4, np.ones((3, 3)))  # type: ignore[misc]
    areas = np.bincount(labels.ravel(), minlength=count + 1)[1:]
    keep = np.isin(labels, [i + 1 for i in np.flatnonzero(areas >= 0.08 * areas.max(initial=1))])
    rows, columns = np.flatnonzero(keep.any(1)), np.flatnonzero(keep.any(0))
    if not len(rows) or np.ptp(rows) + 1 < SMALLEST * len(ink):
        return None
    near = ndimage.grey_dilation(keep, (3, 3))
    cut = np.where(near, ink, 0)[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    width = max(round(cut.shape[1] * HEIGHT / cut.shape[0]), 4)
    scaled = Image.fromarray(cut.astype(np.float32)).resize((width, HEIGHT), 3)
    return np.pad(np.asarray(scaled), ((6, 6), (4, 4)))


def _picture(inks: Sequence[np.ndarray]) -> np.ndarray:
    """Pieces of ink side by side, dark on light."""
    grey = (255 - 255 * np.concatenate(inks, 1).clip(0, 1)).astype(np.uint8)
    return np.repeat(grey[..., None], 3, -1)


def printed(ink: np.ndarray, font: int, height: int) -> str:
    """Which digit of a known font a cell shows, `?` if none: by correlation, shifts allowed.

    Args:
        ink: float32 `(h, w)` in 0..1, the digit about in its middle.
        font, height: as `phosphene.draw.glyph` takes them.
    """
    likeness = _correlate(ink, _prints(font, height))
    best = int(likeness.argmax())
    return ALPHABET[best] if likeness[best] >= AGREES else "?"


def _correlate(ink: np.ndarray, prints: np.ndarray) -> np.ndarray:
    """Best correlation of a cell with each print over shifts of two pixels of 16: `(digits,)`."""
    rows, columns = prints.shape[1:]
    reach = max(round(rows / 8), 1)
    view = np.pad(ink, rows)
    top, left = (view.shape[0] - rows) // 2, (view.shape[1] - columns) // 2
    cuts = np.stack(
        [
            view[top + y : top + y + rows, left + x : left + x + columns].ravel()
            for y in range(-reach, reach + 1)
            for x in range(-reach, reach + 1)
        ]
    )
    cuts, rest = _unit(cuts), _unit(prints.reshape(len(prints), -1))
    return (rest @ cuts.T).max(1)


def _unit(rows: np.ndarray) -> np.ndarray:
    rows = rows - rows.mean(1, keepdims=True)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-6)


@cache
def _prints(font: int, height: int) -> np.ndarray:
    """Slightly blurred glyphs of the ten digits, centred, float32 `(10, h, w)`."""
    whole = np.stack([glyph(c, font, height, cell_width(height)) for c in ALPHABET])
    rows = np.flatnonzero(whole.any((0, 2)))
    sharp = whole[:, rows[0] : rows[-1] + 1]
    return ndimage.gaussian_filter(np.pad(sharp, ((0, 0), (1, 1), (1, 1))), (0, 0.5, 0.5))
