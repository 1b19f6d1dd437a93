"""Math: equations printed on a plain page, each with one missing value."""

from __future__ import annotations

from collections.abc import Mapping
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._equations import Equation, parse, tokens, written
from phosphene.puzzles._judging import remembered, sides, steady
from phosphene.puzzles._picture import shrink
from phosphene.puzzles._textlines import Sign, TextLine, find_text
from phosphene.readers.ocr import read_lines
from phosphene.verdict import Part, Verdict

ALPHABET = "0123456789+-×÷=?()x*/."
SURE = 0.55
MOST = 40


class Math(Puzzle):
    """Equations such as `13 - 9 =`, `? × 4 = 20` or `2x + 3 = 11`, in any places.

    Read: `equations`, each with `text` (`×` and `÷` for all signs of their kind), `missing`
    (`"right"`, `"?"` or `"x"`), and `box` (left, top, right, bottom as shares of the picture).
    Solved: the missing values in the same order, whole or `p/q`.

    Judged: in the last frame each equation must stand as it was (givens), with the missing value
    written in (answer), behind `=` or instead of `?`; the rest of the page must hold still.
    """

    name: ClassVar[str] = "math"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1600)
        lines = find_text(small)
        if len(lines) > MOST:
            raise Unreadable(f"{len(lines)} lines of print")
        h, w = small.shape[:2]
        found = []
        for line, text in zip(lines, _texts(small, lines), strict=True):
            equation = parse(text)
            _check_shapes(line, equation)
            left, top, right, bottom = line.box
            box = [round(v, 5) for v in (left / w, top / h, right / w, bottom / h)]
            found.append({"text": equation.text, "missing": equation.missing, "box": box})
        return {"equations": found}

    def solve(self, parsed: Mapping[str, Any]) -> list[str]:
        return [written(parse(equation["text"]).value) for equation in parsed["equations"]]

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        parsed = remembered(self, picture)
        both = sides(picture, clip)
        if isinstance(both, Verdict):
            return both
        beside, frames = both
        strips = _strips(parsed["equations"], beside.shape)
        read = _read_twice([frames[-1][strip] for strip in strips])
        answers: list[Part] = []
        givens: list[Part] = []
        told = []
        for equation, text in zip(parsed["equations"], read, strict=True):
            answer, given, word = _judge(parse(equation["text"]), text)
            answers.append(answer)
            givens.append(given)
            told.append(word)
        still = np.ones(beside.shape[:2], bool)
        for strip in strips:
            still[strip] = False
        return Verdict(
            answer=_worst(answers),
            givens=_worst(givens),
            stability=steady(frames, beside, still),
            reason="; ".join(told),
            evidence={"read": read, "answers": self.solve(parsed)},
        )


def _texts(picture: np.ndarray, lines: list[TextLine]) -> list[str]:
    crops = []
    for line in lines:
        left, top, right, bottom = line.box
        margin = round(0.4 * line.height)
        rows = slice(max(0, top - margin), bottom + margin)
        crops.append(picture[rows, max(0, left - margin) : right + margin])
    texts = _read_twice(crops)
    for line, text in zip(lines, texts, strict=True):
        if text is None:
            left, top, *_ = line.box
            raise Unreadable(f"the line at {left}, {top} can't be read surely")
    return [text for text in texts if text is not None]


def _read_twice(crops: list[np.ndarray]) -> list[str | None]:
    """What both of two looks, one of them coarser, surely read in each crop; `""` for nothing."""
    from PIL import Image

    coarse = []
    for crop in crops:
        h, w = crop.shape[:2]
        size = (max(1, round(w * 0.75)), max(1, round(h * 0.75)))
        coarse.append(np.asarray(Image.fromarray(crop).resize(size, Image.Resampling.BOX)))
    texts: list[str | None] = []
    looks = read_lines([*crops, *coarse], ALPHABET)
    for (one, sure), (two, also) in zip(looks[: len(crops)], looks[len(crops) :], strict=True):
        same = "".join(_plain(one)) == "".join(_plain(two))
        texts.append(one if same and (min(sure, also) >= SURE or not one) else None)
    return texts


def _plain(text: str) -> list[str]:
    try:
        return tokens(text)
    except Unreadable:
        return [text]


def _check_shapes(line: TextLine, equation: Equation) -> None:
    """Refuse a reading that the signs' shapes contradict.

    Raises:
        Unreadable: another number of signs, or an operator or digit that doesn't look like one.
    """
    text = equation.text
    if len(text) != len(line.signs):
        raise Unreadable(f"{text!r} was read from {len(line.signs)} signs")
    for letter, sign in zip(text, line.signs, strict=True):
        if not _fits(letter, sign, line.height):
            raise Unreadable(f"a sign read as {letter!r} in {text!r} doesn't look like one")


def _fits(letter: str, sign: Sign, height: float) -> bool:
    tall, wide = sign.bottom - sign.top, sign.right - sign.left
    flat = [b[3] - b[1] < 0.6 * (b[2] - b[0]) for b in sign.parts]
    if letter == "-":
        return len(flat) == 1 and flat[0] and tall < 0.4 * height
    if letter == "=":
        return len(flat) == 2 and all(flat)
    if letter == "÷":
        return (len(flat) == 3 and flat[1]) or (len(flat) == 1 and _slanted(sign.ink))
    if letter in "+×":
        return len(flat) == 1 and 0.6 < wide / tall < 1.7 and _upright(sign.ink) == (letter == "+")
    if letter.isdigit():
        # A zero may have a dot in it.
        return len(flat) <= 1 + (letter == "0") and tall > 0.6 * height
    return True


def _slanted(ink: np.ndarray) -> bool:
    """A `/`: ink on one diagonal, none in the other's corners."""
    h, w = max(1, ink.shape[0] // 3), max(1, ink.shape[1] // 3)
    return bool(ink[:h, -w:].any() and ink[-h:, :w].any()) and not (
        ink[:h, :w].any() or ink[-h:, -w:].any()
    )


def _upright(ink: np.ndarray) -> bool:
    """Whether a cross is a `+`: its corners are empty, the middles of its sides aren't."""
    h, w = max(1, ink.shape[0] // 4), max(1, ink.shape[1] // 4)
    corners = [ink[:h, :w], ink[:h, -w:], ink[-h:, :w], ink[-h:, -w:]]
    return float(np.mean([corner.mean() for corner in corners])) < 0.1


def _strips(equations: list[dict[str, Any]], shape: tuple[int, ...]) -> list[tuple[slice, slice]]:
    """For each equation the part of a frame where it and its answer stand."""
    h, w = shape[:2]
    strips = []
    for equation in equations:
        left, top, right, bottom = equation["box"]
        tall = bottom - top
        em = tall * h / w
        beyond = [
            other["box"][0]
            for other in equations
            if other["box"][0] >= right and other["box"][1] < bottom and other["box"][3] > top
        ]
        end = min(beyond, default=1 + em) - em
        rows = slice(max(0, round((top - 0.8 * tall) * h)), round((bottom + 0.8 * tall) * h))
        strips.append((rows, slice(max(0, round((left - em) * w)), round(end * w))))
    return strips


def _judge(equation: Equation, text: str | None) -> tuple[Part, Part, str]:
    """Answer, givens and a word, from what is read where the equation stood."""
    if text is None:
        return "unreadable", "unreadable", f"{equation.text} can't be read surely"
    told = f"{equation.text} reads {text.replace(' ', '')}"
    if equation.missing == "x":
        return "unreadable", "not judged", "there is no one place for the value of x"
    seen = "".join(_plain(text))
    before, _, after = (
        equation.text.partition("?") if "?" in equation.text else (equation.text, "", "")
    )
    if seen == equation.text:
        return "failed", "passed", f"{told}: no answer"
    if not seen.startswith(before) or not seen.endswith(after) or len(seen) < len(before + after):
        return "failed", "failed", f"{told}: another equation"
    value = _value(seen[len(before) : len(seen) - len(after)])
    right = value == equation.value
    return "passed" if right else "failed", "passed", f"{told}, {written(equation.value)} is right"


def _value(text: str) -> Fraction | None:
    """Of a whole number, a decimal or `p÷q`; None of anything else."""
    top, bar, bottom = text.partition("÷")
    try:
        return Fraction(top) / Fraction(bottom) if bar else Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _worst(parts: list[Part]) -> Part:
    order: tuple[Part, ...] = ("failed", "unreadable", "not judged", "passed")
    return next(part for part in order if part in parts)


COMPONENT = Math
