"""Clicks: counts that lie, lights that cheat, clicks at the wrong height."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.draw import disc
from phosphene.errors import PhospheneError
from phosphene.sound import finish, mix, thump
from phosphene.task import Canvas
from phosphene.tasks.clicks import Clicks

TASK = Clicks(fewest=4, most=6, others=3)


def test_the_answer_is_the_dots_of_the_box_colour():
    for seed in range(50):
        s = TASK.sample(seed).state
        assert s["answer"][1] == [i for i in range(len(s["kinds"])) if s["kinds"][i] == s["target"]]
        assert s["answer"][0] == len(s["answer"][1])


def test_a_tally_that_is_one_off_fails_though_the_lights_and_clicks_are_right():
    for seed in range(5):
        problem = TASK.sample(seed)
        count, lit = problem.state["answer"]
        for wrong in (count - 1, count + 1):
            lie = TASK.solve(problem.answered([wrong, lit]), Canvas())
            right = TASK.solve(problem, Canvas())
            verdict = TASK.score(problem, replace(right, frames=lie.frames))
            assert verdict.answer == "failed"
            assert verdict.evidence["answer"] == [wrong, lit]


def test_a_light_that_goes_out_again_is_no_legal_way():
    problem = TASK.sample(1)
    clip = TASK.solve(problem, Canvas())
    frames = clip.frames.copy()
    frames[-3] = frames[0]
    verdict = TASK.score(problem, replace(clip, frames=frames))
    assert verdict.process == "failed"
    assert "goes out" in verdict.reason


def test_a_dot_that_is_repainted_is_a_given_that_changed():
    problem = TASK.sample(2)
    clip = TASK.solve(problem, Canvas())
    frames = clip.frames.copy()
    lit = problem.state["answer"][1][0]
    x, y = (64 * v for v in problem.state["places"][lit])
    ring = (disc(64, x, y, 5.2) > 0.2) & (disc(64, x, y, 2.6) < 0.2)
    frames[3:, ring] = 255 - frames[3:, ring]
    verdict = TASK.score(problem, replace(clip, frames=frames))
    assert verdict.givens == "failed"


def test_clicks_at_the_right_times_all_of_one_height_fail():
    problem = next(p for p in map(TASK.sample, range(99)) if len(_rows(p)) > 1)
    clip = TASK.solve(problem, Canvas())
    track = np.zeros(9000, np.float32)
    for time, _ in TASK.hear(problem, clip.audio[0], 8000):
        mix(track, thump(480, 8000, 800, 0.012), time, 8000)
    verdict = TASK.score(problem, replace(clip, audio=finish(track, 8000)))
    assert verdict.sound == "failed"
    assert "higher" in verdict.reason


def _rows(problem):
    return {problem.state["rows"][i] for i in problem.state["answer"][1]}


def test_lights_from_right_to_left_are_as_good_if_the_clicks_go_with_them():
    problem = TASK.sample(4)
    clip = TASK.solve(problem, Canvas(frames=33, fps=32))
    mirrored = {**problem.state, "places": [[1 - x, y] for x, y in problem.state["places"]]}
    other = replace(problem, state=mirrored)
    assert TASK.score(other, TASK.solve(other, Canvas())).passed
    assert TASK.score(problem, clip).passed


@pytest.mark.parametrize(
    ("fields", "words"),
    [({"fewest": 5, "most": 4}, "fewest <= most"), ({"most": 8, "others": 5}, r"0\.\.4 beside 8")],
)
def test_wrong_fields_are_named(fields, words):
    with pytest.raises(PhospheneError, match=words):
        Clicks(**fields)
