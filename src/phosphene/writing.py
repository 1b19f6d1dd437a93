"""Writing: lines of characters in cells, drawn stroke by stroke, and the tones that spell them."""

from __future__ import annotations

from typing import NamedTuple, Protocol

import numpy as np

from phosphene.draw import cell_width, glyph, place
from phosphene.sound import finish, mix, strongest, tone
from phosphene.task import Canvas

# The ten digits sound as ten steps of a major scale from C5; signs lie below them.
SCALE = 523.25 * 2 ** (np.array([0, 2, 4, 5, 7, 9, 11, 12, 14, 16]) / 12)
PITCH = {**dict(zip("0123456789", SCALE, strict=True)), "-": 392.0, "/": 440.0, ":": 330.0}

# Of `draw.FONTS` those whose zero is no eight in thick strokes: Liberation Mono's has a dot.
CLEAR_FONTS = (0, 1, 2, 4)


class Cell(NamedTuple):
    """Where one character stands, in pixels."""

    character: str
    top: int
    left: int
    height: int
    width: int


class Face(Protocol):
    """A typeface; hashable, equal where it draws alike."""

    def coverage(self, character: str, height: int, width: int) -> np.ndarray:
        """Coverage of a character in its cell, float32 `(height, width)` in 0..1."""
        ...

    def cell(self, character: str) -> tuple[int, int]:
        """The height and width in pixels of a cell that suits it."""
        ...


class FontFace(NamedTuple):
    """One of `draw.FONTS`, by number."""

    font: int

    def coverage(self, character: str, height: int, width: int) -> np.ndarray:
        return glyph(character, self.font, height, width)

    def cell(self, character: str) -> tuple[int, int]:
        return 16, 10


class Line(NamedTuple):
    """A line of characters in cells of 10:16.

    Fields: `text`; `left`, `top` of its first cell and the cells' `height`, as shares of the
    picture's side.
    """

    text: str
    left: float
    top: float
    height: float = 16 / 64

    def cells(self, size: int) -> list[Cell]:
        """One cell a character, on a picture of that side."""
        height = round(size * self.height)
        width, left, top = cell_width(height), round(size * self.left), round(size * self.top)
        return [Cell(c, top, left + i * width, height, width) for i, c in enumerate(self.text)]

    def end(self, size: int) -> int:
        """The pixel column behind its last cell."""
        return round(size * self.left) + len(self.text) * cell_width(round(size * self.height))


def write(
    picture: np.ndarray, line: Line, font: int, ink: np.ndarray, shown: float = np.inf
) -> None:
    """Write a line onto a picture `(s, s, 3)`, in place, its first `shown` characters.

    Of the character that `shown` falls into, its part from the left is there.
    """
    for i, cell in enumerate(line.cells(len(picture))):
        share = shown - i
        if share <= 0:
            return
        coverage = glyph(cell.character, font, cell.height, cell.width)
        if share < 1:
            coverage = coverage * np.clip(share * cell.width - np.arange(cell.width), 0, 1)
        place(picture, coverage, cell.top, cell.left, ink)


def film_writing(
    given: np.ndarray, answer: Line, font: int, ink: np.ndarray, times: np.ndarray
) -> np.ndarray:
    """An answer being written onto a picture `(s, s, 3)`, at `times` `(n,)`: `(n, s, s, 3)`."""
    pictures = np.repeat(given[None], len(times), 0)
    shown = characters_shown(times, len(answer.text))
    for picture, count in zip(pictures, shown, strict=True):
        write(picture, answer, font, ink, count)
    return pictures


def misprint(text: str, rng: np.random.Generator, signs: str) -> str:
    """A text with one digit, or one of `signs`, replaced by another; no number begins with 0."""
    places = [i for i, c in enumerate(text) if c in signs or c.isdigit()]
    at = int(rng.choice(places))
    if text[at] in signs:
        others = signs
    else:
        inside = text[:at][-1:].isdigit()
        alone = not inside and not text[at + 1 :][:1].isdigit()
        others = "123456789" + "0" * (inside or alone)
    other = rng.choice([c for c in others if c != text[at]])
    return f"{text[:at]}{other}{text[at + 1 :]}"


def pace(characters: int) -> float:
    """How long each character of an answer takes, in eighths of the clip.

    The whole answer stands longer than any part of it.
    """
    return 2.0 if characters < 3 else 5 / characters


def characters_shown(times: np.ndarray, characters: int) -> np.ndarray:
    """How many characters of an answer are there at `times` `(n,)` in 0..1, with fractions."""
    return (times * 8 - 1) / pace(characters)


def spell(text: str, canvas: Canvas) -> np.ndarray:
    """The sound of an answer being written: a tone a character, `(1, samples)`."""
    beat = max(canvas.frames - 1, 1) / 8 / canvas.fps
    track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
    each = pace(len(text))
    for i, character in enumerate(text):
        sound = tone(round(each * beat * canvas.rate), canvas.rate, PITCH[character])
        mix(track, sound, (2 + each * i) * beat, canvas.rate)
    return finish(track, canvas.rate)


def hear_spelled(track: np.ndarray, rate: int) -> str:
    """The characters that a track `(samples,)` of such tones spells, `?` where none is clear."""
    hop = max(round(0.004 * rate), 1)
    envelope = np.abs(track[: len(track) // hop * hop]).reshape(-1, hop).max(1)
    if envelope.max(initial=0) < 0.05:
        return ""
    loud = np.concatenate([[False], envelope > 0.5 * envelope.max(), [False]])
    edges = np.flatnonzero(loud[1:] != loud[:-1]) * hop
    names, pitches = list(PITCH), np.array(list(PITCH.values()))
    out = ""
    for start, stop in zip(edges[::2], edges[1::2], strict=True):
        if stop - start < 0.04 * rate:
            continue
        best, share = strongest(track[start:stop], rate, pitches)
        out += names[best] if share > 0.3 else "?"
    return out
