"""Tic-tac-toe: the move that wins is drawn; its pitch says where."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, capsule, palette
from phosphene.errors import PhospheneError
from phosphene.noughts import Board, empty, lines, other, turn, wins
from phosphene.readers.added import added_ink
from phosphene.readers.cells import cell_box
from phosphene.readers.crosses import read_marks, still
from phosphene.readers.scene import changes
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading

PROMPTS = (
    "draw the winning move: X began, and who is to move completes a line",
    "X moves first and both take turns; make the next move, so that it wins the game at once, and "
    "leave the board as it is otherwise",
    "add one X or O, whichever has its turn, where it completes a full row, column or diagonal; "
    "the camera is static",
)
MARGIN = 3 / 64  # share of the side left free around the board
SCALE = 330.0 * 2 ** (np.array([0, 2, 4, 7, 9]) / 12)  # Hz of the columns; rows are fourths apart


@dataclass(frozen=True)
class TicTacToe(Task):
    """X began, so X is to move when there are as many O as X, and O when there is one X more.

    The first frame is a position without a full line in which the player to move can win at once;
    any of several winning moves is right. One position in ten, whichever way it is turned or
    flipped, is held out of training. On 3 x 3 there are some 2,000 positions, on 4 x 4 millions.

    Args:
        board: cells along a side, and marks of a full line, 3..5; 5 wants 96 pixels a side.
        threat: whether the other player could win too, were it their turn.
        variety: 0 for black X and blue O of one shape, 1 for free colours, strokes and sizes.
    """

    board: int = 3
    threat: bool = False
    variety: float = 1.0
    name: ClassVar[str] = "tic_tac_toe"
    LADDER = (
        {"board": 3},
        {"board": 3, "threat": True},
        {"board": 4},
        {"board": 4, "threat": True},
    )

    def __post_init__(self) -> None:
        if not 3 <= self.board <= 5:
            raise PhospheneError(f"tic_tac_toe.board must lie in 3..5; got {self.board}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 15])
        while True:
            board = _position(rng, self.board)
            if board is None or len(empty(board)) < 2:
                continue
            mover = turn(board)
            if not wins(board, mover) or bool(wins(board, other(mover))) != self.threat:
                continue
            if (split == "test") == held_out(_instance(board), 10):
                break
        winning = wins(board, mover)
        state = {
            "board": board,
            "answer": [[mover, *winning[rng.integers(len(winning))]]],
            "colours": palette(rng, 2, self.variety).tolist(),
            "reach": 0.35 - 0.05 * self.variety * float(rng.random()),
            "stroke": 0.075 + 0.02 * self.variety * float(rng.uniform(-1, 1)),
        }
        rows = ", ".join("".join(m or "-" for m in row) for row in board)
        caption = f"a winning move is drawn on a tic-tac-toe board: {rows}"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["colours"], np.float32)
        n = len(s["board"])
        given = blend(
            np.broadcast_to(colours[0], (size, size, 3)), 0.55 * _lines(size, n), colours[1]
        )
        for r, row in enumerate(s["board"]):
            for c, kind in enumerate(row):
                if kind:
                    _draw(given, kind, r, c, problem, 1.0)
        pictures = np.repeat(given[None], len(times), 0)
        for picture, time in zip(pictures, times, strict=True):
            shown = min(float(time) * 9 / 8, 1) * len(s["answer"])
            for i, (kind, r, c) in enumerate(s["answer"][: int(np.ceil(shown))]):
                _draw(picture, kind, r, c, problem, min(shown - i, 1))
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        """A cross is two notes, one a stroke, a ring is a long one."""
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        answer = problem.state["answer"]
        beat = canvas.seconds * 8 / 9 / len(answer)
        for i, (kind, r, c) in enumerate(answer):
            notes = 2 if kind == "X" else 1
            for k in range(notes):
                pitch = SCALE[c] * (4 / 3) ** r
                note = tone(round(beat / notes * canvas.rate), canvas.rate, pitch)
                mix(track, note, (i + k / notes) * beat, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        board = problem.state["board"]
        inside = np.zeros((size, size), bool)
        for r, c in empty(board):
            inside[_inner(r, c, len(board), size)] = True
        return inside

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        board, size = problem.state["board"], len(first)
        n = len(board)
        taken = [(r, c) for r in range(n) for c in range(n) if board[r][c]]
        given = np.zeros((size, size), bool)
        for r, c in taken:
            given[_inner(r, c, n, size)] = True
        moved = changes(frames, first, given)
        paper = np.array(problem.state["colours"][0], np.float32)
        readings = []
        for frame, ink, change in zip(
            frames, added_ink(frames, first) * ~given, moved, strict=True
        ):
            altered = tuple(
                f"the {board[r][c]} at row {r + 1} column {c + 1}"
                for r, c in taken
                if change[inside := _inner(r, c, n, size, 2)].mean() > 0.03
                and not still(board[r][c], frame[inside], first[inside], paper)
            )
            found = [[kind, r, c] for kind, r, c in read_marks(ink, n, MARGIN)]
            unclear = [f"row {r + 1} column {c + 1}" for kind, r, c in found if kind == "?"]
            side = (1 - 2 * MARGIN) / n
            marks = tuple(
                Mark("text", (MARGIN + (c + 0.5) * side, MARGIN + (r + 0.5) * side), kind)
                for kind, r, c in found
            )
            readings.append(
                Reading(
                    found if found and not unclear else None,
                    f"neither X nor O at {', '.join(unclear)}" if unclear else "",
                    altered,
                    marks,
                )
            )
        return readings

    def right(self, problem: Problem, answer: Any) -> bool:
        board = problem.state["board"]
        if len(answer) != 1:
            return False
        ((kind, r, c),) = answer
        return kind == turn(board) and (r, c) in wins(board, kind)

    def work_out(self, problem: Problem) -> Any:
        board = problem.state["board"]
        mover = turn(board)
        return [[mover, *wins(board, mover)[0]]]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        free = empty(problem.state["board"])
        return [["XO"[rng.integers(2)], *free[rng.integers(len(free))]]]

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        board = [list(row) for row in problem.state["board"]]
        taken = [(r, c) for r in range(len(board)) for c in range(len(board)) if board[r][c]]
        r, c = taken[rng.integers(len(taken))]
        board[r][c] = other(board[r][c])
        return replace(problem, state={**problem.state, "board": board})

    def say(self, answer: Any) -> str:
        return " and ".join(f"{kind} at row {r + 1} column {c + 1}" for kind, r, c in answer)


def _position(rng: np.random.Generator, n: int) -> Board | None:
    """A legal position in which a line lacks one mark; None where chance completes another."""
    # Lines of n - 1 equal marks are rare by chance: one of each player is laid down first.
    flat = np.full(n * n, "", "U1")
    mover = "XO"[rng.integers(2)]
    for player in (mover, other(mover)):
        line = rng.permutation(lines(n)[rng.integers(2 * n + 2)])[: n - 1]
        if player == mover or rng.random() < 0.6:
            flat[line] = np.where(flat[line] == "", player, flat[line])
    more = int(rng.integers(0, n))
    for cell in rng.permutation(np.flatnonzero(flat == ""))[:more]:
        flat[cell] = "XO"[rng.integers(2)]
    crosses, rings = int((flat == "X").sum()), int((flat == "O").sum())
    over = crosses - rings if mover == "X" else crosses - rings - 1
    free = rng.permutation(np.flatnonzero(flat == ""))
    if abs(over) >= len(free):
        return None
    flat[free[: abs(over)]] = "O" if over > 0 else "X"
    full = (flat[lines(n)] == flat[lines(n)][:, :1]) & (flat[lines(n)] != "")
    return None if full.all(1).any() else [[str(m) for m in row] for row in flat.reshape(n, n)]


def _instance(board: Board) -> str:
    """One spelling for a position and all its turns and flips."""
    grid = np.array(board)
    looks = [np.rot90(g, k) for g in (grid, grid.T) for k in range(4)]
    return "tic_tac_toe " + min(
        "/".join("".join(m or "-" for m in row) for row in g) for g in looks
    )


def _inner(row: int, column: int, n: int, size: int, inset: float = 1.0) -> tuple[slice, slice]:
    """A cell less `inset` pixels (of 64) at its edges, where the lines are."""
    x0, y0, x1, y1 = cell_box(row, column, n, size, MARGIN)
    line = inset * size / 64
    return slice(round(y0 + line), round(y1 - line)), slice(round(x0 + line), round(x1 - line))


@cache
def _lines(size: int, n: int) -> np.ndarray:
    """Coverage of the lines between cells, `(size, size)`."""
    edge, side, half = size * MARGIN, size * (1 - 2 * MARGIN) / n, size / 128
    cover = np.zeros((size, size), np.float32)
    for k in range(1, n):
        at = edge + k * side
        line = box(size, edge, at - half, size - edge, at + half)
        cover = np.maximum(cover, np.maximum(line, line.T))
    cover.setflags(write=False)
    return cover


def _draw(
    picture: np.ndarray, kind: str, row: int, column: int, problem: Problem, shown: float
) -> None:
    """Draw a mark, in place: a cross stroke by stroke, a ring clockwise from the top."""
    s, size = problem.state, len(picture)
    x0, y0, x1, _ = cell_box(row, column, len(s["board"]), size, MARGIN)
    left, top, side = int(x0), int(y0), x1 - x0
    around = int(np.ceil(side)) + 1
    x, y = x0 - left + side / 2, y0 - top + side / 2
    reach, half = s["reach"] * side, max(s["stroke"] * side, size / 64)
    if kind == "X":
        cover = np.zeros((around, around), np.float32)
        for k, way in enumerate((1, -1)):
            part = min(max(2 * shown - k, 0), 1)
            start = (x - way * reach, y - reach)
            end = (start[0] + 2 * way * reach * part, start[1] + 2 * reach * part)
            if part:
                cover = np.maximum(cover, capsule(around, start, end, half))
    else:
        v, u = np.mgrid[:around, :around] + 0.5
        away = np.abs(np.hypot(u - x, v - y) - reach)
        angle = (np.arctan2(u - x, y - v) / (2 * np.pi)) % 1
        cover = np.clip(half - away + 0.5, 0, 1) * (angle <= shown)
    ink = np.array(s["colours"][1 if kind == "X" else 2], np.float32)
    area = picture[top : top + around, left : left + around]
    area[:] = blend(area, cover[: area.shape[0], : area.shape[1]].astype(np.float32), ink)


COMPONENT = TicTacToe
