"""Sudoku of 4 x 4: the missing digits are written in; each sounds as a step of a scale."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from itertools import permutations, product
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import FONTS, blend, box, cell_width, glyph, palette, place
from phosphene.errors import PhospheneError
from phosphene.readers.cells import cell_box
from phosphene.readers.digits import Written, printed
from phosphene.readers.ink import drawn
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading

PROMPTS = (
    "solve the sudoku: write a digit into every empty cell",
    "fill in the empty cells so that every row, every column and every 2 by 2 block holds the "
    "digits 1 to 4 once; leave the printed digits unchanged",
    "complete the 4 by 4 sudoku grid with the missing digits, with a static camera",
)
MARGIN = 2 / 64  # share of the side left free around the grid
EM = 1.15  # height of a digit's em in cells
PITCH = 523.25 * 2 ** (np.array([0, 0, 4, 7, 12]) / 12)  # Hz of the digits 1 to 4


@dataclass(frozen=True)
class Sudoku(Task):
    """Digits 1 to 4 in a 4 x 4 grid; the printed ones leave exactly one solution.

    Any of the 288 full grids, with any cells blank that leave it unique: from 26,000 puzzles of
    twelve blanks to three million of eight. One in ten is held out of training, together with all
    that other names of the digits, turns or flips make of it.

    Args:
        blanks: empty cells, 1..12.
        variety: 0 for one font and fixed colours, 1 for all of them.
    """

    blanks: int = 6
    variety: float = 1.0
    name: ClassVar[str] = "sudoku"
    LADDER = tuple({"blanks": n} for n in (2, 4, 6, 8, 10, 12))

    def __post_init__(self) -> None:
        if not 1 <= self.blanks <= 12:
            raise PhospheneError(f"sudoku.blanks must lie in 1..12; got {self.blanks}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 13])
        while True:
            full = grids()[rng.integers(len(grids()))]
            given = _blanked(rng, full, self.blanks)
            if given is not None and (split == "test") == held_out(_instance(full, given), 10):
                break
        varied = rng.random() < self.variety
        state = {
            "given": given.reshape(4, 4).tolist(),
            "answer": full[given == 0].tolist(),
            "font": int(rng.integers(len(FONTS))) if varied else 0,
            "colours": palette(rng, 2, self.variety).tolist(),
        }
        rows = ", ".join("".join(str(d) if d else "?" for d in row) for row in state["given"])
        caption = f"a 4 by 4 sudoku is solved: {rows}"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        size, answer = canvas.size, problem.state["answer"]
        colours = np.array(problem.state["colours"], np.float32)
        given = _ruled(size, colours)
        for (r, c), digit in np.ndenumerate(np.array(problem.state["given"])):
            _write(given, int(digit), r, c, problem, colours[1])
        pictures = np.empty((len(times), size, size, 3), np.float32)
        blank, written, base = _blank(problem), 0, given
        for k in np.argsort(times, kind="stable"):
            shown = min(float(times[k]) * 9 / 8, 1) * len(answer)
            while written < int(shown):
                _write(base, answer[written], *blank[written], problem, colours[2])
                written += 1
            pictures[k] = base
            if written < len(answer):
                part = shown - written
                _write(pictures[k], answer[written], *blank[written], problem, colours[2], part)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        answer = problem.state["answer"]
        beat = canvas.seconds * 8 / 9 / len(answer)
        for i, digit in enumerate(answer):
            if digit:
                note = tone(round(beat * canvas.rate), canvas.rate, float(PITCH[digit]))
                mix(track, note, i * beat, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        inside = np.zeros((size, size), bool)
        for r, c in _blank(problem):
            inside[_inner(r, c, size)] = True
        return inside

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        size, blank = len(first), _blank(problem)
        ink, reader = drawn(frames, first), Written()
        readings = []
        for frame, added in zip(frames, ink, strict=True):
            digits = reader([added[_inner(r, c, size)] for r, c in blank])
            unclear = [_name(*cell) for cell, d in zip(blank, digits, strict=True) if d == "?"]
            marks = tuple(
                Mark("text", ((c + 0.5) / 4, (r + 0.5) / 4), d)
                for (r, c), d in zip(blank, digits, strict=True)
                if d
            )
            readings.append(
                Reading(
                    [int(d or 0) for d in digits] if any(digits) and not unclear else None,
                    f"no clear digit in {', '.join(unclear)}" if unclear else "",
                    _altered(problem, frame, first, added),
                    marks,
                )
            )
        return readings

    def work_out(self, problem: Problem) -> Any:
        given = np.array(problem.state["given"]).ravel()
        fits = (grids() == given)[:, given > 0].all(1)
        (full,) = grids()[fits]
        return full[given == 0].tolist()

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return rng.integers(1, 5, len(_blank(problem))).tolist()

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        given = np.array(problem.state["given"])
        r, c = rng.permutation(np.argwhere(given))[0]
        given[r, c] = 1 + (given[r, c] + rng.integers(3)) % 4
        return replace(problem, state={**problem.state, "given": given.tolist()})

    def say(self, answer: Any) -> str:
        return "".join(str(d) if d else "_" for d in answer)


@cache
def grids() -> np.ndarray:
    """The 288 full grids, `(288, 16)`."""
    rows = list(permutations(range(1, 5)))
    tops = [(a, b) for a, b in product(rows, rows) if not {*a[:2]} & {*b[:2]} | {*a[2:]} & {*b[2:]}]
    every = np.array([(*top, *low) for top, low in product(tops, tops)])
    return every[(np.sort(every, 1) == np.arange(1, 5)[:, None]).all((1, 2))].reshape(-1, 16)


def _blanked(rng: np.random.Generator, full: np.ndarray, blanks: int) -> np.ndarray | None:
    """The grid with so many cells at 0 and still one solution; None where chance finds no such."""
    given = full.copy()
    for cell in rng.permutation(16):
        keep = given > 0
        keep[cell] = False
        if (grids() == full)[:, keep].all(1).sum() == 1:
            given[cell] = 0
        if (given == 0).sum() == blanks:
            return given
    return None


def _instance(full: np.ndarray, given: np.ndarray) -> str:
    """One spelling for all puzzles that are the same but for names of digits, turns and flips."""
    grid, known = full.reshape(4, 4), given.reshape(4, 4) > 0
    spelt = []
    for flip, turn in product((False, True), range(4)):
        a = np.rot90(grid.T if flip else grid, turn).ravel()
        b = np.rot90(known.T if flip else known, turn).ravel()
        names = {int(d): str(k + 1) for k, d in enumerate(dict.fromkeys(a))}
        spelt.append("".join(names[int(d)] if k else "." for d, k in zip(a, b, strict=True)))
    return f"sudoku {min(spelt)}"


def _blank(problem: Problem) -> list[tuple[int, int]]:
    """The empty cells in reading order."""
    return [(int(r), int(c)) for r, c in np.argwhere(np.array(problem.state["given"]) == 0)]


def _name(row: int, column: int) -> str:
    return f"row {row + 1} column {column + 1}"


def _inner(row: int, column: int, size: int) -> tuple[slice, slice]:
    """A cell less the lines around it, in pixels."""
    x0, y0, x1, y1 = cell_box(row, column, 4, size, MARGIN)
    line = size / 64
    across = slice(round(x0 + line), round(x1 - line))
    return slice(round(y0 + line), round(y1 - line)), across


def _ruled(size: int, colours: np.ndarray) -> np.ndarray:
    """Paper with the empty grid: thin lines between cells, strong ones around blocks."""
    edge, side, unit = size * MARGIN, size * (1 - 2 * MARGIN), size / 64
    cover = np.zeros((size, size), np.float32)
    for k in range(5):
        at, half = edge + k * side / 4, unit / 2
        line = box(size, edge - half, at - half, edge + side + half, at + half)
        line *= 0.85 if k % 2 == 0 else 0.3
        cover = np.maximum(cover, np.maximum(line, line.T))
    return blend(np.broadcast_to(colours[0], (size, size, 3)), cover, colours[1])


def _em(size: int) -> int:
    return round(EM * size * (1 - 2 * MARGIN) / 4)


def _write(
    picture: np.ndarray,
    digit: int,
    row: int,
    column: int,
    problem: Problem,
    ink: np.ndarray,
    shown: float = 1.0,
) -> None:
    """Write a digit into its cell, in place; `shown` is the share revealed from the left.

    0 stands for no digit.
    """
    if digit == 0 or shown == 0:
        return
    size = len(picture)
    height = _em(size)
    cover = glyph(str(digit), problem.state["font"], height, cell_width(height))
    if shown < 1:
        cover = cover * np.clip(shown * cover.shape[1] - np.arange(cover.shape[1]), 0, 1)
    x0, y0, x1, y1 = cell_box(row, column, 4, size, MARGIN)
    # Digits reach from 0.13 to 0.82 of their em.
    top = (y0 + y1) / 2 - 0.475 * height
    place(picture, cover, round(top), round((x0 + x1 - cover.shape[1]) / 2), ink)


def _altered(
    problem: Problem, frame: np.ndarray, first: np.ndarray, added: np.ndarray
) -> tuple[str, ...]:
    """The printed digits that are no longer what they were."""
    size = len(frame)
    colours = np.array(problem.state["colours"], np.float32)
    out = []
    for (r, c), digit in np.ndenumerate(np.array(problem.state["given"])):
        inside = _inner(r, c, size)
        if digit and added[inside].mean() > 0.02:
            away = np.linalg.norm(frame[inside] - colours[0], axis=-1)
            ink = np.clip(away / np.linalg.norm(colours[1] - colours[0]), 0, 1)
            read = printed(ink.astype(np.float32), problem.state["font"], _em(size))
            if read != str(digit):
                out.append(f"{_name(r, c)} reads {read}")
    return tuple(out)


COMPONENT = Sudoku
