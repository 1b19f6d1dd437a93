"""Linear equation: solutions against trying them all, signs that matter, the split of multiples."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.task import Canvas
from phosphene.tasks.linear_equation import LinearEquation

CANVAS = Canvas()
TASK = LinearEquation(largest=99, negative=True, variety=0.0)


def dealt(given, answer):
    problem = TASK.sample(0)
    return replace(problem, state={**problem.state, "given": given, "answer": answer})


@pytest.mark.parametrize("fields", LinearEquation.LADDER)
def test_the_answer_is_the_only_whole_number_that_fits(fields):
    task = LinearEquation(**fields)
    for seed in range(40):
        problem = task.sample(seed)
        left, right = problem.state["given"].split("=")
        fits = [x for x in range(-99, 100) if eval(left.replace("x", f"*{x}")) == int(right)]
        assert fits == [int(problem.state["answer"])]
        assert fields.get("negative") or fits[0] >= 0
        assert abs(int(right)) <= task.largest
        assert task.work_out(problem.answered(None)) == problem.state["answer"]


def test_multiples_lie_on_one_side_of_the_split():
    task = LinearEquation(coefficient=6, largest=20)
    sides: dict[tuple[Fraction, int], set[str]] = {}
    for split in ("train", "test"):
        for seed in range(300):
            s = task.sample(seed, split).state
            found = re.match(r"(\d)x([-+]\d+)=", s["given"])
            assert found is not None
            ratio = Fraction(int(found[2]), int(found[1]))
            sides.setdefault((ratio, int(s["answer"])), set()).add(split)
    assert all(len(side) == 1 for side in sides.values())


@pytest.mark.parametrize(
    ("given", "answer", "written"),
    [
        ("2x+3=11", "4", "-4"),
        ("2x+30=6", "-12", "12"),
        ("2x+30=6", "-12", "-21"),
        ("2x+30=6", "-12", "-1"),
        ("5x-3=52", "11", "1"),
        ("2x+3=17", "7", "1"),
    ],
)
def test_signs_and_digits_count(given, answer, written):
    problem = dealt(given, answer)
    assert TASK.score(problem, TASK.solve(problem, CANVAS)).passed
    found = TASK.score(problem, TASK.solve(problem.answered(written), CANVAS))
    assert found.reason == f"reads {written}, not {answer}"
    assert (found.answer, found.givens) == ("failed", "passed")


@pytest.mark.parametrize("lie", ["2x-3=11", "3x+3=11", "2x+8=11", "2x+3=17", "2x+3=71"])
def test_one_changed_given_is_seen(lie):
    problem = dealt("2x+3=11", "4")
    found = TASK.score(problem, TASK.solve(dealt(lie, "4"), CANVAS))
    assert (found.answer, found.givens) == ("passed", "failed")


def test_a_minus_that_is_wiped_out_is_missed():
    problem = dealt("2x+30=6", "-12")
    clip = TASK.solve(problem, CANVAS)
    assert clip.frames is not None
    frames, positive = clip.frames.copy(), TASK.solve(problem.answered("12"), CANVAS)
    frames[-1:, :, 21:31] = TASK.first_frame(problem, CANVAS)[:, 21:31]
    assert TASK.score(problem, replace(clip, frames=frames)).answer == "failed"
    assert np.abs(frames[-1].astype(int) - clip.frames[-1]).max() > 150
    assert TASK.score(problem, positive).answer == "failed"


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match=r"linear_equation\.coefficient.*10"):
        LinearEquation(coefficient=10)
    with pytest.raises(PhospheneError, match=r"linear_equation\.largest.*100"):
        LinearEquation(largest=100)
