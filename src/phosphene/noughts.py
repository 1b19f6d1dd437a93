"""Noughts and crosses: whose turn it is, and which moves win."""

from __future__ import annotations

from functools import cache

import numpy as np

Board = list[list[str]]  # rows of "X", "O" and ""; X began


@cache
def lines(n: int) -> np.ndarray:
    """Rows, columns and diagonals as flat cell numbers, `(2 n + 2, n)`."""
    cells = np.arange(n * n).reshape(n, n)
    return np.stack([*cells, *cells.T, cells.diagonal(), cells[:, ::-1].diagonal()])


def turn(board: Board) -> str:
    """Who is to move; X began."""
    marks = [m for row in board for m in row]
    return "X" if marks.count("X") == marks.count("O") else "O"


def empty(board: Board) -> list[tuple[int, int]]:
    """Cells without a mark, in reading order."""
    return [(r, c) for r, row in enumerate(board) for c, m in enumerate(row) if not m]


def wins(board: Board, player: str) -> list[tuple[int, int]]:
    """Where one more mark completes a line of the player."""
    n = len(board)
    flat = np.array([m for row in board for m in row])[lines(n)]
    near = ((flat == player).sum(1) == n - 1) & ((flat == "").sum(1) == 1)
    cells = {int(line[row == ""][0]) for line, row in zip(lines(n)[near], flat[near], strict=True)}
    return sorted(divmod(cell, n) for cell in cells)


def other(player: str) -> str:
    return "O" if player == "X" else "X"
