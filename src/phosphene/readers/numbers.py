"""Numbers: what has been written onto the first frame, and whether given characters still stand."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np

from phosphene.draw import ink_amount
from phosphene.readers.glyphs import Look, look
from phosphene.readers.ocr import read_lines
from phosphene.readers.scene import BLURS, softened
from phosphene.trace import Mark, Reading
from phosphene.writing import Cell, Face

SURE = 0.9  # the text reader's confidence in its least certain character that needs no backing
FAINT = 40  # levels of 255 below which a difference is no ink
SPECK = 4  # pixels of 64x64 below which ink is no writing
SAME = 12  # levels of 255 by which two crops may differ and be read once

Area = tuple[int, int, int, int]  # top, left, bottom, right in pixels; the last two exclusive


def rectangle(area: Area, size: int) -> np.ndarray:
    """An area as a mask, bool `(size, size)`."""
    mask = np.zeros((size, size), bool)
    mask[area[0] : area[2], area[1] : area[3]] = True
    return mask


class Written(NamedTuple):
    """What stands in an area: `text`, or why it is `unreadable`; neither where it is empty."""

    text: str = ""
    unreadable: str = ""


def read_written(
    frames: np.ndarray, first: np.ndarray, area: Area, alphabet: str, optional: str = ""
) -> list[Written]:
    """Read one line that was drawn onto `first`, in ink of any colour.

    Args:
        frames: uint8 `(n, s, s, 3)`.
        first: uint8 `(s, s, 3)`, without the writing.
        area: where to look.
        alphabet: the characters it may consist of.
        optional: those of them that may be there or not, and are left out of the text.

    Returns:
        n results. Crops that look alike are read once.
    """
    top, left, bottom, right = area
    crops = frames[:, top:bottom, left:right]
    away = distances(frames, first, area)
    alike = twins(away, SPECK * (len(first) / 64) ** 2)
    unique = sorted(set(alike.values()))
    said = read_layers([away[u] for u in unique], alphabet, optional)
    doubtful = [i for i, written in enumerate(said) if not written.text]
    # Light writing on a dark patch can't be told from the patch by its distance from the paper.
    patches = [_inked(crops[unique[i]], away[unique[i]]) for i in doubtful]
    for i, (text, sure) in zip(doubtful, read_lines(patches, alphabet), strict=True):
        if sure >= SURE:
            said[i] = Written(text.translate(str.maketrans("", "", optional)))
    read = dict(zip(unique, said, strict=True))
    return [read[alike[k]] if k in alike else Written() for k in range(len(frames))]


def distances(frames: np.ndarray, first: np.ndarray, area: Area) -> np.ndarray:
    """How far an area is from the first frame, levels of 255, int16 `(n, h, w)`.

    The first frame is made as soft as the frames are, so that what was given drops out.
    """
    top, left, bottom, right = area
    first = softened(frames[0], first, ~rectangle(area, len(first)))
    crops = frames[:, top:bottom, left:right].astype(np.int16)
    return np.abs(crops - first[top:bottom, left:right]).max(-1)


def twins(away: np.ndarray, speck: float) -> dict[int, int]:
    """For each frame with more than `speck` pixels of ink, the first frame that looks like it."""
    alike: dict[int, int] = {}
    for k, layer in enumerate(away):
        if (layer > FAINT).sum() < speck:
            continue
        seen = sorted(set(alike.values()), reverse=True)
        alike[k] = next((u for u in seen if np.abs(layer - away[u]).max() <= SAME), k)
    return alike


def read_layers(
    layers: Sequence[np.ndarray], alphabet: str, optional: str = "", face: Face | None = None
) -> list[Written]:
    """Read lines from their distances to the paper, `(h, w)` each; `face` may be expected."""
    lines, drop = [_line(layer) for layer in layers], str.maketrans("", "", optional)
    said = []
    for line, (text, sure) in zip(lines, read_lines(lines, alphabet), strict=True):
        seen = look(1 - line[..., 0] / np.float32(255), face)
        if set(seen.text) - set(alphabet):
            seen = seen._replace(text="")
        seen = seen._replace(text=seen.text.translate(drop))
        said.append(_both(text.translate(drop), sure, seen))
    return said


def _both(text: str, sure: float, seen: Look) -> Written:
    """One reading out of two: the text reader's, and the shapes told one by one.

    The text reader forgives a free hand; shapes know thick, thin and soft strokes, and the dotted
    zero, which the text reader takes for an eight. The thresholds were set on 1,200 answers drawn
    and damaged in every way of the certificate: 3 were misread, 6 called unreadable.
    """
    fits = seen.fits(text)
    if text and text == seen.text and (sure >= 0.3 or seen.fit >= 0.75):
        return Written(text)
    if seen.text and seen.fit >= 0.93 and seen.lead >= 0.015:
        return Written(seen.text)
    if text and sure >= SURE and (fits >= 0.5 or not fits):
        return Written(text)
    if text and sure >= 0.5 and fits >= 0.55 and seen.fit - fits < 0.15:
        return Written(text)
    if seen.text and sure < 0.5 and seen.fit >= 0.8 and seen.lead >= 0.1:
        return Written(seen.text)
    maybe = f"it may say {text or seen.text}" if text or seen.text else "it is no number"
    return Written(unreadable=f"what is written can't be read: {maybe}")


def _line(layer: np.ndarray) -> np.ndarray:
    """Distances from the first frame as black on white, uint8 `(h, w, 3)`, with a white border."""
    peak = max(float(np.quantile(layer, 0.995)), 0.6 * float(layer.max()), FAINT)
    grey = 255 - np.clip(layer / peak, 0, 1) * 255
    return np.repeat(np.pad(grey.astype(np.uint8), 3, constant_values=255)[..., None], 3, -1)


def _inked(crop: np.ndarray, layer: np.ndarray) -> np.ndarray:
    """A crop cut to where it differs from the first frame."""
    rows, columns = np.flatnonzero((layer > FAINT).any(1)), np.flatnonzero((layer > FAINT).any(0))
    return crop[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]


def reading(written: Written, altered: tuple[str, ...], area: Area, size: int) -> Reading:
    """What was read as a `Reading` whose answer is the text, with its area marked."""
    top, left, bottom, right = area
    place = (left / size, top / size, min(right / size, 1), min(bottom / size, 1))
    marks = (Mark("box", place, written.text or ("?" if written.unreadable else "")),)
    return Reading(written.text or None, written.unreadable, altered, marks)


def altered_characters(
    frames: np.ndarray,
    first: np.ndarray,
    cells: Sequence[Cell],
    face: Face,
    colours: np.ndarray,
    alphabet: str,
) -> list[tuple[str, ...]]:
    """Which given characters look more like another one, or like nothing, for each frame.

    By correlation of ink amounts with every glyph of `alphabet` in the problem's own face, at
    shifts of up to a pixel of 64.

    Args:
        frames: uint8 `(n, s, s, 3)`.
        first: uint8 `(s, s, 3)`.
        cells: the given characters.
        face: what they are drawn in.
        colours: paper and ink, `(2, 3)`.
    """
    unit = max(round(len(first) / 64), 1)
    out: list[list[str]] = [[] for _ in frames]
    for cell in cells:
        rows = slice(max(cell.top - unit, 0), cell.top + cell.height + unit)
        columns = slice(max(cell.left - unit, 0), cell.left + cell.width + unit)
        now = frames[:, rows, columns]
        if not now.size:
            continue
        changed = np.abs(now.astype(np.int16) - first[rows, columns]).max((1, 2, 3)) > FAINT
        for k in np.flatnonzero(changed):
            ink = ink_amount(frames[k].astype(np.float32), colours[0], colours[1])
            says = _looks_like(ink, cell, face, alphabet, unit)
            if says != cell.character:
                out[k].append(
                    f"{cell.character} became {says}" if says else f"{cell.character} is gone"
                )
    return [tuple(texts) for texts in out]


def _looks_like(ink: np.ndarray, cell: Cell, face: Face, alphabet: str, unit: int) -> str:
    """The character that a cell shows; the given one when in doubt, none when it fits badly."""
    # Cells may stick out of the picture.
    h, w, pad = cell.height, cell.width, unit + cell.height
    padded, y0, x0 = np.pad(ink, pad), cell.top + pad, cell.left + pad
    moves = (-unit, 0, unit)
    views = np.stack(
        [padded[y0 + y : y0 + y + h, x0 + x : x0 + x + w].ravel() for y in moves for x in moves]
    )
    views = views - views.mean(1, keepdims=True)
    views /= np.linalg.norm(views, axis=1, keepdims=True) + 1e-6
    names = alphabet if cell.character in alphabet else alphabet + cell.character
    scores = (_glyphs(names, face, h, w, unit) @ views.T).max(1).reshape(-1, len(names)).max(0)
    own, best = scores[names.index(cell.character)], int(scores.argmax())
    if scores[best] > own + 0.04:
        return names[best]
    return cell.character if own > 0.5 else ""


@lru_cache(maxsize=256)
def _glyphs(names: str, face: Face, height: int, width: int, unit: int) -> np.ndarray:
    """Zero-mean unit-norm rows `(blurs * characters, height * width)`."""
    from scipy.ndimage import gaussian_filter

    rows = np.stack(
        [
            gaussian_filter(face.coverage(c, height, width), blur * unit).ravel()
            for blur in (0, *BLURS)
            for c in names
        ]
    )
    rows = rows - rows.mean(1, keepdims=True)
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)
