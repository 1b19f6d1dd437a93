"""Fractions: digits above and below a bar, drawn onto the first frame."""

from __future__ import annotations

from typing import cast

import numpy as np

from phosphene.readers.numbers import SPECK, Area, Written, distances, read_layers, twins
from phosphene.writing import Face

TALL = 0.55  # share of the area's height from which ink counts as a fraction's


def read_fractions(
    frames: np.ndarray, first: np.ndarray, area: Area, face: Face | None = None
) -> list[Written]:
    """Read a fraction (`3/4`) or a whole number (`3`).

    Args:
        frames: uint8 `(n, s, s, 3)`.
        first: uint8 `(s, s, 3)`, without the fraction.
        area: where to look, as high as a fraction.
        face: a typeface to expect.

    Returns:
        n results; a fraction without one of its numbers is unreadable.
    """
    away = distances(frames, first, area)
    alike = twins(away, SPECK * (len(first) / 64) ** 2)
    unique = sorted(set(alike.values()))
    pieces = [_pieces(away[u]) for u in unique]
    layers = [layer for piece in pieces for layer in piece]
    said = iter(read_layers(layers, "0123456789/", face=face))
    read = {}
    for u, piece in zip(unique, pieces, strict=True):
        if not piece:
            read[u] = Written(unreadable="neither a whole number nor a fraction with a bar")
            continue
        numbers = [next(said) for _ in piece]
        bad = next((n.unreadable for n in numbers if not n.text), "")
        read[u] = Written(unreadable=bad) if bad else Written("/".join(n.text for n in numbers))
    return [read[alike[k]] if k in alike else Written() for k in range(len(frames))]


def _pieces(layer: np.ndarray) -> list[np.ndarray]:
    """What is above and below the bar; all of it without one; nothing for rows without a bar."""
    bar = _bar(layer)
    if bar is None:
        inked = np.flatnonzero(_dark(layer).any(1))
        return [layer] if len(inked) and np.diff(inked).max(initial=1) == 1 else []
    top, bottom = bar
    return [layer[:top], layer[bottom:]]


def _bar(layer: np.ndarray) -> tuple[int, int] | None:
    """The rows of a fraction's bar, from and to.

    That is where, in the middle of tall ink, one run of it is nearly as wide as all of it. A run
    may step up or down by a row: hands are not rulers.
    """
    from scipy import ndimage

    dark = _dark(layer)
    rows, columns = np.flatnonzero(dark.any(1)), np.flatnonzero(dark.any(0))
    if not len(rows) or rows[-1] + 1 - rows[0] < TALL * len(layer):
        return None
    height, width = rows[-1] + 1 - rows[0], columns[-1] + 1 - columns[0]
    joined = np.asarray(ndimage.maximum_filter1d(dark.astype(np.uint8), 3, axis=0), bool)
    runs = np.array([_run(row) for row in joined])
    wide = runs >= 0.85 * width
    wide[: rows[0] + round(0.28 * height)] = wide[rows[0] + round(0.72 * height) :] = False
    labels, count = cast("tuple[np.ndarray, int]", ndimage.label(wide))
    groups = [np.flatnonzero(labels == k + 1) for k in range(count)]
    if not groups:
        return None
    # A four's crossbar may be as wide as the bar, but it is further from the middle.
    middle = (rows[0] + rows[-1]) / 2
    found = min(groups, key=lambda group: abs(float(group.mean()) - middle))
    # The filter has made the run a row higher on either side; the bar's soft edges are left out.
    top, bottom = int(found[0]) + 1, max(int(found[-1]), int(found[0]) + 2)
    if not _stands_out(dark, top, bottom):
        return None
    across = slice(int(columns[0]), int(columns[-1]) + 1)
    edge = (layer[:, across] > 0.25 * max(float(np.quantile(layer, 0.99)), 60)).mean(1) > 0.95
    for _ in range(max(round(len(layer) / 32), 1)):
        top -= bool(edge[top - 1])
        bottom += bool(edge[min(bottom, len(layer) - 1)])
    return top, bottom


def _stands_out(dark: np.ndarray, top: int, bottom: int) -> bool:
    """Whether rows are a bar's, not a stroke of a digit: with air around or wider than all else."""
    unit = max(round(len(dark) / 32), 1)
    above, below = dark[max(top - 4 * unit, 0) : top], dark[bottom : bottom + 4 * unit]
    if not above.any(1).all() and not below.any(1).all():
        return True
    bar = _run(np.asarray(dark[top:bottom].any(0)))
    return all(bar >= _span(part) + unit for part in (dark[: top - 1], dark[bottom + 1 :]))


def _dark(layer: np.ndarray) -> np.ndarray:
    """Where there is a stroke, bool."""
    return np.asarray(layer > 0.45 * max(float(np.quantile(layer, 0.99)), 60))


def _span(part: np.ndarray) -> int:
    """Columns from the first to the last with ink."""
    columns = np.flatnonzero(part.any(0))
    return int(columns[-1] + 1 - columns[0]) if len(columns) else 0


def _run(row: np.ndarray) -> int:
    """The longest run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(np.int8), [0]])))
    return int((edges[1::2] - edges[::2]).max(initial=0))
