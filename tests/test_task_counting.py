"""Counting: other numbers, other objects; the truth by counting blobs in the picture itself."""

from dataclasses import replace
from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from scipy import ndimage

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.readers.onsets import onsets
from phosphene.task import Canvas
from phosphene.tasks.counting import Counting

TASK = Counting(most=9, others=0)


def test_the_number_is_that_of_the_blobs_in_the_picture():
    task = Counting(most=15, others=0)
    for seed in range(15):
        problem = task.sample(seed)
        picture = task.first_frame(problem, Canvas(size=256)).astype(int)
        upper = picture[: 44 * 4]
        ink = np.abs(upper - np.array(problem.state["colours"][0])).max(-1) > 40
        _, blobs = ndimage.label(ink)  # type: ignore[misc]
        assert str(blobs) == problem.state["answer"] == task.work_out(problem.answered(None))


@pytest.mark.parametrize("differ", ["colour", "shape", "both"])
def test_only_one_kind_counts(differ):
    task = Counting(most=6, others=6, differ=differ)
    for seed in range(15):
        problem = task.sample(seed)
        kinds = [tuple(o[3:]) for o in problem.state["objects"]]
        assert kinds.count(tuple(problem.state["target"])) == int(problem.state["answer"])
        for shape, colour in set(kinds) - {tuple(problem.state["target"])}:
            same = (shape == problem.state["target"][0]) + (colour == problem.state["target"][1])
            assert same == 1
        name = ("blue", "green", "red")[problem.state["target"][1]]
        assert all(name in prompt for prompt in problem.prompts)
        assert not any(problem.state["answer"] in prompt for prompt in problem.prompts)


def test_one_more_and_one_less_fail():
    for seed in range(2):
        problem = TASK.sample(seed)
        count = int(problem.state["answer"])
        for other in {count - 1, count + 1, count + 10} - {0}:
            verdict = TASK.score(problem, TASK.solve(problem.answered(str(other)), Canvas()))
            assert verdict.answer == "failed", verdict
            assert str(other) in verdict.reason


def test_the_right_number_for_other_objects_fails():
    for seed in range(4):
        problem = TASK.sample(seed)
        s = problem.state
        gone = replace(problem, state={**s, "objects": s["objects"][1:]})
        x, y, r, shape, colour = s["objects"][0]
        moved = replace(
            problem, state={**s, "objects": [[1 - x, y, r, shape, colour], *s["objects"][1:]]}
        )
        changed = replace(
            problem, state={**s, "objects": [[x, y, r, shape, (colour + 1) % 3], *s["objects"][1:]]}
        )
        for lie in (gone, changed, *([moved] if abs(x - 0.5) > 0.1 else [])):
            verdict = TASK.score(problem, TASK.solve(lie, Canvas(frames=1)))
            assert (verdict.answer, verdict.givens) == ("passed", "failed"), verdict


def test_an_empty_box_and_a_scribble_are_no_answer():
    problem = TASK.sample(0)
    first = TASK.first_frame(problem, Canvas())
    assert "no answer" in TASK.score(problem, Clip(first[None], Fraction(8))).reason
    scribble = first.copy()
    rows, columns = np.nonzero(TASK.region(problem, 64))
    scribble[rows, columns] = np.random.default_rng(0).integers(0, 256, (len(rows), 3))
    assert TASK.score(problem, Clip(scribble[None], Fraction(8))).answer != "passed"


def test_each_object_clicks_before_the_number_is_written():
    task = Counting(most=5)
    for seed in range(8):
        problem = task.sample(seed)
        canvas = Canvas(frames=33)
        sound = task.sound(problem, canvas)[0]
        half = round(canvas.seconds / 2 * canvas.rate)
        assert len(onsets(sound[: half - 400], canvas.rate)) == int(problem.state["answer"])


def test_errors_name_the_field():
    for field, value in (("most", 21), ("others", 9), ("differ", "size"), ("variety", 3)):
        fields: dict[str, Any] = {field: value}
        with pytest.raises(PhospheneError, match=rf"counting\.{field}.*{value}"):
            Counting(**fields)
