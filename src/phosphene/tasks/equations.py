"""Equations: the first frame shows `3+4=`, the video writes the answer, tones spell its digits."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.draw import FONTS, blend, glyph, ink_amount, palette
from phosphene.errors import PhospheneError
from phosphene.sound import finish, mix, strongest, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.verdict import Verdict

SLOTS = 6  # a operator b = and up to two digits of answer
PROMPTS = (
    "solve the equation",
    "write the answer after the equals sign",
    "work out the sum and write down what it makes",
)
# The ten digits sound as ten steps of a major scale from C5.
SCALE = 523.25 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)


@dataclass(frozen=True)
class Equations(Task):
    """One-digit sums and differences, never below zero.

    Operand pairs are split by construction: one in five is held out of training, and `a+b` goes
    with `b+a`, so a held-out sum was not seen the other way round either.

    Args:
        operators: any of `+` and `-`.
        largest: operands run from 0 to this, at most 9.
        variety: 0 for one font, place and colour; 1 for all fonts, places and colours.
    """

    operators: str = "+-"
    largest: int = 9
    variety: float = 1.0
    name: ClassVar[str] = "equations"

    def __post_init__(self) -> None:
        if not self.operators or set(self.operators) - set("+-"):
            raise PhospheneError(f"equations.operators takes + and -; got {self.operators!r}")
        if not 1 <= self.largest <= 9:
            raise PhospheneError(f"equations.largest must lie in 1..9; got {self.largest}")

    def pairs(self, split: Split) -> list[tuple[int, str, int]]:
        """Every `(a, operator, b)` of a split."""
        span = range(self.largest + 1)
        every = [(a, o, b) for o in self.operators for a in span for b in span]
        legal = [(a, o, b) for a, o, b in every if o == "+" or a >= b]
        return [p for p in legal if (split == "test") == held_out(_instance(*p), 5)]

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 1])
        pairs = self.pairs(split)
        a, operator, b = pairs[rng.integers(len(pairs))]
        varied = rng.random() < self.variety
        state = {
            "a": a,
            "operator": operator,
            "b": b,
            "answer": str(a + b if operator == "+" else a - b),
            "font": int(rng.integers(len(FONTS))) if varied else 0,
            "colours": palette(rng, 1, self.variety if varied else 0.0).tolist(),
            # Offsets from the plain place, as shares of the picture's side.
            "dx": float(rng.uniform(0, 0.06) * self.variety),
            "dy": float(rng.uniform(-0.25, 0.5) * self.variety),
        }
        caption = f"the equation {a} {operator} {b} = is solved"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def solve(self, problem: Problem, canvas: Canvas) -> Clip:
        s = problem.state
        paper, ink = np.array(s["colours"], np.float32)
        beat = canvas.frames - 1 or 1
        frames = np.empty((canvas.frames, canvas.size, canvas.size, 3), np.float32)
        given = np.broadcast_to(paper, frames.shape[1:]).copy()
        for slot, character in enumerate(f"{s['a']}{s['operator']}{s['b']}="):
            _write(given, character, slot, problem, ink)
        for k in range(canvas.frames):
            frames[k] = given
            for digit, character in enumerate(s["answer"]):
                shown = np.clip((k * 8 / beat - 1 - 2 * digit) / 2, 0, 1)
                _write(frames[k], character, 4 + digit, problem, ink, shown)
        seconds = canvas.frames / canvas.fps
        track = np.zeros(round(seconds * canvas.rate), np.float32)
        beat_seconds = beat / 8 / canvas.fps
        for digit, character in enumerate(s["answer"]):
            sound = tone(round(2 * beat_seconds * canvas.rate), canvas.rate, SCALE[int(character)])
            mix(track, sound, (2 + 2 * digit) * beat_seconds, canvas.rate)
        pixels = np.rint(frames).clip(0, 255).astype(np.uint8)
        return Clip(pixels, Fraction(canvas.fps), finish(track, canvas.rate), canvas.rate)

    def judge(self, problem: Problem, clip: Clip) -> Verdict:
        s = problem.state
        if clip.frames is None:
            return Verdict("unreadable", reason="no picture")
        last = clip.frames[-1].astype(np.float32)
        read = "".join(_read(last, slot, problem) for slot in range(SLOTS))
        givens, written = read[:4], read[4:].rstrip()
        wanted = f"{s['a']}{s['operator']}{s['b']}="
        if not written or "?" in written:
            answer = "unreadable"
        else:
            answer = "passed" if written == s["answer"] else "failed"
        said = f"reads {written!r}" if written else "reads nothing"
        return Verdict(
            answer=answer,
            givens="passed" if givens == wanted else "failed",
            stability="passed" if _drift(clip.frames, problem) < 12 else "failed",
            reason=f"{said}, {s['answer']} is right"
            + ("" if givens == wanted else f"; the problem became {givens!r}"),
            evidence={"read": written, "givens": givens, "heard": heard(clip, len(s["answer"]))},
        )


def heard(clip: Clip, digits: int) -> str:
    """The digits that the tones spell, `?` where none is clear, empty without sound."""
    if clip.audio is None or clip.rate is None or clip.frames is None:
        return ""
    beat = max(len(clip.frames) - 1, 1) / 8 / float(clip.fps)
    out = ""
    for digit in range(digits):
        start = round((2 + 2 * digit) * beat * clip.rate)
        part = clip.audio[0, start : start + round(2 * beat * clip.rate)]
        best, share = strongest(part, clip.rate, SCALE)
        out += str(best) if share > 0.3 and np.abs(part).max(initial=0) > 0.05 else "?"
    return out


def _instance(a: int, operator: str, b: int) -> str:
    first, second = sorted((a, b)) if operator == "+" else (a, b)
    return f"equations {first}{operator}{second}"


def _cell(slot: int, problem: Problem, size: int) -> tuple[int, int, int, int]:
    """Top, left, height and width in pixels of a character's cell."""
    width, height = round(size * 10 / 64), round(size * 16 / 64)
    left = round(size * problem.state["dx"]) + slot * width
    return round(size * (16 / 64 + problem.state["dy"])), left, height, width


def _write(
    picture: np.ndarray,
    character: str,
    slot: int,
    problem: Problem,
    ink: np.ndarray,
    shown: float = 1.0,
) -> None:
    """Write a character into its slot, in place; `shown` is the share revealed from the left."""
    top, left, height, width = _cell(slot, problem, picture.shape[0])
    coverage = glyph(character, problem.state["font"], height, width)
    if shown < 1:
        edge = np.clip(shown * width - np.arange(width), 0, 1)
        coverage = coverage * edge
    area = picture[top : top + height, left : left + width]
    area[:] = blend(area, coverage, ink)


def _read(picture: np.ndarray, slot: int, problem: Problem) -> str:
    """The character in a slot: a digit, operator, space, or `?` when none fits clearly.

    Nearest glyph, over every font and shifts of a pixel, by correlation of ink amounts. It knows
    where to look and in what colour, but nothing of the right answer.
    """
    paper, ink = np.array(problem.state["colours"], np.float32)
    size = picture.shape[0]
    top, left, height, width = _cell(slot, problem, size)
    padded = np.pad(ink_amount(picture, paper, ink), 1)
    cell = padded[top + 1 : top + 1 + height, left + 1 : left + 1 + width]
    # A plain bar of `-` is the lightest glyph: a cell with less than half its ink is empty.
    if cell.mean() < 0.015:
        return " "
    shifts = [
        padded[top + 1 + y : top + 1 + y + height, left + 1 + x : left + 1 + x + width].ravel()
        for y in (-1, 0, 1)
        for x in (-1, 0, 1)
    ]
    views = np.stack(shifts)
    views = views - views.mean(1, keepdims=True)
    views /= np.linalg.norm(views, axis=1, keepdims=True) + 1e-6
    names, templates = _templates(height, width)
    scores = (views @ templates.T).max(0)
    by_name = {n: max(s for m, s in zip(names, scores, strict=True) if m == n) for n in set(names)}
    first, second = sorted(by_name, key=lambda n: by_name[n], reverse=True)[:2]
    clear = by_name[first] > 0.7 and by_name[first] - by_name[second] > 0.03
    return first if clear else "?"


@cache
def _templates(height: int, width: int) -> tuple[list[str], np.ndarray]:
    """Names and zero-mean unit-norm rows of every glyph that may be read."""
    pairs = [(c, f) for c in "0123456789+-=" for f in range(len(FONTS))]
    rows = np.stack([glyph(c, f, height, width).ravel() for c, f in pairs])
    rows = rows - rows.mean(1, keepdims=True)
    return [c for c, _ in pairs], rows / np.linalg.norm(rows, axis=1, keepdims=True)


def _drift(frames: np.ndarray, problem: Problem) -> float:
    """Largest mean change from the first frame (levels of 255) outside the answer's cells."""
    size = frames.shape[1]
    keep = np.ones(frames.shape[1:3], bool)
    top, left, height, width = _cell(4, problem, size)
    keep[max(top, 0) : top + height, left : left + 2 * width] = False
    change = np.abs(frames[1:].astype(np.float32) - frames[0].astype(np.float32))
    return float(change[:, keep].mean((1, 2)).max(initial=0))


COMPONENT = Equations
