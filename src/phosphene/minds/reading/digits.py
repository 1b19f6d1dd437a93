"""Digits: numbers taken apart, so that those of several tokens can be read too."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.minds.task import TextProblem

PLACES = ("ones", "tens", "hundreds", "thousands")


@dataclass(frozen=True, eq=False)
class Digits:
    """Digits of values.

    Args:
        names: value and place, e.g. `result 2, tens`; empty where values are no numbers of two
            digits or more.
        numbers: int `(items, names)`, 0 to 9; -1 where the problem lacks the value.
    """

    names: tuple[str, ...]
    numbers: np.ndarray


def digits(problems: Sequence[TextProblem], names: Sequence[str]) -> Digits:
    """Take all values apart; shorter numbers begin with noughts."""
    held = [p.values[n] for p in problems for n in names if n in p.values]
    longest = max(map(len, held), default=0)
    if not all(text.isdigit() for text in held) or longest < 2:
        return Digits((), np.zeros((len(problems), 0), int))
    count = min(longest, len(PLACES))
    rows = [
        [_digit(p.values.get(name), place) for name in names for place in range(count)]
        for p in problems
    ]
    called = tuple(f"{name}, {PLACES[place]}" for name in names for place in range(count))
    return Digits(called, np.array(rows))


def _digit(number: str | None, place: int) -> int:
    return -1 if number is None else int(number) // 10**place % 10
