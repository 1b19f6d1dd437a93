"""Worked equations: the dots say what the digits say, go in the end, and never change the split."""

from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.task import Canvas
from phosphene.tasks.equations import Equations
from phosphene.tasks.worked_equations import WorkedEquations

CANVAS = Canvas()
PLAIN = WorkedEquations(variety=0.0)


def dots(frame):
    """How many separate dark runs the middles of the two rows hold."""
    found = []
    for y in (40, 56):
        dark = np.concatenate([[False], frame[y, :, 0] < 128])
        found.append(int(np.count_nonzero(dark[1:] & ~dark[:-1])))
    return found


def test_dots_count_the_operands_then_the_result_and_are_cleared_away():
    for seed in range(30):
        problem = PLAIN.sample(seed)
        s = problem.state
        frames = PLAIN.solve(problem, CANVAS).frames
        assert frames is not None
        result = eval(f"{s['a']}{s['operator']}{s['b']}")
        assert dots(frames[0]) == [0, 0]
        assert dots(frames[1]) == [s["a"], s["b"]]
        counts = [dots(frame) for frame in frames[1:8]]
        if s["operator"] == "+":
            assert {sum(count) for count in counts} == {result}
        else:
            assert {upper - lower for upper, lower in counts} == {result}
        moves = [before[1] - after[1] for before, after in pairwise(counts)]
        assert max(moves) <= 2, "two at a time"
        assert counts[-1] == [min(result, 10), max(result - 10, 0)]
        assert dots(frames[8]) == [0, 0]


def test_problems_split_and_both_ends_are_those_of_equations():
    other = Equations(variety=0.0)
    for split in ("train", "test"):
        assert PLAIN.pairs(split) == other.pairs(split)
        for seed in range(10):
            mine, theirs = PLAIN.sample(seed, split), other.sample(seed, split)
            assert dict(mine.state) == dict(theirs.state)
            assert (PLAIN.first_frame(mine, CANVAS) == other.first_frame(theirs, CANVAS)).all()
            assert (PLAIN.last_frame(mine, CANVAS) == other.last_frame(theirs, CANVAS)).all()


def test_a_misprinted_equation_says_another_pair_and_the_answer_is_that_of_the_dots():
    task, other = WorkedEquations(variety=0.0, misprinted=0.5), Equations(variety=0.0)
    misprinted = 0
    for seed in range(60):
        problem, true = task.sample(seed, "train"), PLAIN.sample(seed, "train")
        s = problem.state
        assert {k: v for k, v in s.items() if k != "printed"} == dict(true.state)
        frames, plain = task.solve(problem, CANVAS).frames, PLAIN.solve(true, CANVAS).frames
        assert frames is not None
        assert plain is not None
        assert dots(frames[1]) == [s["a"], s["b"]]
        assert (frames[-1][:, 40:] == plain[-1][:, 40:]).all(), "the answer stands to the right"
        if "printed" not in s:
            assert (frames == plain).all()
            continue
        misprinted += 1
        a, b = s["printed"]
        assert (a, s["operator"], b) in task.pairs("train")
        said = replace(true, state={**true.state, "a": a, "b": b})
        assert (frames[0] == other.first_frame(said, CANVAS)).all()
    assert 18 <= misprinted <= 42
    with pytest.raises(PhospheneError, match=r"misprinted must lie in 0\.\.1; got 2"):
        WorkedEquations(misprinted=2)


def test_a_picture_worked_out_without_dots_passes_and_dots_under_a_plain_equation_do_not():
    problem = PLAIN.sample(3)
    plain = Equations(variety=0.0)
    assert PLAIN.score(problem, plain.solve(problem, CANVAS)).passed
    found = plain.score(problem, PLAIN.solve(problem, CANVAS))
    assert found.answer == "passed"
    assert found.stability == "failed"


def test_a_wrong_answer_fails_whatever_its_dots():
    problem = PLAIN.sample(4)
    wrong = problem.answered(str(int(problem.state["answer"]) + 1))
    assert not PLAIN.score(problem, PLAIN.solve(wrong, CANVAS)).passed


def test_free_looks_keep_clear_of_the_dots():
    task = WorkedEquations()
    for seed in range(40):
        problem = task.sample(seed)
        blank = replace(problem, state={**problem.state, "a": 0, "b": 0, "answer": ""})
        frames = task.film(blank, CANVAS, np.linspace(0, 1, 9))
        paper = np.array(problem.state["colours"][0], np.float32)
        # Below the line of text there is nothing but dots, and zeros have none.
        assert np.abs(frames[:, 37:] - paper).max() < 1


@pytest.mark.parametrize(
    ("fields", "word"),
    [({"operators": "x"}, "operators"), ({"operators": ""}, "operators"), ({"largest": 10}, "9")],
)
def test_what_has_no_room_is_refused(fields, word):
    with pytest.raises(PhospheneError, match=word):
        WorkedEquations(**fields)
