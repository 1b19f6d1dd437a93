"""Tic-tac-toe: a board of crosses and noughts on which the player to move can win."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._grid import Grid, find_grid
from phosphene.puzzles._judging import outside, remembered, sides, steady
from phosphene.puzzles._picture import away, shrink
from phosphene.verdict import Part, Verdict

SMALLEST, LARGEST = 3, 9
CONTRAST = 60
Board = list[list[str]]


class TicTacToe(Puzzle):
    """An n by n board; n in a row, column or diagonal win.

    Read: `board`, rows of `"X"`, `"O"` or `""`; `turn`, who moves: the one with fewer marks; at
    equal numbers X, who begins, unless only O can win. Solved: `turn` and `moves`, every
    `[row, column]` that wins.

    Judged: the last frame must show one new mark, of the player to move, on a winning square
    (answer); the others must stay (givens); all but the winning square must hold still (stability).
    """

    name: ClassVar[str] = "tic_tac_toe"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1000)
        grid = find_grid(small)
        if grid.rows != grid.columns or not SMALLEST <= grid.rows <= LARGEST:
            raise Unreadable(f"a board of {grid.rows} x {grid.columns} squares")
        board = _board(small, grid)
        marks = [mark for row in board for mark in row]
        crosses, noughts = marks.count("X"), marks.count("O")
        if abs(crosses - noughts) > 1 or not crosses + noughts:
            raise Unreadable(f"{crosses} crosses and {noughts} noughts can't be on one board")
        if any(_wins(board, player) for player in "XO"):
            raise Unreadable("somebody has won already")
        return {
            "size": grid.rows,
            "board": board,
            "turn": _turn(board, crosses, noughts),
            "lines": grid.shares(small),
        }

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        moves = _winning(parsed["board"], parsed["turn"])
        if not moves:
            raise Unreadable(f"{parsed['turn']} is to move and can't win")
        return {"turn": parsed["turn"], "moves": [list(move) for move in moves]}

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        parsed = remembered(self, picture)
        solved = self.solve(parsed)
        both = sides(picture, clip)
        if isinstance(both, Verdict):
            return both
        beside, frames = both
        grid = Grid.placed(parsed["lines"], beside)
        seen = _look(frames[-1], grid)
        answer, givens, reason = _compare(parsed["board"], seen, solved)
        moves = [tuple(move) for move in solved["moves"]]
        return Verdict(
            answer=answer,
            givens=givens,
            stability=steady(frames, beside, outside(grid, beside.shape, moves)),
            reason=reason,
            evidence={"board": seen, **solved},
        )


def _compare(
    board: Board, seen: list[list[str | None]], solved: dict[str, Any]
) -> tuple[Part, Part, str]:
    squares = [(r, c) for r in range(len(board)) for c in range(len(board))]
    unclear = [s for s in squares if seen[s[0]][s[1]] is None]
    changed = [s for s in squares if s not in unclear and seen[s[0]][s[1]] != board[s[0]][s[1]]]
    given = [s for s in squares if board[s[0]][s[1]]]
    new = [s for s in changed if s not in given]
    givens: Part = "passed"
    if any(s in given for s in changed):
        givens = "failed"
    elif any(s in given for s in unclear):
        givens = "unreadable"
    if len(new) > 1:
        return "failed", givens, f"{len(new)} new marks instead of one"
    if any(s not in given for s in unclear):
        return "unreadable", givens, f"can't tell what is on {unclear[0]}"
    if not new:
        return "failed", givens, "no new mark"
    (row, column), mark = new[0], seen[new[0][0]][new[0][1]]
    right = mark == solved["turn"] and [row, column] in solved["moves"]
    told = f"{mark} on row {row}, column {column}"
    wins = " or ".join(f"row {r}, column {c}" for r, c in solved["moves"])
    return "passed" if right else "failed", givens, f"{told}; {solved['turn']} wins on {wins}"


def _board(picture: np.ndarray, grid: Grid) -> Board:
    seen = _look(picture, grid)
    board: Board = []
    for r, row in enumerate(seen):
        if None in row:
            raise Unreadable(
                f"row {r}, column {row.index(None)} is neither empty nor an X nor an O"
            )
        board.append([mark for mark in row if mark is not None])
    return board


def _look(picture: np.ndarray, grid: Grid) -> list[list[str | None]]:
    """What is on each square; None where it can't be told."""
    return [
        [_mark(picture[grid.cell(row, column, 0.09)]) for column in range(grid.columns)]
        for row in range(grid.rows)
    ]


def _mark(square: np.ndarray) -> str | None:
    """`""`, `"X"` or `"O"` by shape: a ring encloses most of its box, a cross lies on diagonals."""
    from scipy import ndimage

    if min(square.shape[:2]) < 8:
        return None
    edge = np.concatenate([square[0], square[-1], square[:, 0], square[:, -1]])
    ink = away(square, np.median(edge, 0)) > CONTRAST
    share = float(ink.mean())
    if share < 0.008:
        return ""
    if share > 0.6:
        return None
    # Specks of noise aren't part of the mark.
    found: Any = ndimage.label(ink, np.ones((3, 3)))
    labels = found[0]
    sizes = np.bincount(labels.ravel())[1:]
    mark = labels == 1 + int(sizes.argmax())
    if sizes.max() < 0.8 * sizes.sum():
        return None
    rows, columns = np.flatnonzero(mark.any(1)), np.flatnonzero(mark.any(0))
    box = mark[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    h, w = box.shape
    if min(h, w) < 0.3 * min(mark.shape) or not 0.6 < w / h < 1.67:
        return None
    holes = ndimage.binary_fill_holes(box) & ~box
    y, x = np.nonzero(box)
    u, v = (x + 0.5) / w, (y + 0.5) / h
    crossed = float(((np.abs(u - v) < 0.2) | (np.abs(u + v - 1) < 0.2)).mean())
    middle = box[
        int(h * 0.4) : max(int(h * 0.6), int(h * 0.4) + 1), int(w * 0.4) : int(w * 0.6) + 1
    ]
    if holes.mean() > 0.35 and not middle.any():
        return "O"
    if crossed > 0.85 and middle.mean() > 0.15 and holes.mean() < 0.05:
        return "X"
    return None


def _lines(n: int) -> list[list[tuple[int, int]]]:
    across = [[(r, c) for c in range(n)] for r in range(n)]
    down = [[(r, c) for r in range(n)] for c in range(n)]
    return [*across, *down, [(i, i) for i in range(n)], [(i, n - 1 - i) for i in range(n)]]


def _wins(board: Board, player: str) -> bool:
    return any(all(board[r][c] == player for r, c in line) for line in _lines(len(board)))


def _winning(board: Board, player: str) -> list[tuple[int, int]]:
    """The empty squares that complete a line of `player`."""
    found = set()
    for line in _lines(len(board)):
        free = [square for square in line if not board[square[0]][square[1]]]
        if len(free) == 1 and sum(board[r][c] == player for r, c in line) == len(board) - 1:
            found.add(free[0])
    return sorted(found)


def _turn(board: Board, crosses: int, noughts: int) -> str:
    if crosses != noughts:
        return "O" if crosses > noughts else "X"
    return "O" if not _winning(board, "X") and _winning(board, "O") else "X"


COMPONENT = TicTacToe
