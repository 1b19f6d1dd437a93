"""Class means: the residual side of a contrast, next to the routing side.

The difference of class means at a layer is the direction that steering uses. How well it tells the
sides apart is measured on pairs that it was not made from.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from phosphene.minds.difference import flips
from phosphene.statistics import holm, wilson

FLIPS = 4000


@dataclass(frozen=True, eq=False)
class Separation:
    """How far apart two classes are along the difference of their means, everything `(places,)`.

    Args:
        share: of groups whose sides the direction made of the other groups orders rightly; 0.5
            where nothing differs.
        low, high: Wilson's interval.
        null: mean share with sides swapped at random.
        p: one-sided, of the swaps.
        q: p adjusted for the places (Holm).
        apart: the means' distance as a share of the mean norm.
    """

    share: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: np.ndarray
    p: np.ndarray
    q: np.ndarray
    apart: np.ndarray


def separate(a: np.ndarray, b: np.ndarray, seed: int = 0) -> Separation:
    """Leave-one-group-out separation by the difference of class means, against swapped sides.

    Args:
        a, b: `(groups, places, width)`.
    """
    n, places, _ = a.shape
    signs = flips(n, FLIPS, seed)
    rows = []
    for place in range(places):
        d = (a[:, place] - b[:, place]).astype(float)
        gram = d @ d.T
        # d_i against the sum of all others' differences, under each pattern of signs.
        lead = signs * (signs @ gram) - np.diag(gram)
        tied = np.abs(lead) <= 1e-12 * (np.abs(gram).max() + 1e-30)
        share = np.where(tied, 0.5, lead > 0).mean(1)
        rows.append((share[0], share.mean(), (share >= share[0] - 1e-12).mean()))
    share, null, p = map(np.array, zip(*rows, strict=True))
    bounds = [wilson(round(s * n), n) for s in share]
    scale = np.maximum((np.linalg.norm(a, axis=-1) + np.linalg.norm(b, axis=-1)).mean(0) / 2, 1e-30)
    apart = np.linalg.norm((a - b).mean(0), axis=-1) / scale
    return Separation(
        share,
        np.array([min(i.low, s) for i, s in zip(bounds, share, strict=True)]),
        np.array([max(i.high, s) for i, s in zip(bounds, share, strict=True)]),
        null,
        p,
        np.array(holm(p.tolist())),
        apart,
    )


def cosines(direction: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Of a direction `(width,)` with each row `(experts, width)` less their mean: a router's choice
    doesn't depend on what its rows have in common. Nought where either has no length."""
    rows = rows - rows.mean(0)
    lengths = np.linalg.norm(rows, axis=1) * np.linalg.norm(direction)
    return np.divide(rows @ direction, lengths, out=np.zeros(len(rows)), where=lengths > 0)
