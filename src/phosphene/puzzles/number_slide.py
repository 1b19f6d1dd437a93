"""Number slide: an n by n board of numbered tiles, one place open."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._picture import (
    away,
    beside,
    box,
    page_colour,
    pieces,
    resize,
    shrink,
    stability,
)
from phosphene.verdict import Part, Verdict

Board = tuple[tuple[int, ...], ...]  # rows of numbers, 0 is the open place
# Row and column by which the open place moves.
MOVES = {"up": (-1, 0), "down": (1, 0), "left": (0, -1), "right": (0, 1)}
SIZES = (2, 3, 4, 5, 6)
DIGITS = "0123456789"
SURE = 0.8
# A question of many moves would ask for boards without end.
MOST_MOVES = 8
# Side in pixels at which a judge compares what stands on two tiles.
FACE = 48


class NumberSlide(Puzzle):
    """What boards come of moves of the open place.

    Read: `grid`, rows of numbers with 0 for the open place; `tiles`, the top, bottom, left and
    right of each place as shares of the picture's height and width, row by row.

    Judged: the question is in words, which a judge of pictures doesn't see. What the picture alone
    asks of a clip is that tiles slide by the rules: the last frame must show another board of the
    same tiles (answer, givens), and each board that can be read on the way must follow from the one
    before in as many moves as there are frames between them, or fewer (process).
    """

    name: ClassVar[str] = "number_slide"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1000)
        n, places, open_place = _places(small)
        crops = {k: _inside(small, p) for k, p in enumerate(places) if k != open_place}
        grid = [0] * (n * n)
        for (k, crop), text in zip(crops.items(), _numbers(list(crops.values())), strict=True):
            where = f"the tile in row {k // n + 1}, column {k % n + 1}"
            if not text:
                raise Unreadable(f"{where} has no clear number")
            if _marks(crop) != len(text):
                raise Unreadable(f"{where} reads {text} but shows {_marks(crop)} digits")
            grid[k] = int(text)
        if sorted(grid) != list(range(n * n)):
            raise Unreadable(f"the tiles aren't 1 to {n * n - 1}, each once: {sorted(grid)[1:]}")
        h, w = small.shape[:2]
        return {
            "grid": [grid[r * n : r * n + n] for r in range(n)],
            "tiles": [[t / h, b / h, left / w, right / w] for t, b, left, right in places],
        }

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        """The boards after one move, by the direction in which the open place goes."""
        board = _board(parsed)
        after = {name: _moved(board, name) for name in MOVES}
        return {
            "starting_grid": [list(row) for row in board],
            "after": {name: [list(r) for r in b] for name, b in after.items() if b is not None},
        }

    def answer(self, parsed: Mapping[str, Any], item: PackItem) -> str | None:
        board, ask = _board(parsed), " ".join(item.prompt.lower().split())
        size = re.search(r"(\d+)\s*[*x×]\s*(\d+) tile", ask)
        if size and {int(size[1]), int(size[2])} != {len(board)}:
            raise Unreadable(f"the question speaks of {size[0]}s, the picture shows {len(board)}")
        count = re.search(r"(\d+) moves?\b", ask)
        if not count or int(count[1]) > MOST_MOVES:
            raise Unreadable("doesn't say how many moves, or too many")
        moves = int(count[1])
        if "sequence:" in ask:
            return str(_after_sequence(board, moves, ask))
        final = list(_after(board, moves))
        if "how many unique" in ask:
            return str(len(set(final)))
        line = re.search(r"(minimum|maximum) sum .*\b(top|bottom|left|right)[ -]?most", ask)
        if not line:
            raise Unreadable("asks for neither boards nor sums nor a sequence of moves")
        sums = [sum(_line(b, line[2])) for b in final]
        return str(min(sums) if line[1] == "minimum" else max(sums))

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        try:
            parsed = self.read(picture)
            shown, frames = beside(picture, clip)
            return _judge(parsed, shown, frames)
        except Unreadable as error:
            return Verdict("unreadable", reason=str(error))


def _places(small: np.ndarray) -> tuple[int, list[tuple[int, int, int, int]], int]:
    """Tiles along a side; every place's box (top, bottom, left, right); the open one's index.

    A tile is a closed outline: paper that is cut off from the rest, as large as its fellows.
    """
    from scipy import ndimage

    ink = away(small, page_colour(small)) > 28
    frame = box(ink)
    if frame is None:
        raise Unreadable("the picture is blank")
    side = max(frame[1] - frame[0], frame[3] - frame[2])
    labels, _ = pieces(~ink)
    found = []
    for index, (ys, xs) in enumerate(ndimage.find_objects(labels), 1):
        h, w = ys.stop - ys.start, xs.stop - xs.start
        large = side / (SIZES[-1] + 2) < min(h, w) and max(h, w) < side / SIZES[0]
        if large and abs(h / w - 1) < 0.1 and (labels[ys, xs] == index).mean() > 0.6:
            found.append((ys.start, ys.stop, xs.start, xs.stop))
    n = round((len(found) + 1) ** 0.5)
    if n not in SIZES or n * n != len(found) + 1:
        raise Unreadable(f"{len(found)} tiles don't fill a square board but for one place")
    sides = np.array([(b - t, r - left) for t, b, left, r in found])
    if np.ptp(sides) > 0.1 * sides.min():
        raise Unreadable("the tiles aren't all of one size")
    return n, *_on_grid(found, n)


def _on_grid(
    found: list[tuple[int, int, int, int]], n: int
) -> tuple[list[tuple[int, int, int, int]], int]:
    """The tiles' boxes row by row with the open place filled in, and its index."""
    tiles = np.array(found, float)
    ys, xs = tiles[:, :2].mean(1), tiles[:, 2:].mean(1)
    pitch_y, pitch_x = np.ptp(ys) / (n - 1), np.ptp(xs) / (n - 1)
    if min(pitch_y, pitch_x) < 1:
        raise Unreadable("the tiles stand in one line")
    rows, columns = (ys - ys.min()) / pitch_y, (xs - xs.min()) / pitch_x
    if max(np.abs(rows - rows.round()).max(), np.abs(columns - columns.round()).max()) > 0.1:
        raise Unreadable("the tiles don't stand in rows and columns")
    index = (rows.round() * n + columns.round()).astype(int)
    missing = set(range(n * n)) - set(index.tolist())
    if len(missing) != 1 or abs(pitch_x / pitch_y - 1) > 0.1:
        raise Unreadable("the tiles don't stand in rows and columns")
    open_place = missing.pop()
    h, w = np.median(tiles[:, 1] - tiles[:, 0]), np.median(tiles[:, 3] - tiles[:, 2])
    boxes: dict[int, tuple[int, int, int, int]] = dict(zip(index.tolist(), found, strict=True))
    y = ys.min() + open_place // n * pitch_y
    x = xs.min() + open_place % n * pitch_x
    boxes[open_place] = (round(y - h / 2), round(y + h / 2), round(x - w / 2), round(x + w / 2))
    return [boxes[k] for k in range(n * n)], open_place


def _inside(picture: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    """A tile without its outline and round corners."""
    top, bottom, left, right = place
    inset = round(0.09 * (bottom - top))
    return picture[top + inset : bottom - inset, left + inset : right - inset]


def _numbers(crops: list[np.ndarray]) -> list[str]:
    """The number on each tile, empty where it isn't clear.

    A reader of lines is at times unsure of a lone digit. Such a tile is read again as a line of
    three copies of itself, and counts only if that reads as the same number three times.
    """
    from phosphene.readers.ocr import read_lines

    found = []
    for crop, (text, sure) in zip(crops, read_lines(crops, DIGITS), strict=True):
        if sure < SURE:
            ink = box(away(crop, page_colour(crop)) > 90)
            if ink is None:
                text = ""
            else:
                room = (ink[1] - ink[0]) // 2
                cut = crop[:, max(ink[2] - room, 0) : ink[3] + room]
                again, sure = read_lines([np.concatenate([cut] * 3, 1)], DIGITS)[0]
                text = text if again == text * 3 and sure >= SURE else ""
        found.append(text)
    return found


def _marks(crop: np.ndarray) -> int:
    """How many separate marks stand side by side: groups of columns that hold ink."""
    ink = (away(crop, page_colour(crop)) > 90).any(0)
    return int((np.diff(np.concatenate([[0], ink.astype(int)])) == 1).sum())


def _board(parsed: Mapping[str, Any]) -> Board:
    return tuple(tuple(row) for row in parsed["grid"])


def _moved(board: Board, direction: str) -> Board | None:
    """The board after the open place moved, None where it would leave the board."""
    n = len(board)
    r, c = next((r, row.index(0)) for r, row in enumerate(board) if 0 in row)
    to_r, to_c = r + MOVES[direction][0], c + MOVES[direction][1]
    if not (0 <= to_r < n and 0 <= to_c < n):
        return None
    rows = [list(row) for row in board]
    rows[r][c], rows[to_r][to_c] = rows[to_r][to_c], 0
    return tuple(tuple(row) for row in rows)


def _after(board: Board, moves: int) -> set[Board]:
    """Every board that exactly so many moves can lead to."""
    boards = {board}
    for _ in range(moves):
        boards = {b for a in boards for d in MOVES if (b := _moved(a, d)) is not None}
    return boards


def _line(board: Board, side: str) -> tuple[int, ...]:
    """The top or bottom row, or the left or right column."""
    if side in ("top", "bottom"):
        return board[0 if side == "top" else -1]
    return tuple(row[0 if side == "left" else -1] for row in board)


def _after_sequence(board: Board, moves: int, ask: str) -> int:
    """What is asked of the open place's row or column after the moves that the question lists."""
    listed, _, rest = ask.split("sequence:", 1)[1].partition(".")
    names = re.findall(r"[a-z]+", listed)
    if len(names) != moves or not set(names) <= set(MOVES):
        raise Unreadable(f"the sequence {listed.strip()!r} isn't {moves} moves")
    after: Board | None = board
    for name in names:
        after = _moved(after, name)
        if after is None:
            raise Unreadable(f"the sequence {listed.strip()!r} leaves the board")
    along = re.search(r"\b(row|column)\b", rest)
    what = re.search(r"\b(sum|maximum|minimum)\b", rest)
    if not along or not what:
        raise Unreadable("asks neither for a sum nor for an extreme of a row or column")
    r, c = next((r, row.index(0)) for r, row in enumerate(after) if 0 in row)
    numbers = after[r] if along[1] == "row" else tuple(row[c] for row in after)
    if what[1] == "sum":
        return sum(numbers)
    # The open place holds no number.
    numbers = tuple(k for k in numbers if k)
    return max(numbers) if what[1] == "maximum" else min(numbers)


def _iterate(frames: np.ndarray) -> Iterator[tuple[int, np.ndarray]]:
    """Frames that differ from the one before, each with its index."""
    for k, frame in enumerate(frames):
        if k == 0 or k == len(frames) - 1 or not np.array_equal(frame, frames[k - 1]):
            yield k, frame


def _judge(parsed: Mapping[str, Any], shown: np.ndarray, frames: np.ndarray) -> Verdict:
    start, h, w = _board(parsed), shown.shape[0], shown.shape[1]
    places = [
        (round(t * h), round(b * h), round(left * w), round(r * w))
        for t, b, left, r in parsed["tiles"]
    ]
    if places[0][1] - places[0][0] < 20:
        return Verdict("unreadable", reason="tiles of under 20 pixels are too small to judge")
    faces = {number: _face(shown, p) for number, p in zip(sum(start, ()), places, strict=True)}
    boards = [(k, b) for k, f in _iterate(frames) if (b := _recognise(f, places, faces))]
    off_tiles = np.ones((h, w), bool)
    top, left = min(p[0] for p in places), min(p[2] for p in places)
    off_tiles[top - 2 : max(p[1] for p in places) + 2, left - 2 : max(p[3] for p in places) + 2] = 0
    steady = stability(frames, shown, off_tiles)
    if not boards or boards[-1][0] != len(frames) - 1:
        return Verdict("unreadable", stability=steady, reason="the last frame shows no clear board")
    last = boards[-1][1]
    legal = _legal([(0, start), *boards])
    same_tiles = sorted(sum(last, ())) == sorted(sum(start, ()))
    moved = last != start
    return Verdict(
        answer="passed" if moved and same_tiles else "failed",
        givens="passed" if same_tiles else "failed",
        process=legal if moved or len({b for _, b in boards}) > 1 else "not judged",
        stability=steady,
        reason=f"{'another board' if moved else 'no tile moved'}; slides {legal}",
        evidence={"last": [list(row) for row in last]},
    )


def _face(picture: np.ndarray, place: tuple[int, int, int, int]) -> np.ndarray:
    """What stands on a place, less its outline: float `(FACE, FACE)`, 0 (paper) to 255."""
    crop = _inside(picture, place)
    ink = np.clip(away(crop, page_colour(crop)), 0, 255).astype(np.uint8)
    return resize(np.repeat(ink[..., None], 3, -1), FACE, FACE)[..., 0].astype(np.float32)


def _recognise(
    frame: np.ndarray, places: list[tuple[int, int, int, int]], faces: dict[int, np.ndarray]
) -> Board | None:
    """The board in a frame by its likeness to the picture's own tiles; None where unclear."""
    n = round(len(places) ** 0.5)
    numbers = [number for number in faces if number]
    least = min(float(faces[number].mean()) for number in numbers)
    # Rows of shifted faces, each of length one: what is on a place may lie a little aside.
    known = np.array([[_unit(face) for face in _shifted(faces[number])] for number in numbers])
    found = []
    for place in places:
        seen = _face(frame, place)
        if seen.mean() < 0.2 * least:
            found.append(0)
            continue
        likeness = (known @ _unit(seen)).max(1)
        second, first = np.argsort(likeness)[-2:]
        if likeness[first] < 0.8 or likeness[first] - likeness[second] < 0.03:
            return None
        found.append(numbers[first])
    return tuple(tuple(found[r * n : r * n + n]) for r in range(n))


def _shifted(face: np.ndarray) -> list[np.ndarray]:
    """The face moved by up to three of its pixels each way."""
    return [np.roll(face, (y, x), (0, 1)) for y in range(-3, 4) for x in range(-3, 4)]


def _unit(face: np.ndarray) -> np.ndarray:
    """The face as a vector of length one."""
    return face.ravel() / max(float(np.linalg.norm(face)), 1e-6)


def _legal(boards: list[tuple[int, Board]]) -> Part:
    """Whether each board follows from the one before in at most a move a frame."""
    for (k, a), (j, b) in pairwise(boards):
        reached, goal_in = {a}, max(j - k, 1)
        for _ in range(min(goal_in, MOST_MOVES)):
            if b in reached:
                break
            reached |= {m for x in reached for d in MOVES if (m := _moved(x, d)) is not None}
        if b not in reached:
            return "failed" if goal_in <= MOST_MOVES else "unreadable"
    return "passed"


COMPONENT = NumberSlide
