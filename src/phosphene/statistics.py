"""Intervals for the numbers that reports print."""

from __future__ import annotations

from typing import NamedTuple


class Interval(NamedTuple):
    """A share with its 95 % interval, all in 0..1."""

    share: float
    low: float
    high: float
    n: int

    def __str__(self) -> str:
        return f"{self.share:.0%} [{self.low:.0%}, {self.high:.0%}], n = {self.n}"


def wilson(passed: int, n: int) -> Interval:
    """Wilson score interval of a binomial share.

    Raises:
        ValueError: n < 1 or passed outside 0..n.

    References:
        Probable Inference, the Law of Succession, and Statistical Inference (Wilson, 1927).
    """
    if n < 1 or not 0 <= passed <= n:
        raise ValueError(f"need 0 <= passed <= n and n >= 1; got {passed} of {n}")
    z = 1.959963984540054
    share = passed / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * (share * (1 - share) / n + z * z / (4 * n * n)) ** 0.5
    return Interval(share, max(0.0, middle - half), min(1.0, middle + half), n)
