"""Symmetry: patterns that are nearly right, by one cell, one colour or the wrong axis."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest

from phosphene.draw import blend, disc
from phosphene.errors import PhospheneError
from phosphene.readers.cells import cell_box
from phosphene.task import Canvas
from phosphene.tasks.symmetry import MARGIN, Symmetry

TASK = Symmetry(cells=6, colours=2)
PROBLEMS = [TASK.sample(i) for i in range(12)]


def whole(problem):
    return np.array(problem.state["given"]) + np.array(problem.state["answer"])


def score(problem, answer, task=TASK):
    return task.score(problem, task.solve(problem.answered(np.asarray(answer).tolist()), Canvas()))


@pytest.mark.parametrize("axis", "vhd")
def test_the_whole_picture_is_its_own_mirror_image_pixel_by_pixel(axis):
    """But for the line, which painted cells hide."""
    row, column = np.mgrid[:64, :64] - 31.5
    off = np.abs({"v": column, "h": row, "d": row - column}[axis]) > 1.5
    turn = {
        "v": lambda p: p[:, ::-1],
        "h": lambda p: p[::-1],
        "d": lambda p: p.transpose(1, 0, 2),
    }
    task = Symmetry(cells=6, colours=4, axes=axis)
    for seed in range(6):
        problem = task.sample(seed)
        last = task.last_frame(problem, Canvas()).astype(int)
        first = task.first_frame(problem, Canvas()).astype(int)
        assert np.abs(last - turn[axis](last))[off].max() <= 1
        assert np.abs(first - turn[axis](first))[off].max() > 50


@pytest.mark.parametrize("axis", "vhd")
def test_wrong_by_one_cell_one_colour_or_the_axis(axis):
    task = Symmetry(cells=6, colours=2, axes=axis)
    for seed in range(6):
        problem = task.sample(seed)
        given, answer = np.array(problem.state["given"]), np.array(problem.state["answer"])
        empty = np.argwhere(task.region(problem, 6))
        assert score(problem, answer, task).passed
        r, c = empty[seed % len(empty)]
        for ink in {0, 1, 2} - {int(answer[r, c])}:
            one = answer.copy()
            one[r, c] = ink
            assert score(problem, one, task).answer == "failed", (r, c, ink)
        half = task.region(problem, 6)
        views = (given[:, ::-1], given[::-1], given[::-1, ::-1], given.T, np.rot90(given))
        views += (np.roll(given, 3, 0), np.roll(given, 3, 1))
        for other in views:
            wrong = np.where(half, other, 0)
            if (wrong != answer).any() and wrong.any():
                assert score(problem, wrong, task).answer == "failed"
        swapped = np.array([0, 2, 1])[answer]
        if (swapped != answer).any():
            assert score(problem, swapped, task).answer == "failed"


def test_a_missing_or_an_additional_cell_fails():
    for problem in PROBLEMS:
        answer = np.array(problem.state["answer"])
        r, c = np.argwhere(answer)[0]
        less = answer.copy()
        less[r, c] = 0
        assert not score(problem, less).passed


def last_with(problem, paint):
    """The first frame with every cell of the answer painted by `paint(picture, box, ink)`."""
    picture = TASK.first_frame(problem, Canvas()).astype(np.float32)
    colours = np.array(problem.state["colours"], np.float32)
    answer = np.array(problem.state["answer"])
    for r, c in np.argwhere(answer):
        picture = paint(picture, cell_box(r, c, 6, 64, MARGIN), colours[answer[r, c]])
    clip = TASK.solve(problem, Canvas())
    assert clip.frames is not None
    frames = clip.frames.copy()
    frames[:] = np.rint(picture).astype(np.uint8)
    frames[0] = TASK.first_frame(problem, Canvas())
    return replace(clip, frames=frames)


def as_disc(picture, box, ink):
    x0, y0, x1, y1 = box
    return blend(picture, disc(64, (x0 + x1) / 2, (y0 + y1) / 2, 0.46 * (x1 - x0)), ink)


def as_part(picture, box, ink):
    x0, y0, x1, y1 = (round(v) for v in box)
    picture = picture.copy()
    picture[y0:y1, x0 : round(x0 + 0.8 * (x1 - x0))] = ink
    return picture


def as_half_tone(picture, box, ink):
    x0, y0, x1, y1 = (round(v) for v in box)
    picture = picture.copy()
    picture[y0:y1, x0:x1] = 0.5 * picture[y0:y1, x0:x1] + 0.5 * ink
    return picture


@pytest.mark.parametrize("paint", [as_disc, as_part])
def test_hand_filled_cells_pass(paint):
    for problem in PROBLEMS:
        verdict = TASK.score(problem, last_with(problem, paint))
        assert verdict.passed, verdict


def test_cells_of_half_the_colour_do_not_pass():
    for problem in PROBLEMS:
        assert TASK.score(problem, last_with(problem, as_half_tone)).answer != "passed"


def test_the_given_half_counts():
    for problem in PROBLEMS:
        given = np.array(problem.state["given"])
        r, c = np.argwhere(given)[0]
        other = given.copy()
        other[r, c] = 3 - other[r, c]
        for altered in (other, np.where(given == other, given, 0)):
            lie = replace(problem, state={**problem.state, "given": altered.tolist()})
            verdict = TASK.score(problem, TASK.solve(lie, Canvas(frames=1)))
            assert (verdict.answer, verdict.givens) == ("passed", "failed")
            assert f"cell {r + 1},{c + 1}" in verdict.reason


def test_no_pattern_is_solved_by_moving_it_or_by_nothing():
    for fields in Symmetry.LADDER:
        task = Symmetry(**fields)
        for seed in range(20):
            problem = task.sample(seed)
            given, n = np.array(problem.state["given"]), problem.state["cells"]
            half = task.region(problem, n)
            for moved in (np.roll(given, n // 2, 0), np.roll(given, n // 2, 1)):
                assert not (np.where(half, moved, 0) == problem.state["answer"]).all()
            assert (task.first_frame(problem, Canvas()) != task.last_frame(problem, Canvas())).any()


def test_a_pattern_and_its_twin_in_other_colours_lie_on_one_side():
    from phosphene.tasks.symmetry import _instance

    given = np.array(PROBLEMS[0].state["given"])
    assert _instance(given, "v") == _instance(np.array([0, 2, 1])[given], "v")
    assert _instance(given, "v") == _instance(given.T, "h")
    assert _instance(given, "v") != _instance(given[::-1], "v")


def test_errors_name_the_field():
    for field, value in (
        ("cells", 5),
        ("colours", 0),
        ("axes", "x"),
        ("filled", 0),
        ("variety", -1),
    ):
        fields: dict[str, Any] = {field: value}
        with pytest.raises(PhospheneError, match=rf"symmetry\.{field}.*{value}"):
            Symmetry(**fields)
