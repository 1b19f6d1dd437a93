"""N queens: a chessboard with some of its queens; the missing ones have one place each."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._picture import (
    away,
    beside,
    box,
    page_colour,
    repainted,
    resize,
    shrink,
    stability,
)
from phosphene.verdict import Verdict

Square = tuple[int, int]  # row, column
SMALLEST, LARGEST = 4, 20
# Levels of 255 by which a pixel differs from its square where a queen begins and where it's sure.
FAINT, CONTRAST = 28, 90
# Side in pixels at which two squares' drawings are compared, and how far they may be apart.
GLYPH, LEEWAY = 24, 3
ALIKE = 0.75


class NQueens(Puzzle):
    """Queens on an n by n board, none of which attacks another.

    Read: `size`, `queens` as `[row, column]` from the top left, sorted, `box` (top, bottom, left,
    right of the board as shares of the picture's height and width).

    Judged: the last frame must show every missing queen, drawn like the given ones, and nothing
    else. Given queens and empty squares must stay (givens) and hold still (stability).
    """

    name: ClassVar[str] = "n_queens"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1000)
        frame = _board(small)
        n, colours = _squares(small, frame)
        glyphs = _glyphs(small, frame, n, colours)
        amount = glyphs.mean((2, 3))
        if ((amount > 0.02) & (amount < 0.06)).any():
            raise Unreadable("a square that is neither empty nor holds a queen")
        queens = [(int(r), int(c)) for r, c in np.argwhere(amount >= 0.06)]
        if not queens:
            raise Unreadable("no queens on the board")
        typical = np.median([glyphs[q] for q in queens], 0)
        if min(_likeness(glyphs[q], typical) for q in queens) < 0.85:
            raise Unreadable("the pieces on the board don't all look the same")
        if any(_attacks(a, b) for i, a in enumerate(queens) for b in queens[:i]):
            raise Unreadable("queens attack each other")
        h, w = small.shape[:2]
        top, bottom, left, right = frame
        return {
            "size": n,
            "queens": [list(q) for q in queens],
            "box": [top / h, bottom / h, left / w, right / w],
        }

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        """`missing_queen_positions` of the first completion by rows, and how many there are."""
        found = _completions(parsed["size"], [(r, c) for r, c in parsed["queens"]])
        if not found:
            raise Unreadable("no completion: some queen can't be placed")
        return {
            "missing_queen_positions": [list(q) for q in found[0]],
            "completions": len(found),
        }

    def answer(self, parsed: Mapping[str, Any], item: PackItem) -> str | None:
        ask = item.prompt.lower()
        size = re.search(r"(\d+)\s*[*x×]\s*(\d+)\s+chessboard", ask)
        if size and {int(size[1]), int(size[2])} != {parsed["size"]}:
            raise Unreadable(f"the question speaks of {size[0]}, the picture of {parsed['size']}")
        given = re.search(r"(\d+) queens have already been placed", ask)
        if given and int(given[1]) != len(parsed["queens"]):
            raise Unreadable(
                f"the question speaks of {given[1]} queens, the picture shows "
                f"{len(parsed['queens'])}"
            )
        if "manhattan distance" not in ask:
            raise Unreadable("doesn't ask for a Manhattan distance")
        found = _completions(parsed["size"], [(r, c) for r, c in parsed["queens"]])
        if parsed["size"] - len(parsed["queens"]) != 2 or not found:
            raise Unreadable("needs exactly two queens missing")
        # Two completions, where there are two, swap columns: the distance is the same.
        (r0, c0), (r1, c1) = found[0]
        return str(abs(r0 - r1) + abs(c0 - c1))

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        try:
            parsed = self.read(picture)
            shown, frames = beside(picture, clip)
            return _judge(parsed, shown, frames)
        except Unreadable as error:
            return Verdict("unreadable", reason=str(error))


def _board(small: np.ndarray) -> tuple[int, int, int, int]:
    """Top, bottom, left, right of all that differs from the page."""
    h, w = small.shape[:2]
    frame = box(away(small, page_colour(small)) > 24, min(h, w) // 3)
    if frame is None:
        raise Unreadable("no chessboard")
    top, bottom, left, right = frame
    if min(top, left, h - bottom, w - right) == 0:
        # No page shows around the board: the page's colour was a square's.
        frame = top, bottom, left, right = 0, h, 0, w
    if abs((bottom - top) / (right - left) - 1) > 0.03:
        raise Unreadable("no square board")
    return frame


def _squares(small: np.ndarray, frame: tuple[int, int, int, int]) -> tuple[int, np.ndarray]:
    """Squares along a side, and the two colours `(2, 3)` that alternate.

    A square's colour is the median of a band just inside its edge, where no piece reaches.
    """
    for n in range(SMALLEST, LARGEST + 1):
        seen = np.empty((n, n, 3), np.float32)
        for r in range(n):
            for c in range(n):
                patch = _square(small, frame, n, r, c, 0.03)
                band = max(1, round(0.06 * len(patch)))
                sides = [patch[:band], patch[-band:], patch[:, :band], patch[:, -band:]]
                seen[r, c] = np.median(np.concatenate([s.reshape(-1, 3) for s in sides]), 0)
        odd = np.indices((n, n)).sum(0) % 2 == 1
        colours = np.array([np.median(seen[~odd], 0), np.median(seen[odd], 0)])
        spread = max(away(seen[~odd], colours[0]).max(), away(seen[odd], colours[1]).max())
        if np.abs(colours[0] - colours[1]).max() > max(24, 4 * spread):
            return n, colours
    raise Unreadable("no chessboard of squares in two alternating colours")


def _square(
    picture: np.ndarray, frame: tuple[int, int, int, int], n: int, r: int, c: int, inset: float
) -> np.ndarray:
    """The pixels of one square, less `inset` of its side at each edge."""
    top, bottom, left, right = frame
    h, w = (bottom - top) / n, (right - left) / n
    rows = slice(round(top + (r + inset) * h), round(top + (r + 1 - inset) * h))
    return picture[rows, round(left + (c + inset) * w) : round(left + (c + 1 - inset) * w)]


def _glyphs(
    picture: np.ndarray, frame: tuple[int, int, int, int], n: int, colours: np.ndarray
) -> np.ndarray:
    """What is drawn on each square, float `(n, n, GLYPH, GLYPH)`: 1 where it hides the square."""
    out = np.empty((n, n, GLYPH, GLYPH), np.float32)
    for r in range(n):
        for c in range(n):
            patch = _square(picture, frame, n, r, c, 0.06)
            ink = (away(patch, colours[(r + c) % 2]) - FAINT) / (CONTRAST - FAINT) * 255
            ink = ink.clip(0, 255).astype(np.uint8)
            out[r, c] = resize(np.repeat(ink[..., None], 3, -1), GLYPH, GLYPH)[..., 0] / 255
    return out


def _likeness(glyph: np.ndarray, other: np.ndarray) -> float:
    """Cosine of two drawings in -1..1, each less its mean, at the best of small shifts."""
    best = -1.0
    b = other - other.mean()
    for dy in range(-LEEWAY, LEEWAY + 1):
        for dx in range(-LEEWAY, LEEWAY + 1):
            a = np.roll(glyph, (dy, dx), (0, 1))
            a = a - a.mean()
            norm = float(np.linalg.norm(a) * np.linalg.norm(b))
            best = max(best, float((a * b).sum()) / norm if norm > 0 else -1.0)
    return best


def _attacks(a: Square, b: Square) -> bool:
    return a[0] == b[0] or a[1] == b[1] or abs(a[0] - b[0]) == abs(a[1] - b[1])


def _completions(n: int, given: list[Square], most: int = 1000) -> list[list[Square]]:
    """Every way to place the missing queens, each sorted by row; at most `most` of them."""
    rows = [r for r in range(n) if r not in {q[0] for q in given}]
    found: list[list[Square]] = []

    def place(placed: list[Square]) -> None:
        if len(placed) == len(rows):
            found.append(placed)
            return
        for c in range(n):
            queen = (rows[len(placed)], c)
            if len(found) < most and not any(_attacks(queen, q) for q in [*given, *placed]):
                place([*placed, queen])

    place([])
    return found


def _judge(parsed: Mapping[str, Any], shown: np.ndarray, frames: np.ndarray) -> Verdict:
    n, h, w = parsed["size"], shown.shape[0], shown.shape[1]
    top, bottom, left, right = (
        round(s * k) for s, k in zip(parsed["box"], (h, h, w, w), strict=True)
    )
    frame = (top, bottom, left, right)
    if (bottom - top) / n < 12:
        return Verdict("unreadable", reason="squares of under 12 pixels are too small to judge")
    given = [(r, c) for r, c in parsed["queens"]]
    # The squares' colours come from the picture, so that a repainted board shows as change.
    colours = _squares(shown, frame)[1]
    before, after = (_glyphs(p, frame, n, colours) for p in (shown, frames[-1]))
    typical = np.median([before[q] for q in given], 0)
    kept = {q: _likeness(after[q], before[q]) for q in given}
    free = [(r, c) for r in range(n) for c in range(n) if (r, c) not in given]
    marked = [q for q in free if after[q].mean() > 0.03]
    drawn = [q for q in marked if _likeness(after[q], typical) > ALIKE]
    odd = sorted(set(marked) - set(drawn))
    wanted = _completions(n, given)
    right_places = any(sorted(drawn) == places for places in wanted)
    lost = [list(q) for q, like in kept.items() if like < ALIKE]
    if not marked:
        reason = "no queen was added"
    elif odd:
        reason = f"{len(odd)} squares hold something that isn't a queen like the given ones"
    else:
        reason = f"{len(drawn)} queens added, {'in' if right_places else 'not in'} the right places"
    moving = np.zeros((h, w), bool)
    for q in marked:
        moving |= _mask(frame, n, q, (h, w))
    for places in wanted[:1]:
        for q in places:
            moving |= _mask(frame, n, q, (h, w))
    settled = repainted(frames[-1], shown)[~moving]
    return Verdict(
        answer="passed" if right_places and not odd else "failed",
        givens="failed" if lost or settled.mean() > 0.03 else "passed",
        stability=stability(frames, shown, ~moving),
        reason=reason + (f"; {len(lost)} given queens are gone" if lost else ""),
        evidence={"added": [list(q) for q in drawn], "odd": [list(q) for q in odd], "lost": lost},
    )


def _mask(
    frame: tuple[int, int, int, int], n: int, square: Square, size: tuple[int, int]
) -> np.ndarray:
    """Bool `(h, w)`: the pixels of one square."""
    mask = np.zeros(size, bool)
    _square(mask, frame, n, *square, 0.0)[...] = True
    return mask


COMPONENT = NQueens
