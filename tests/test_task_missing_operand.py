"""Missing operand: exactly one number fits, it must stand in the box, and the rest must stay."""

import re
from dataclasses import replace

import numpy as np
import pytest

from phosphene.draw import glyph, place
from phosphene.errors import PhospheneError
from phosphene.task import Canvas
from phosphene.tasks.missing_operand import MissingOperand

CANVAS = Canvas()


def dealt(given, answer, slots=1):
    problem = MissingOperand(variety=0.0).sample(0)
    state = {**problem.state, "given": given, "answer": answer, "slots": slots}
    return replace(problem, state=state)


@pytest.mark.parametrize("fields", MissingOperand.LADDER)
def test_the_answer_is_the_only_number_that_fits(fields):
    task = MissingOperand(**fields)
    for seed in range(40):
        problem = task.sample(seed)
        left, right = problem.state["given"].replace("×", "*").split("=")
        fits = [n for n in range(100) if eval(re.sub(r"\?", str(n), left)) == int(right)]
        assert fits == [int(problem.state["answer"])]
        assert task.work_out(problem.answered(None)) == problem.state["answer"]


def test_one_fact_lies_on_one_side_whatever_is_asked_for():
    task = MissingOperand(operators="+", largest=9)
    sides: dict[tuple[int, ...], set[str]] = {}
    for split in ("train", "test"):
        for seed in range(150):
            s = task.sample(seed, split).state
            known = int(re.findall(r"\d+", s["given"])[0])
            sides.setdefault(tuple(sorted((known, int(s["answer"])))), set()).add(split)
    assert all(len(side) == 1 for side in sides.values())
    assert {side for found in sides.values() for side in found} == {"train", "test"}


def test_the_number_must_stand_in_the_box():
    task, problem = MissingOperand(variety=0.0), dealt("3+?=7", "4")
    clip = task.solve(problem, CANVAS)
    assert clip.frames is not None
    assert task.score(problem, clip).passed
    picture = clip.frames[0].astype(np.float32)
    place(picture, glyph("4", 0, 16, 10), 46, 20, np.zeros(3, np.float32))
    below = np.stack([clip.frames[0]] * 8 + [picture.astype(np.uint8)])
    found = task.score(problem, replace(clip, frames=below))
    assert (found.answer, found.givens) == ("failed", "failed")
    assert "no answer is shown" in found.reason


@pytest.mark.parametrize("lie", ["3-?=7", "8+?=7", "3+?=1", "2+?=7", "3×?=7"])
def test_one_changed_given_is_seen(lie):
    task, problem = MissingOperand(variety=0.0), dealt("3+?=7", "4")
    found = task.score(problem, task.solve(dealt(lie, "4"), CANVAS))
    assert (found.answer, found.givens) == ("passed", "failed")


@pytest.mark.parametrize("written", ["21", "1", "2", "13"])
def test_swapped_and_left_out_digits_are_rejected(written):
    task, problem = MissingOperand(largest=99, variety=0.0), dealt("?+30=42", "12", slots=2)
    found = task.score(problem, task.solve(problem.answered(written), CANVAS))
    assert found.answer == "failed"
    assert found.reason.startswith(f"reads {written}, not 12")


def test_nothing_times_nothing_is_never_asked():
    task = MissingOperand(operators="x", largest=3)
    for seed in range(60):
        assert re.search(r"[1-9]\d*", task.sample(seed).state["given"].split("=")[0])


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match=r"missing_operand\.operators.*'/'"):
        MissingOperand(operators="/")
    with pytest.raises(PhospheneError, match=r"missing_operand\.largest.*1"):
        MissingOperand(largest=1)
