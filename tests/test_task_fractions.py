"""Fractions: sums against exact arithmetic, lowest terms only, a bar between two numbers."""

import re
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.draw import blend, capsule
from phosphene.errors import PhospheneError
from phosphene.formula import formula
from phosphene.task import Canvas
from phosphene.tasks.fractions import Fractions, _area

CANVAS = Canvas()
TASK = Fractions(variety=0.0)


def dealt(first, operator, second, answer):
    problem = TASK.sample(0)
    given = {"first": first, "operator": operator, "second": second, "answer": answer}
    return replace(problem, state={**problem.state, **given})


@pytest.mark.parametrize("fields", Fractions.LADDER)
def test_answers_agree_with_exact_arithmetic_and_are_in_lowest_terms(fields):
    task = Fractions(**fields)
    for seed in range(40):
        problem = task.sample(seed)
        (a, b), (c, d) = problem.state["first"], problem.state["second"]
        over = {
            "+": (a * d + c * b, b * d),
            "-": (a * d - c * b, b * d),
            "x": (a * c, b * d),
        }[problem.state["operator"]]
        numerator, _, denominator = problem.state["answer"].partition("/")
        assert int(numerator) * over[1] == over[0] * int(denominator or 1)
        assert np.gcd(int(numerator), int(denominator or 1)) == 1
        assert denominator != "1"
        assert task.work_out(problem.answered(None)) == problem.state["answer"]
        if fields.get("alike"):
            assert b == d


@pytest.mark.parametrize("size", [64, 160])
@pytest.mark.parametrize("answer", ["1", "3/4", "4/3", "1/12", "11/12", "127/72", "0", "7", "10/7"])
def test_what_is_drawn_is_read(answer, size):
    for family in range(3):
        problem = dealt([1, 2], "+", [1, 4], answer)
        problem = replace(problem, state={**problem.state, "family": family})
        clip = TASK.solve(problem, Canvas(size=size))
        assert TASK.decode(problem, clip, every=False).readings[8].answer == answer


@pytest.mark.parametrize("written", ["6/8", "4/3", "3", "34", "3/8", "8/4"])
def test_other_fractions_and_unreduced_ones_are_rejected(written):
    problem = dealt([1, 2], "+", [1, 4], "3/4")
    found = TASK.score(problem, TASK.solve(problem.answered(written), CANVAS))
    assert (found.answer, found.givens) == ("failed", "passed")
    assert found.reason == f"reads {written}, not 3/4"


@pytest.mark.parametrize(
    "lie",
    [([1, 3], "+", [1, 4]), ([1, 2], "-", [1, 4]), ([1, 2], "+", [3, 4]), ([1, 2], "+", [1, 9])],
)
def test_one_changed_given_is_seen(lie):
    first, operator, second = lie
    problem = dealt([1, 2], "+", [1, 4], "3/4")
    found = TASK.score(problem, TASK.solve(dealt(first, operator, second, "3/4"), CANVAS))
    assert (found.answer, found.givens) == ("passed", "failed")


def test_a_fraction_without_bar_or_denominator_is_not_accepted():
    problem = dealt([1, 2], "+", [1, 4], "3/4")
    solved = TASK.solve(problem, CANVAS)
    assert solved.frames is not None
    first, top = solved.frames[0], _area(problem, 64)[0]
    for rows in (slice(46, 49), slice(49, 64), slice(top, 46)):
        frames = solved.frames.copy()
        frames[-3:, rows, 18:] = first[rows, 18:]
        assert not TASK.score(problem, replace(solved, frames=frames)).passed


def test_a_bar_drawn_by_hand_is_a_bar():
    problem = dealt([1, 2], "+", [1, 4], "3/4")
    solved = TASK.solve(problem, CANVAS)
    assert solved.frames is not None
    picture = solved.frames[-1].astype(np.float32)
    columns = slice(18, 64)
    picture[46:49, columns] = 255
    picture = blend(picture, capsule(64, (23, 48.0), (36, 47.0), 0.8), np.array([20, 20, 200.0]))
    last = picture.clip(0, 255).astype(np.uint8)
    clip = Clip(np.stack([solved.frames[0], last, last]), Fraction(8))
    assert TASK.score(problem, clip).passed


def test_a_formula_stands_where_it_should():
    placed = formula(r"\dfrac{1}{23}", 0, 20, 5, 40)
    one, two, three = placed.cells
    (top, left, bottom, right), *more = placed.bars
    assert not more
    assert top <= 40 <= bottom
    assert one.top + 0.8 * one.height <= top
    assert two.top >= bottom - 2
    assert left <= two.left + 2 < three.left < right <= placed.right
    assert re.search("DejaVu", placed.face.path)


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match=r"fractions\.operators.*'/'"):
        Fractions(operators="/")
    with pytest.raises(PhospheneError, match=r"fractions\.largest.*13"):
        Fractions(largest=13)
