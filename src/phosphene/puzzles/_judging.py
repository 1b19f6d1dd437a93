"""What judges of puzzle clips share: the last frame beside the picture, and what held still."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
from PIL import Image

from phosphene.clip import Clip
from phosphene.pack import Puzzle, Unreadable
from phosphene.puzzles._grid import Grid
from phosphene.puzzles._picture import TINT, beside
from phosphene.verdict import Part, Verdict

# Pixels of the longer side at which frames are compared: thin lines may blur or shift a little.
_COARSE = 96
_LOOKED_AT = 24
_KEPT = 32
_recent: dict[tuple[str, str], Mapping[str, Any]] = {}


def remembered(puzzle: Puzzle, picture: np.ndarray) -> Mapping[str, Any]:
    """`puzzle.read(picture)`, kept for the next clips that are made from the same picture."""
    key = (puzzle.name, Clip(picture[None]).digest)
    if key not in _recent:
        parsed = puzzle.read(picture)
        while len(_recent) >= _KEPT:
            _recent.pop(next(iter(_recent)))
        _recent[key] = parsed
    return _recent[key]


def sides(picture: np.ndarray, clip: Clip) -> tuple[np.ndarray, np.ndarray] | Verdict:
    """The picture at the clip's size and the clip's frames, or the verdict that it can't be."""
    try:
        return beside(picture, clip)
    except Unreadable as error:
        return Verdict(answer="unreadable", reason=str(error))


def steady(frames: np.ndarray, picture: np.ndarray, still: np.ndarray) -> Part:
    """Whether the part `still`, bool `(h, w)`, looks like the picture's in all frames.

    Compared coarsely, each place with what the picture has there and right beside it: edges may
    shift or blur a little. A cast over the whole frame of up to `TINT` levels doesn't count. Fails
    where more than 4 % of that part is off by 40 levels or more. One frame alone is judged too: it
    must still be the picture.
    """
    from scipy import ndimage

    scale = _COARSE / max(picture.shape[:2])
    size = (max(1, round(picture.shape[1] * scale)), max(1, round(picture.shape[0] * scale)))
    mask = _coarse(still.astype(np.uint8) * 255, size) >= 250
    if not mask.any():
        return "not judged"
    ours = _coarse(picture, size)
    low = ndimage.minimum_filter(ours, (3, 3, 1))[mask]
    high = ndimage.maximum_filter(ours, (3, 3, 1))[mask]
    picks = np.unique(np.linspace(0, len(frames) - 1, _LOOKED_AT).round().astype(int))
    for pick in picks:
        seen = _coarse(frames[pick], size)[mask]
        seen -= np.clip(np.median(seen - ours[mask], 0), -TINT, TINT)
        off = np.maximum(low - seen, seen - high).max(-1)
        if float((off > 40).mean()) > 0.04:
            return "failed"
    return "passed"


def outside(grid: Grid, shape: tuple[int, ...], cells: Iterable[tuple[int, int]]) -> np.ndarray:
    """bool `(h, w)`: all pixels but those of these cells."""
    still = np.ones(shape[:2], bool)
    for row, column in cells:
        still[grid.cell(row, column)] = False
    return still


def _coarse(picture: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    return np.asarray(Image.fromarray(picture).resize(size, Image.Resampling.BOX), np.float32)
