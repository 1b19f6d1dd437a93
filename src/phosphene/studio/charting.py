"""Charting: where each item lies on the map, and how much of the space has been covered."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from phosphene.studio.descriptors import Descriptors, View

_LEAST = 4  # items before there is a map
_EDGES = (-0.674, 0.0, 0.674)  # quartiles of a normal distribution


class Chart:
    """The map: the first two principal axes of the descriptors.

    It is drawn anew whenever the items have doubled, and turned so that it fits the map before it
    as well as can be (orthogonal Procrustes): items drift, and the map does not flip. Between two
    drawings, new items are put on the map that is there.

    Attributes:
        places: float32 `(rows, 2)`, about -1..1, of the rows that were placed.
        drawing: how many times it has been drawn.

    References:
        A generalized solution of the orthogonal Procrustes problem (Schoenemann, 1966),
        https://doi.org/10.1007/BF02289451
    """

    def __init__(self, descriptors: Descriptors) -> None:
        self._descriptors = descriptors
        self._view: View | None = None
        self._drawn = 0
        self.places = np.zeros((0, 2), np.float32)
        self.drawing = 0

    def update(self) -> bool:
        """Place what is new; returns whether the whole map was drawn anew."""
        count = len(self._descriptors)
        if count < _LEAST or count == len(self.places):
            return False
        if self._view is None or count >= 2 * self._drawn:
            self._draw(count)
            return True
        fresh = np.arange(len(self.places), count)
        self.places = np.concatenate([self.places, self._descriptors.projected(fresh, self._view)])
        return False

    def _draw(self, count: int) -> None:
        view = self._descriptors.view(self._descriptors.sample(), 2)
        flat = self._descriptors.projected(np.arange(count), view)
        # The root mean square of a cloud is about half its radius.
        scale = 2 * float(np.sqrt((flat**2).sum(1).mean())) or 1.0
        turn = _turn(flat[: len(self.places)], self.places) / scale
        self._view = replace(view, axes=view.axes @ turn)
        self.places = flat @ turn
        self._drawn = count
        self.drawing += 1


def _turn(fresh: np.ndarray, before: np.ndarray) -> np.ndarray:
    """The turn or mirror `(2, 2)` that brings `fresh` closest to `before`, both `(n, 2)`."""
    if not len(before):
        return np.eye(2, dtype=np.float32)
    left, _, right = np.linalg.svd(fresh.T @ (before - before.mean(0)))
    return (left @ right).astype(np.float32)


class Coverage:
    """Share of the cells that were reached, 0..1, on cells that never change.

    The four principal axes of the warm-up are cut at the quartiles of a normal distribution of the
    warm-up's spread: 256 cells. Another cutting would give other shares; compare within a session.
    """

    cells = (len(_EDGES) + 1) ** 4

    def __init__(self, descriptors: Descriptors, warmup: Sequence[int]) -> None:
        rows = np.array(warmup, int)
        self._descriptors = descriptors
        self._view = descriptors.view(rows, 4)
        self._spread = descriptors.projected(rows, self._view).std(0).clip(1e-6)
        self._reached: set[int] = set()

    def take(self, rounds: Sequence[Sequence[int]]) -> list[float]:
        """Take in rounds of rows of descriptors; returns the share reached after each."""
        rows = np.array([row for round in rounds for row in round], int)
        away = self._descriptors.projected(rows, self._view) / self._spread
        reached = iter((np.searchsorted(_EDGES, away) @ (4 ** np.arange(4))).tolist())
        shares = []
        for round in rounds:
            self._reached.update(itertools.islice(reached, len(round)))
            shares.append(len(self._reached) / self.cells)
        return shares
