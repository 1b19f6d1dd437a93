"""Math, sudoku, tic-tac-toe and symmetry: pictures drawn here, whose content is known."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from phosphene.clip import Clip
from phosphene.pack import Puzzle, Unreadable, puzzles
from phosphene.puzzles._equations import parse

FONT = Path(__file__).parents[1] / "assets/fonts/DejaVuSans.ttf"
SOLVED = [
    [5, 3, 4, 6, 7, 8, 9, 1, 2],
    [6, 7, 2, 1, 9, 5, 3, 4, 8],
    [1, 9, 8, 3, 4, 2, 5, 6, 7],
    [8, 5, 9, 7, 6, 1, 4, 2, 3],
    [4, 2, 6, 8, 5, 3, 7, 9, 1],
    [7, 1, 3, 9, 2, 4, 8, 5, 6],
    [9, 6, 1, 5, 3, 7, 2, 8, 4],
    [2, 8, 7, 4, 1, 9, 6, 3, 5],
    [3, 4, 5, 2, 8, 6, 1, 7, 9],
]
SMALL = [[1, 0, 3, 4], [3, 4, 0, 0], [0, 1, 4, 3], [4, 3, 1, 0]]
SMALL_SOLVED = [[1, 2, 3, 4], [3, 4, 2, 1], [2, 1, 4, 3], [4, 3, 1, 2]]


def letters(draw: ImageDraw.ImageDraw, at: tuple[float, float], text: str, size: int, ink="black"):
    draw.text(at, text, fill=ink, font=ImageFont.truetype(FONT, size), anchor="mm")


def page(lines: list[str], columns: int = 1, paper="white", ink="black") -> np.ndarray:
    """Equations, left edges fixed, so that an answer behind one moves nothing."""
    image = Image.new("RGB", (960, 540), paper)
    font = ImageFont.truetype(FONT, 34)
    rows = -(-len(lines) // columns)
    for i, line in enumerate(lines):
        x, y = 960 * (i % columns) / columns + 90, 540 * (i // columns + 0.5) / rows
        ImageDraw.Draw(image).text((x, y), line, fill=ink, font=font, anchor="lm")
    return np.asarray(image)


def sudoku(cells: list[list[int]], side: int = 330, thin: str = "#e0e0e0") -> np.ndarray:
    image = Image.new("RGB", (side * 16 // 9, side), "black")
    draw = ImageDraw.Draw(image)
    n, edge = len(cells), (side * 16 // 9 - side) // 2
    pad, box = side * 0.035, round(len(cells) ** 0.5)
    pitch = (side - 2 * pad) / n
    draw.rectangle((edge, 0, edge + side, side), fill="white")
    for i in sorted(range(n + 1), key=lambda i: i % box == 0):
        fill, width = ("black", 2) if i % box == 0 else (thin, 1)
        at = pad + i * pitch
        draw.line((edge + at, pad, edge + at, side - pad), fill=fill, width=width)
        draw.line((edge + pad, at, edge + side - pad, at), fill=fill, width=width)
    for r, row in enumerate(cells):
        for c, digit in enumerate(row):
            middle = (edge + pad + (c + 0.5) * pitch, pad + (r + 0.5) * pitch)
            if digit:
                letters(draw, middle, str(digit), max(12, round(pitch * 0.42)))
    return np.asarray(image)


def board(rows: list[str], paper="black", line="white", inks=("cyan", "orange")) -> np.ndarray:
    """A board of `X`, `O` and spaces."""
    image = Image.new("RGB", (800, 450), paper)
    draw = ImageDraw.Draw(image)
    n = len(rows)
    pitch = 360 / n
    for i in range(n + 1):
        at = 45 + i * pitch
        draw.line((220, at, 580, at), fill=line, width=2)
        draw.line((175 + at, 45, 175 + at, 405), fill=line, width=2)
    for r, row in enumerate(rows):
        for c, mark in enumerate(row):
            x, y, a = 220 + (c + 0.5) * pitch, 45 + (r + 0.5) * pitch, 0.34 * pitch
            if mark == "X":
                draw.line((x - a, y - a, x + a, y + a), fill=inks[0], width=4)
                draw.line((x - a, y + a, x + a, y - a), fill=inks[0], width=4)
            elif mark == "O":
                draw.ellipse((x - a, y - a, x + a, y + a), outline=inks[1], width=4)
    return np.asarray(image)


def cells(pattern: np.ndarray, inks: list[str], line="black") -> np.ndarray:
    """A ruled grid of cells, 0 is white."""
    rows, columns = pattern.shape
    image = Image.new("RGB", (40 * columns + 100, 40 * rows + 20), "black")
    draw = ImageDraw.Draw(image)
    draw.rectangle((40, 0, 40 * columns + 59, 40 * rows + 19), fill="white")
    for r, c in np.ndindex(rows, columns):
        fill = ["white", *inks][pattern[r, c]]
        draw.rectangle((50 + 40 * c, 10 + 40 * r, 90 + 40 * c, 50 + 40 * r), fill, line)
    return np.asarray(image)


def clip(first: np.ndarray, last: np.ndarray, frames: int = 6) -> Clip:
    """From the first picture to the last by a fade."""
    steps = np.linspace(0, 1, frames)[:, None, None, None]
    return Clip((first * (1 - steps) + last * steps).round().astype(np.uint8))


def noisy(frames: np.ndarray) -> np.ndarray:
    grain = np.random.default_rng(0).normal(0, 6, frames.shape)
    return np.clip(frames + grain + 6, 0, 255).astype(np.uint8)


def smaller(frames: np.ndarray, scale: float) -> np.ndarray:
    size = (round(frames.shape[2] * scale), round(frames.shape[1] * scale))
    return np.stack([np.asarray(Image.fromarray(f).resize(size)) for f in frames])


def shifted(frames: np.ndarray) -> np.ndarray:
    return np.roll(frames, (1, 2), (1, 2))


PATTERN = np.array([[1, 0, 2, 1], [0, 1, 1, 0], [2, 2, 0, 1], [1, 0, 0, 2], [0, 1, 2, 0]])
HALF = np.hstack([PATTERN, np.zeros_like(PATTERN)])
WHOLE = np.hstack([PATTERN, PATTERN[:, ::-1]])
INKS = ["#1d7a3c", "#f0a020"]
EQUATIONS = ["13 - 9 =", "7 × 8 ="]
ANSWERED = ["13 - 9 = 4", "7 × 8 = 56"]
GAME, WON = ["OX ", " OO", " XX"], ["OX ", " OO", "XXX"]


def changed(rows: list, place: int, by: object) -> list:
    return [*rows[:place], by, *rows[place + 1 :]]


# Name, picture, the picture solved, wrong answers, altered givens with the right answer.
CASES = {
    "math": (
        page(EQUATIONS, 2),
        page(ANSWERED, 2),
        [page(changed(ANSWERED, 1, "7 × 8 = 54"), 2), page(changed(ANSWERED, 1, "7 × 8 ="), 2)],
        page(changed(ANSWERED, 0, "12 - 8 = 4"), 2),
    ),
    "sudoku": (
        sudoku(SMALL),
        sudoku(SMALL_SOLVED),
        [
            sudoku(changed(SMALL_SOLVED, 0, [1, 4, 3, 4])),
            sudoku(changed(SMALL_SOLVED, 0, [1, 0, 3, 4])),
        ],
        sudoku(changed(SMALL_SOLVED, 3, [4, 3, 2, 2])),
    ),
    "tic_tac_toe": (
        board(GAME),
        board(WON),
        [board(["OXX", " OO", " XX"]), board(["OX ", " OO", "OXX"]), board(["OXX", " OO", "XXX"])],
        board(["XX ", " OO", "XXX"]),
    ),
    "symmetry": (
        cells(HALF, INKS),
        cells(WHOLE, INKS),
        [
            cells(np.hstack([PATTERN, PATTERN]), INKS),
            cells(np.hstack([PATTERN, PATTERN[:, ::-1] > 0]).astype(int), INKS),
        ],
        cells(np.hstack([PATTERN[::-1], PATTERN[:, ::-1]]), INKS),
    ),
}


def puzzle(name: str) -> Puzzle:
    return puzzles.get(name)()


@pytest.mark.parametrize("name", CASES)
def test_judge_passes_the_solution_whatever_the_codec_did(name: str) -> None:
    first, last, _, _ = CASES[name]
    made = clip(first, last).frames
    assert made is not None
    for frames in (shifted(noisy(made)), noisy(smaller(made, 0.8))):
        verdict = puzzle(name).judge(first, Clip(frames))
        assert verdict.passed, (name, frames.shape, verdict)
    assert puzzle(name).judge(first, Clip(last[None])).passed


@pytest.mark.parametrize("name", CASES)
def test_judge_fails_what_does_not_solve(name: str) -> None:
    first, last, wrong, altered = CASES[name]
    for other in (first, *wrong):
        assert puzzle(name).judge(first, clip(first, other)).answer == "failed"
    assert puzzle(name).judge(first, clip(first, altered)).givens == "failed"
    blank = np.full_like(first, 255)
    grain = np.random.default_rng(1).integers(0, 256, first.shape).astype(np.uint8)
    for other in (blank, grain, last[::-1]):
        assert not puzzle(name).judge(first, clip(first, np.ascontiguousarray(other))).passed


@pytest.mark.parametrize("name", CASES)
def test_a_flash_of_something_else_is_unstable(name: str) -> None:
    first, last, _, _ = CASES[name]
    frames = clip(first, last).frames
    assert frames is not None
    frames = frames.copy()
    frames[2] = 128
    verdict = puzzle(name).judge(first, Clip(frames))
    assert (verdict.answer, verdict.stability) == ("passed", "failed")


@pytest.mark.parametrize("name", CASES)
def test_other_proportions_and_missing_frames_are_unreadable(name: str) -> None:
    first, last, _, _ = CASES[name]
    squeezed = np.asarray(Image.fromarray(last).resize((400, 400)))
    assert puzzle(name).judge(first, Clip(squeezed[None])).headline == "unreadable"
    silence = Clip(None, audio=np.zeros((1, 100), np.float32), rate=8000)
    assert puzzle(name).judge(first, silence).headline == "unreadable"


@pytest.mark.parametrize("name", [*CASES, "point_symmetry"])
def test_what_is_no_such_puzzle_is_unreadable(name: str) -> None:
    grain = np.random.default_rng(2).integers(0, 256, (300, 400, 3)).astype(np.uint8)
    ramp = np.broadcast_to(np.arange(400)[None, :, None] // 2, (300, 400, 3)).astype(np.uint8)
    pictures = [grain, ramp, np.full((300, 400, 3), 255, np.uint8), np.zeros((8, 8, 3), np.uint8)]
    others = [first for other, (first, *_) in CASES.items() if other != name.removeprefix("point_")]
    for picture in (*pictures, *others):
        with pytest.raises(Unreadable):
            puzzle(name).read(picture)


@pytest.mark.parametrize(("paper", "ink"), [("white", "black"), ("#102040", "yellow")])
def test_math_reads_equations_of_all_kinds(paper: str, ink: str) -> None:
    lines = ["13 - 9 =", "? × 4 = 20", "(2 + 3) × 4 =", "2 + 3 × 4 =", "96 ÷ ? = 12", "7 - 12 ="]
    parsed = puzzle("math").read(page(lines, 2, paper, ink))
    texts = [equation["text"] for equation in parsed["equations"]]
    assert texts == [line.replace(" ", "") for line in lines]
    assert puzzle("math").solve(parsed) == ["4", "5", "20", "14", "8", "-5"]


def test_math_judges_a_missing_operand_where_it_is_missing() -> None:
    first = page(["? × 4 = 20", "9 - 2 ="])
    assert puzzle("math").judge(first, Clip(page(["5 × 4 = 20", "9 - 2 = 7"])[None])).passed
    wrong = puzzle("math").judge(first, Clip(page(["6 × 4 = 20", "9 - 2 = 7"])[None]))
    assert (wrong.answer, wrong.givens) == ("failed", "passed")


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("2x + 3 = 11", 4),
        ("3(x - 1) = 9", 4),
        ("3 x 4 =", 12),
        ("3 x ? = 12", 4),
        ("1 ÷ 3 =", Fraction(1, 3)),
        ("8 − 10 + 1 =", -1),
        ("2 * (3 + 4) =", 14),
        ("x = 2 + 3", 5),
        ("4 × 6 ÷ ? = 8", 3),
        ("1 + 2 = 6 ÷ x", 2),
    ],
)
def test_equations_have_the_value_that_arithmetic_gives(text: str, value: object) -> None:
    assert parse(text).value == value


@pytest.mark.parametrize(
    "text",
    ["", "12", "= 4", "3 + = 4", "3 ÷ 0 =", "2 + 2 = 4", "? + ? = 4", "x × x = 4", "1 = 2 = ?",
     "x - x = 0", "(1 + 2 =", "1 + a =", "5 ÷ x + 1 = 2", "0 ÷ ? = 0"],
)  # fmt: skip
def test_what_is_not_one_equation_in_one_unknown_is_refused(text: str) -> None:
    with pytest.raises(Unreadable):
        parse(text)


@pytest.mark.parametrize("thin", ["#e0e0e0", "black"])
def test_sudoku_reads_nine_by_nine(thin: str) -> None:
    holes = np.random.default_rng(3).permutation(81)[:30]
    given = np.array(SOLVED)
    given.ravel()[holes] = 0
    parsed = puzzle("sudoku").read(sudoku(given.tolist(), 420, thin))
    assert parsed["cells"] == given.tolist()
    assert puzzle("sudoku").solve(parsed) == {"cells": SOLVED, "unique": True}


def test_sudoku_takes_any_solution_where_there_are_several() -> None:
    open_cells = [[1, 2, 3, 4], [3, 4, 1, 2], [0, 0, 4, 3], [4, 3, 0, 0]]
    one = [[1, 2, 3, 4], [3, 4, 1, 2], [2, 1, 4, 3], [4, 3, 2, 1]]
    parsed = puzzle("sudoku").read(sudoku(open_cells))
    assert puzzle("sudoku").solve(parsed)["cells"] == one
    two_ways = [[1, 2, 3, 4], [3, 4, 0, 0], [2, 1, 4, 3], [4, 3, 0, 0]]
    for pair in ([[1, 2], [2, 1]], [[2, 1], [1, 2]]):
        filled = [two_ways[0], [3, 4, *pair[0]], two_ways[2], [4, 3, *pair[1]]]
        assert puzzle("sudoku").judge(sudoku(two_ways), Clip(sudoku(filled)[None])).passed
    bad = [two_ways[0], [3, 4, 1, 2], two_ways[2], [4, 3, 1, 2]]
    assert not puzzle("sudoku").judge(sudoku(two_ways), Clip(sudoku(bad)[None])).passed


def test_a_three_by_three_grid_is_no_sudoku() -> None:
    with pytest.raises(Unreadable):
        puzzle("sudoku").read(sudoku([[1, 2, 3], [2, 0, 1], [3, 1, 0]], thin="black"))


def test_sudoku_refuses_givens_that_contradict() -> None:
    with pytest.raises(Unreadable, match="second 3"):
        puzzle("sudoku").read(sudoku([[3, 0, 3, 4], [0, 4, 0, 0], [0, 1, 4, 0], [4, 0, 1, 0]]))
    none = puzzle("sudoku").read(sudoku([[1, 2, 3, 0], [0, 0, 0, 4], [0, 0, 0, 0], [0, 0, 0, 0]]))
    with pytest.raises(Unreadable, match="no solution"):
        puzzle("sudoku").solve(none)


@pytest.mark.parametrize(
    ("rows", "turn", "moves"),
    [
        (["OX ", " OO", " XX"], "X", [[2, 0]]),
        (["XX ", "OO ", "  X"], "O", [[1, 2]]),
        (["XX ", "OO ", "   "], "X", [[0, 2]]),
        (["X O", "X O", "   "], "X", [[2, 0]]),
        (["X X", " XO", "O O"], "X", [[0, 1]]),
        (["X OX", " XO ", "  O ", "O  X"], "O", [[3, 2]]),
        (["X OX", " XO ", "O   ", "O  X"], "X", [[2, 2]]),
        (["X O", "  O", "X X"], "O", None),
        (["X  ", "O  ", "   "], "X", None),
    ],
)
def test_tic_tac_toe_finds_the_winning_moves(rows: list[str], turn: str, moves: object) -> None:
    for picture in (board(rows), board(rows, "white", "black", ("black", "black"))):
        if moves is None:
            with pytest.raises(Unreadable):
                puzzle("tic_tac_toe").solve(puzzle("tic_tac_toe").read(picture))
        else:
            parsed = puzzle("tic_tac_toe").read(picture)
            assert parsed["board"] == [[m.strip() for m in row] for row in rows]
            assert puzzle("tic_tac_toe").solve(parsed) == {"turn": turn, "moves": moves}


def test_tic_tac_toe_refuses_impossible_boards() -> None:
    for rows in (["XXX", "OO ", "   "], ["XX ", "   ", "  X"], ["   ", "   ", "   "]):
        with pytest.raises(Unreadable):
            puzzle("tic_tac_toe").read(board(rows))


@pytest.mark.parametrize(
    ("half", "axis"), [("left", "vertical"), ("top", "horizontal"), ("lower left", "diagonal")]
)
def test_symmetry_completes_along_every_axis(half: str, axis: str) -> None:
    rng = np.random.default_rng(4)
    square = rng.integers(0, 3, (8, 8))
    row, column = np.indices(square.shape)
    given = {"left": column < 4, "top": row < 4, "lower left": row >= column}[half]
    mirrored = {"left": square[:, ::-1], "top": square[::-1], "lower left": square.T}[half]
    whole = np.where(given, square, mirrored)
    parsed = puzzle("symmetry").read(cells(np.where(given, square, 0), INKS))
    assert (parsed["given"], parsed["axis"]) == (half, axis)
    # The palette is in the order of sight; colours are compared.
    seen = np.array(parsed["palette"])[puzzle("symmetry").solve(parsed)["cells"]]
    assert (seen == np.array(["#ffffff", *INKS])[whole]).all()


def test_point_symmetry_turns_the_half() -> None:
    first = cells(HALF, INKS)
    turned = cells(np.hstack([PATTERN, PATTERN[::-1, ::-1]]), INKS)
    assert puzzle("point_symmetry").judge(first, clip(first, turned)).passed
    assert puzzle("point_symmetry").judge(first, clip(first, cells(WHOLE, INKS))).answer == "failed"


def test_symmetry_refuses_a_half_that_it_can_not_name() -> None:
    quarter = np.zeros((8, 8), int)
    quarter[:3, :3] = np.random.default_rng(5).integers(0, 2, (3, 3))
    quarter[0, 2] = quarter[2, 0] = 1
    for pattern in (quarter, WHOLE, np.zeros((6, 6), int)):
        with pytest.raises(Unreadable):
            puzzle("symmetry").read(cells(pattern, INKS))
