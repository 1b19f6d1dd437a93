"""Equations: a line of text to terms, and the value of what is missing in it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction

from phosphene.pack import Unreadable

# Marks that stand for the operators of the grammar below.
_SAME = str.maketrans(
    {"−": "-", "–": "-", "*": "×", "·": "×", "/": "÷", ":": "÷", "□": "?", "_": "?"}
)
_TOKEN = re.compile(r"\d+(?:\.\d+)?|[-+×÷=?()]|[xX]")
_SPACE = re.compile(r"\s+")

# A side's value as `a * unknown + b`.
Linear = tuple[Fraction, Fraction]


@dataclass(frozen=True)
class Equation:
    """One equation with one missing value.

    Args:
        text: its tokens joined by nothing, `×` and `÷` for any signs of their kind.
        missing: `"right"` where nothing stands behind `=`, else the sign that stands for it.
        value: what is missing.
    """

    text: str
    missing: str
    value: Fraction


def tokens(text: str) -> list[str]:
    """The parts of an equation; an `x` between two operands is a multiplication sign.

    Raises:
        Unreadable: a character that no equation has.
    """
    text = _SPACE.sub("", text.translate(_SAME))
    parts = _TOKEN.findall(text)
    if "".join(parts) != text:
        raise Unreadable(f"{text!r} is no equation")
    for i, part in enumerate(parts):
        if part in "xX":
            before = parts[i - 1] if i else ""
            after = parts[i + 1] if i + 1 < len(parts) else ""
            between = _ends(before) and (after[:1].isdigit() or after in ("?", "("))
            parts[i] = "×" if between else "x"
    return parts


def parse(text: str) -> Equation:
    """The equation in a line of text, solved.

    Raises:
        Unreadable: not one `=`, a side that isn't arithmetic, or not exactly one missing value.
    """
    parts = tokens(text)
    if parts.count("=") != 1:
        raise Unreadable(f"{text!r} has not one = sign")
    split = parts.index("=")
    left, right = parts[:split], parts[split + 1 :]
    unknowns = [part for part in parts if part in ("?", "x")]
    one = set(unknowns) == {"x"} or unknowns == ["?"] if right else not unknowns
    if not one or not left:
        raise Unreadable(f"{text!r} has not one missing value")
    left, right = _undivided(left, right)
    # Left a·u + b, right c·u + d.
    a, b = _side(left, text)
    c, d = _side(right, text) if right else (Fraction(0), Fraction(0))
    if not right:
        return Equation("".join(parts), "right", b)
    if a == c:
        raise Unreadable(f"{text!r} doesn't fix its missing value")
    return Equation("".join(parts), unknowns[0], (d - b) / (a - c))


def written(value: Fraction) -> str:
    """A whole number as such, another value as `p/q`."""
    return str(value.numerator) if value.denominator == 1 else str(value)


def _undivided(left: list[str], right: list[str]) -> tuple[list[str], list[str]]:
    """`12 ÷ ? = 3` as `12 = 3 × ?`; other equations as they are."""
    for one, other in ((left, right), (right, left)):
        if other and one[-2:] in (["÷", "?"], ["÷", "x"]) and not {"+", "-", "("} & {*one}:
            swapped = (one[:-2], ["(", *other, ")", "×", one[-1]])
            return swapped if one is left else (swapped[1], swapped[0])
    return left, right


def _ends(part: str) -> bool:
    return part[:1].isdigit() or part in ("?", ")")


def _side(parts: list[str], text: str) -> Linear:
    value, rest = _sum(parts, text)
    if rest:
        raise Unreadable(f"{text!r} is no equation: {''.join(rest)!r} is too much")
    return value


def _sum(parts: list[str], text: str) -> tuple[Linear, list[str]]:
    sign = 1
    if parts[:1] == ["-"]:
        sign, parts = -1, parts[1:]
    (a, b), parts = _product(parts, text)
    a, b = sign * a, sign * b
    while parts and parts[0] in "+-":
        sign = 1 if parts[0] == "+" else -1
        (c, d), parts = _product(parts[1:], text)
        a, b = a + sign * c, b + sign * d
    return (a, b), parts


def _product(parts: list[str], text: str) -> tuple[Linear, list[str]]:
    value, parts = _atom(parts, text)
    while parts and (parts[0] in "×÷" or parts[0] in ("x", "(")):
        if parts[0] == "÷":
            (c, d), parts = _atom(parts[1:], text)
            if c or not d:
                raise Unreadable(f"{text!r} divides by zero or by its missing value")
            value = (value[0] / d, value[1] / d)
            continue
        (c, d), parts = _atom(parts[1:] if parts[0] == "×" else parts, text)
        if value[0] and c:
            raise Unreadable(f"{text!r} isn't linear")
        value = (value[0] * d + c * value[1], value[1] * d)
    return value, parts


def _atom(parts: list[str], text: str) -> tuple[Linear, list[str]]:
    if not parts:
        raise Unreadable(f"{text!r} breaks off")
    head, rest = parts[0], parts[1:]
    if head[0].isdigit():
        return (Fraction(0), Fraction(head)), rest
    if head in ("?", "x"):
        return (Fraction(1), Fraction(0)), rest
    if head == "(":
        value, rest = _sum(rest, text)
        if rest[:1] != [")"]:
            raise Unreadable(f"{text!r} lacks a closing bracket")
        return value, rest[1:]
    raise Unreadable(f"{text!r} has {head!r} where a number belongs")
