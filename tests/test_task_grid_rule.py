"""Grid rules: each against cells worked out by hand; problems are settled by their examples."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.figures import edges
from phosphene.grids import applied, rules
from phosphene.task import Canvas
from phosphene.tasks.grid_rule import TEST, GridRule

GIVEN = np.array([[1, 0, 2], [0, 0, 2], [3, 0, 0]])


@pytest.mark.parametrize(
    ("rule", "wanted"),
    [
        (("recolour", 2, 4), [[1, 0, 4], [0, 0, 4], [3, 0, 0]]),
        (("swap", 1, 2), [[2, 0, 1], [0, 0, 1], [3, 0, 0]]),
        (("keep", 2), [[0, 0, 2], [0, 0, 2], [0, 0, 0]]),
        (("mirror", "left-right"), [[2, 0, 1], [2, 0, 0], [0, 0, 3]]),
        (("mirror", "top-down"), [[3, 0, 0], [0, 0, 2], [1, 0, 2]]),
        (("mirror", "diagonal"), [[1, 0, 3], [0, 0, 0], [2, 2, 0]]),
        (("mirror", "other diagonal"), [[0, 2, 2], [0, 0, 0], [3, 0, 1]]),
        (("rotate", 1), [[3, 0, 1], [0, 0, 0], [0, 2, 2]]),
        (("rotate", 2), [[0, 0, 3], [2, 0, 0], [2, 0, 1]]),
        (("rotate", 3), [[2, 2, 0], [0, 0, 0], [1, 0, 3]]),
        (("shift", "down"), [[0, 0, 0], [1, 0, 2], [0, 0, 2]]),
        (("shift", "up"), [[0, 0, 2], [3, 0, 0], [0, 0, 0]]),
        (("shift", "left"), [[0, 2, 0], [0, 2, 0], [0, 0, 0]]),
        (("shift", "right"), [[0, 1, 0], [0, 0, 0], [0, 3, 0]]),
        (("gravity", "down"), [[0, 0, 0], [1, 0, 2], [3, 0, 2]]),
        (("gravity", "up"), [[1, 0, 2], [3, 0, 2], [0, 0, 0]]),
        (("gravity", "left"), [[1, 2, 0], [2, 0, 0], [3, 0, 0]]),
        (("gravity", "right"), [[0, 1, 2], [0, 0, 2], [0, 0, 3]]),
        (("extend", "rows"), [[1, 0, 2], [2, 2, 2], [3, 3, 3]]),
        (("extend", "columns"), [[1, 0, 2], [0, 0, 2], [3, 0, 2]]),
        (("outline", 5), [[1, 5, 2], [5, 5, 2], [3, 5, 5]]),
    ],
)
def test_every_rule_does_what_its_name_says(rule, wanted):
    assert rule in rules()
    assert applied(rule, GIVEN).tolist() == wanted


@pytest.mark.parametrize("fields", [*GridRule.LADDER, {"cells": 5}])
def test_the_examples_settle_the_answer(fields):
    task = GridRule(**fields)
    for seed in range(15):
        s = task.sample(seed, "train" if seed % 2 else "test").state
        possible = set()
        for rule in rules():
            if all(applied(rule, np.array(a)).tolist() == b for a, b in s["pairs"]):
                possible.add(str(applied(rule, np.array(s["test"])).tolist()))
        assert possible == {str(s["answer"])}
        assert s["answer"] not in [s["test"], *(g for pair in s["pairs"] for g in pair)]


def test_one_wrong_cell_fails():
    task, rng = GridRule(), np.random.default_rng(0)
    for seed in range(15):
        problem = task.sample(seed)
        answer = np.array(problem.state["answer"])
        r, c = rng.integers(3, size=2)
        answer[r, c] = (answer[r, c] + rng.integers(1, 6)) % 6
        if answer.any():
            verdict = task.score(problem, task.solve(problem.answered(answer.tolist()), Canvas()))
            assert (verdict.answer, verdict.givens) == ("failed", "passed")
            assert verdict.evidence["answer"] == answer.tolist()


def test_a_changed_cell_of_any_given_grid_is_caught():
    task = GridRule()
    problem = task.sample(2)
    for sheet in range(5):
        for cell in range(sheet, 9, 3):
            grids = [np.array(g) for pair in problem.state["pairs"] for g in pair]
            grids.append(np.array(problem.state["test"]))
            r, c = divmod(cell, 3)
            grids[sheet][r, c] = (grids[sheet][r, c] + 1) % 6
            a, b, x, y, test = (g.tolist() for g in grids)
            other = {**problem.state, "pairs": [[a, b], [x, y]], "test": test}
            clip = task.solve(replace(problem, state=other), Canvas())
            verdict = task.score(problem, clip)
            assert (verdict.answer, verdict.givens) == ("passed", "failed")


def test_a_colour_between_two_is_unreadable():
    task = GridRule()
    problem = task.sample(0)
    clip = task.solve(problem, Canvas())
    assert clip.frames is not None
    frames = clip.frames.copy()
    left, top, _, _ = edges(TEST, 64)
    inks = np.array(problem.state["inks"])
    frames[-1, top : top + 6, left : left + 6] = (inks[0] + inks[3]) / 2  # red and orange
    verdict = task.score(problem, replace(clip, frames=frames))
    assert verdict.headline == "unreadable"


def test_whole_cells_painted_over_their_lines_pass():
    task = GridRule()
    for seed in range(10):
        problem = task.sample(seed)
        first = task.first_frame(problem, Canvas())
        last = first.copy()
        left, top, _, _ = edges(TEST, 64)
        for (r, c), ink in np.ndenumerate(np.array(problem.state["answer"])):
            if ink:
                area = last[top + 6 * r : top + 6 * r + 6, left + 6 * c : left + 6 * c + 6]
                area[:] = problem.state["inks"][ink - 1]
        assert task.score(problem, Clip(np.stack([first, last]))).passed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"cells": 7}, "grid_rule.cells must lie in 3..6; got 7"),
        ({"kinds": "magic"}, "grid_rule.kinds takes recolour"),
        ({"colours": 1, "kinds": "swap"}, "at least 2 for swap and keep"),
    ],
)
def test_wrong_fields_are_named(fields, text):
    with pytest.raises(PhospheneError, match=text):
        GridRule(**fields)
