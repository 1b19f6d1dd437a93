"""Commitment: what a row of readings, one a step, says of when an answer was settled."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from math import log, log2


def commitment(readings: Sequence[str], ending: str | None = None) -> int:
    """First step from which every reading is the ending; `len(readings)` if the last one isn't.

    Args:
        readings: one a step.
        ending: the last reading, if None.
    """
    end = readings[-1] if ending is None else ending
    t = len(readings)
    while t > 0 and readings[t - 1] == end:
        t -= 1
    return t


def flips(readings: Sequence[str]) -> int:
    """How often the reading changes from one step to the next."""
    return sum(a != b for a, b in pairwise(readings))


def entropy(readings: Sequence[str]) -> float:
    """Bits of the distribution over samples, corrected for there being few of them.

    References:
        Note on the bias of information estimates (Miller, 1955).
    """
    counts = Counter(readings)
    n = len(readings)
    plain = -sum(c / n * log2(c / n) for c in counts.values())
    return plain + (len(counts) - 1) / (2 * n) / log(2)
