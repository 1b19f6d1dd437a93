"""Sudoku against an independent solver, and digits drawn by hand, changed, missing or doubtful."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

from phosphene.assets import asset
from phosphene.clip import Clip
from phosphene.draw import FONTS
from phosphene.errors import PhospheneError
from phosphene.readers.cells import cell_box
from phosphene.task import Canvas
from phosphene.tasks.sudoku import MARGIN, Sudoku, grids


def solutions(given):
    """All full grids by backtracking."""
    free = [(r, c) for r in range(4) for c in range(4) if not given[r][c]]
    if not free:
        return [[list(row) for row in given]]
    r, c = free[0]
    block = {
        given[i][j] for i in range(4) for j in range(4) if (i // 2, j // 2) == (r // 2, c // 2)
    }
    out = []
    for digit in set(range(1, 5)) - set(given[r]) - {row[c] for row in given} - block:
        after = [list(row) for row in given]
        after[r][c] = digit
        out += solutions(after)
    return out


def test_there_are_288_grids_and_each_is_one():
    assert len(grids()) == len(np.unique(grids(), axis=0)) == 288
    for flat in grids():
        grid = flat.reshape(4, 4)
        units = [*grid, *grid.T, *(grid[r : r + 2, c : c + 2] for r in (0, 2) for c in (0, 2))]
        assert all(sorted(np.ravel(u)) == [1, 2, 3, 4] for u in units)


@pytest.mark.parametrize("fields", Sudoku.LADDER)
def test_puzzles_have_one_solution_and_it_is_the_answer(fields):
    task = Sudoku(**fields)
    for seed in range(12):
        for split in ("train", "test"):
            problem = task.sample(seed, split)
            given = problem.state["given"]
            assert sum(d == 0 for row in given for d in row) == task.blanks
            (only,) = solutions(given)
            blank = [only[r][c] for r in range(4) for c in range(4) if not given[r][c]]
            assert blank == problem.state["answer"] == task.work_out(problem.answered(None))


def written(problem, digits, size=96, font=4, colour=(200, 30, 60), tilt=0.0, scale=0.75):
    """The first frame with digits (text) written into the empty cells, as a clip of two frames."""
    first = Sudoku().first_frame(problem, Canvas(size=size))
    picture = Image.fromarray(first)
    given = np.array(problem.state["given"])
    for (r, c), text in zip(np.argwhere(given == 0), digits, strict=True):
        x0, y0, x1, y1 = cell_box(int(r), int(c), 4, size, MARGIN)
        face = ImageFont.truetype(str(asset(f"fonts/{FONTS[font]}")), round(scale * (x1 - x0)))
        layer = Image.new("L", (size, size))
        centre = ((x0 + x1) / 2, (y0 + y1) / 2)
        ImageDraw.Draw(layer).text(centre, text, fill=255, font=face, anchor="mm")
        layer = layer.rotate(tilt, Image.Resampling.BICUBIC, center=centre)
        picture.paste(Image.new("RGB", (size, size), colour), mask=layer)
    return Clip(np.stack([first, np.asarray(picture)]))


@pytest.mark.parametrize(
    "look",
    [
        {},
        {"font": 2, "colour": (240, 130, 0)},
        {"tilt": 8, "colour": (0, 0, 0)},
        {"tilt": -8, "font": 0, "scale": 0.6},
        {"size": 64, "scale": 0.9},
        {"size": 160, "font": 1, "scale": 0.5},
    ],
)
def test_digits_in_other_hands_and_inks_pass(look):
    task, passed = Sudoku(blanks=6), 0
    for seed in range(5):
        problem = task.sample(seed)
        digits = [str(d) for d in problem.state["answer"]]
        verdict = task.score(problem, written(problem, digits, **look))
        assert verdict.passed or verdict.answer == "unreadable", verdict
        passed += verdict.passed
    assert passed >= 4, look


def test_one_wrong_digit_fails_and_is_read():
    task = Sudoku(blanks=6)
    for seed in range(6):
        problem = task.sample(seed)
        digits = list(problem.state["answer"])
        digits[seed % 6] = digits[seed % 6] % 4 + 1
        verdict = task.score(problem, task.solve(problem.answered(digits), Canvas()))
        assert verdict.answer == "failed"
        assert verdict.evidence["answer"] == digits
        swapped = [str(d) for d in problem.state["answer"]][::-1]
        if swapped != swapped[::-1]:
            assert not task.score(problem, written(problem, swapped)).passed


@pytest.mark.parametrize("mark", ["7", "5", "#", "A", "12", "/"])
def test_what_is_no_right_digit_never_passes(mark):
    task = Sudoku(blanks=4)
    for seed in range(4):
        problem = task.sample(seed)
        digits = [str(d) for d in problem.state["answer"]]
        digits[1] = mark
        assert not task.score(problem, written(problem, digits)).passed


def test_a_missing_digit_fails():
    task = Sudoku(blanks=4)
    problem = task.sample(3)
    digits = list(problem.state["answer"])
    digits[2] = 0
    verdict = task.score(problem, task.solve(problem.answered(digits), Canvas()))
    assert verdict.answer == "failed"
    assert "_" in verdict.reason


@pytest.mark.parametrize("size", [64, 128])
@pytest.mark.parametrize("font", range(len(FONTS)))
def test_every_change_of_a_printed_digit_is_caught(font, size):
    task, canvas = Sudoku(blanks=2), Canvas(size=size, frames=2)
    for seed in range(3):
        problem = task.sample(seed)
        problem = replace(problem, state={**problem.state, "font": font})
        given = problem.state["given"]
        right = task.solve(problem, canvas)
        r, c = np.argwhere(np.array(given))[seed]
        for digit in {0, 1, 2, 3, 4} - {given[r][c]}:
            other = [list(row) for row in given]
            other[r][c] = digit
            last = task.last_frame(
                replace(problem, state={**problem.state, "given": other}), canvas
            )
            if digit == 0:  # an empty cell would otherwise take a digit of the answer
                last = right.frames[-1].copy()
                x0, y0, x1, y1 = (round(v) for v in cell_box(int(r), int(c), 4, size, MARGIN))
                last[y0 + 2 : y1 - 2, x0 + 2 : x1 - 2] = last[y0 + 2, x0 + 2]
            clip = replace(right, frames=np.stack([right.frames[0], last]))
            verdict = task.score(problem, clip, canvas=canvas)
            assert verdict.givens == "failed", (font, size, given[r][c], digit, verdict)


def test_splits_do_not_meet_under_other_names_of_the_digits():
    def named(problem):
        full = np.array(problem.state["given"]).ravel()
        full[full == 0] = problem.state["answer"]
        names = list(dict.fromkeys(full.tolist()))
        mask = np.array(problem.state["given"]).ravel() > 0
        return tuple(names.index(d) * k + k - 1 for d, k in zip(full.tolist(), mask, strict=True))

    task = Sudoku(blanks=2)
    train = {named(task.sample(i, "train")) for i in range(300)}
    test = {named(task.sample(i, "test")) for i in range(100)}
    assert not train & test


def test_a_wrong_field_is_named():
    with pytest.raises(PhospheneError, match=r"sudoku.blanks must lie in 1..12; got 13"):
        Sudoku(blanks=13)
