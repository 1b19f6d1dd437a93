"""Values as people type them."""

from __future__ import annotations

import math
import re
from fractions import Fraction

from phosphene.errors import PhospheneError


def parse_size(text: str) -> tuple[int, int]:
    """`"832x480"` as `(832, 480)`, width first, pixels."""
    match = re.fullmatch(r"\s*(\d+)\s*[xX×]\s*(\d+)\s*", text)
    if not match:
        raise PhospheneError(f"size must be WIDTHxHEIGHT in pixels, e.g. 832x480; got {text!r}")
    return int(match[1]), int(match[2])


def parse_fps(text: str) -> Fraction:
    """Frames a second, exact: `"24000/1001"`, `"24"`, or a decimal.

    A decimal that is an NTSC rate (n * 1000/1001) rounded to the digits given means that rate, so
    23.976 is 24000/1001, 29.97 is 30000/1001 and 59.94 is 60000/1001.
    """
    try:
        value = Fraction(text.strip())
    except (ValueError, ZeroDivisionError) as error:
        raise PhospheneError(
            f"fps must be a number or a fraction, e.g. 24, 23.976 or 24000/1001; got {text!r}"
        ) from error
    if value <= 0:
        raise PhospheneError(f"fps must be above 0; got {text!r}")
    digits = len(text.strip().partition(".")[2])
    if digits >= 2:
        ntsc = Fraction(math.ceil(value) * 1000, 1001)
        if round(ntsc, digits) == value:
            return ntsc
    return value
