"""Tic-tac-toe against an independent game, and moves drawn by hand, right and wrong."""

from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from PIL import Image, ImageDraw

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.noughts import empty, turn, wins
from phosphene.readers.crosses import shape
from phosphene.task import Canvas
from phosphene.tasks.tic_tac_toe import MARGIN, TicTacToe


def won(board, player):
    n = len(board)
    rows = [[(r, c) for c in range(n)] for r in range(n)]
    rows += [[(r, c) for r in range(n)] for c in range(n)]
    rows += [[(k, k) for k in range(n)], [(k, n - 1 - k) for k in range(n)]]
    return any(all(board[r][c] == player for r, c in row) for row in rows)


def tried(board, player):
    """Winning cells, by making every move."""
    out = []
    for r, c in product(range(len(board)), repeat=2):
        if not board[r][c]:
            after = [list(row) for row in board]
            after[r][c] = player
            if won(after, player):
                out.append((r, c))
    return out


@pytest.mark.parametrize("fields", TicTacToe.LADDER)
def test_positions_are_legal_and_winning_moves_agree_with_trying_every_move(fields):
    task = TicTacToe(**fields)
    for seed in range(25):
        problem = task.sample(seed)
        board = problem.state["board"]
        marks = [m for row in board for m in row]
        assert marks.count("X") - marks.count("O") in (0, 1)
        assert not won(board, "X")
        assert not won(board, "O")
        mover = "X" if marks.count("X") == marks.count("O") else "O"
        assert wins(board, mover) == tried(board, mover) != []
        assert bool(tried(board, "XO"["OX".index(mover)])) == task.threat
        for r, c in tried(board, mover):
            assert task.right(problem, [[mover, r, c]])


def drawn(problem, marks, size=96, colour=(200, 20, 160), width=3, spread=0.28, at=None):
    """The first frame with hand-drawn marks (kind, row, column), as a clip of two frames."""
    task = TicTacToe(board=len(problem.state["board"]))
    first = task.first_frame(problem, Canvas(size=size))
    picture = Image.fromarray(first)
    pen = ImageDraw.Draw(picture)
    side = size * (1 - 2 * MARGIN) / task.board
    for kind, r, c in marks:
        x, y = at or (size * MARGIN + (c + 0.5) * side, size * MARGIN + (r + 0.5) * side)
        a = spread * side
        if kind == "X":
            pen.line((x - a, y - 0.8 * a, x + 0.9 * a, y + a), fill=colour, width=width)
            pen.line((x + a, y - a, x - 0.8 * a, y + 0.9 * a), fill=colour, width=width)
        elif kind == "O":
            pen.ellipse((x - a, y - 0.8 * a, x + 0.9 * a, y + a), outline=colour, width=width)
        elif kind == "+":
            pen.line((x - a, y, x + a, y), fill=colour, width=width)
            pen.line((x, y - a, x, y + a), fill=colour, width=width)
        elif kind == "/":
            pen.line((x - a, y + a, x + a, y - a), fill=colour, width=width)
        elif kind == "blot":
            pen.ellipse((x - a, y - a, x + a, y + a), fill=colour)
    return Clip(np.stack([first, np.asarray(picture)]))


@pytest.fixture(scope="module")
def problems():
    task = TicTacToe()
    return task, [task.sample(seed) for seed in range(15)]


@pytest.mark.parametrize(
    "look",
    [
        {},
        {"colour": (250, 140, 0), "width": 5},
        {"width": 2, "spread": 0.2},
        {"spread": 0.4, "colour": (0, 0, 0)},
        {"size": 64, "width": 2},
        {"size": 256, "width": 9},
    ],
)
def test_hand_drawn_winning_moves_pass(problems, look):
    task, dealt = problems
    for problem in dealt:
        mover = turn(problem.state["board"])
        for r, c in wins(problem.state["board"], mover):
            verdict = task.score(problem, drawn(problem, [(mover, r, c)], **look))
            assert verdict.passed, (verdict, look)


def test_wrong_moves_fail(problems):
    task, dealt = problems
    for problem in dealt:
        board = problem.state["board"]
        mover = turn(board)
        other = "XO"["OX".index(mover)]
        good = wins(board, mover)
        idle = [cell for cell in empty(board) if cell not in good]
        taken = [(r, c) for r, c in product(range(3), repeat=2) if board[r][c]]
        verdict = task.score(problem, drawn(problem, [(other, *good[0])]))
        assert verdict.answer == "failed"
        assert f"reads {other} at row {good[0][0] + 1}" in verdict.reason
        if idle:
            assert task.score(problem, drawn(problem, [(mover, *idle[0])])).answer == "failed"
            two = [(mover, *good[0]), (mover, *idle[0])]
            assert task.score(problem, drawn(problem, two)).answer == "failed"
        over = task.score(problem, drawn(problem, [(mover, *taken[0])]))
        assert not over.passed
        both = task.score(problem, drawn(problem, [(mover, *good[0]), (other, *taken[0])]))
        assert not both.passed
        for scrawl in ("+", "/", "blot"):
            verdict = task.score(problem, drawn(problem, [(scrawl, *good[0])]))
            assert verdict.answer == "unreadable", (scrawl, verdict)


@pytest.mark.parametrize("size", [64, 96, 160])
def test_a_mark_between_cells_fails(problems, size):
    task, dealt = problems
    for problem in dealt:
        mover = turn(problem.state["board"])
        r, c = wins(problem.state["board"], mover)[0]
        side = size * (1 - 2 * MARGIN) / 3
        x, y = size * MARGIN + (c + 0.5) * side, size * MARGIN + (r + 0.5) * side
        to = x + side / 2 if c < 2 else x - side / 2
        clip = drawn(problem, [(mover, r, c)], size=size, at=(to, y), width=size // 32)
        assert not task.score(problem, clip).passed


def test_a_mark_that_vanishes_or_moves_counts_as_altered(problems):
    task, dealt = problems
    for problem in dealt:
        board = problem.state["board"]
        r, c = next((r, c) for r, c in product(range(3), repeat=2) if board[r][c])
        less = [list(row) for row in board]
        less[r][c] = ""
        gone = replace(problem, state={**problem.state, "board": less})
        clip = task.solve(problem, Canvas())
        frames = np.concatenate([clip.frames[:-1], task.last_frame(gone, Canvas())[None]])
        verdict = task.score(problem, replace(clip, frames=frames))
        assert verdict.answer == "passed"
        assert verdict.givens == "failed"
        assert f"the {board[r][c]} at row {r + 1} column {c + 1}" in verdict.reason


def test_an_image_alone_is_judged(problems):
    task, dealt = problems
    verdict = task.score(dealt[0], Clip(task.last_frame(dealt[0], Canvas())[None]))
    assert verdict.passed
    assert verdict.stability == "not judged"


def test_shapes_that_are_no_marks_are_not_read():
    rng = np.random.default_rng(0)
    for _ in range(50):
        assert shape(rng.random((14, 14)) * (rng.random((14, 14)) < 0.4)) == "?"


def test_splits_do_not_meet_in_any_turn_or_flip():
    def canonical(board):
        grid = np.array([[m or "-" for m in row] for row in board])
        return min(np.rot90(g, k).tobytes() for g in (grid, grid.T) for k in range(4))

    task = TicTacToe()
    train = {canonical(task.sample(i, "train").state["board"]) for i in range(80)}
    test = {canonical(task.sample(i, "test").state["board"]) for i in range(40)}
    assert train
    assert test
    assert not train & test


def test_a_wrong_field_is_named():
    with pytest.raises(PhospheneError, match=r"tic_tac_toe.board must lie in 3..5; got 2"):
        TicTacToe(board=2)
