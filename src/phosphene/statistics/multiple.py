"""Several tests at once: p-values adjusted so that each can be held against alpha by itself."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def holm(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that bound the chance of any false alarm.

    References:
        A Simple Sequentially Rejective Multiple Test Procedure (Holm, 1979).
    """
    order = np.argsort(p, kind="stable")
    steps = np.asarray(p, float)[order] * np.arange(len(order), 0, -1)
    return _unsorted(np.maximum.accumulate(steps), order)


def benjamini_hochberg(p: Sequence[float]) -> list[float]:
    """Adjusted p-values that bound the expected share of false alarms among all alarms.

    References:
        Controlling the False Discovery Rate (Benjamini and Hochberg, 1995).
    """
    order = np.argsort(p, kind="stable")
    n = len(order)
    steps = np.asarray(p, float)[order] * n / np.arange(1, n + 1)
    return _unsorted(np.minimum.accumulate(steps[::-1])[::-1], order)


def _unsorted(values: np.ndarray, order: np.ndarray) -> list[float]:
    out = np.empty(len(order))
    out[order] = np.minimum(values, 1.0)
    return out.tolist()
