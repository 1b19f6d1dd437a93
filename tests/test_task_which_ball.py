"""Which ball: the wrong ball hops, no ball hops, or the right one sounds wrong."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas
from phosphene.tasks.which_ball import BOXES, WhichBall

TASK = WhichBall()


def test_higher_notes_go_with_smaller_balls():
    for seed in range(40):
        s = TASK.sample(seed).state
        played = sorted(zip(s["tune"], s["answer"], strict=True))
        sizes = [s["sizes"][ball] for _, ball in played]
        assert sizes == sorted(sizes, reverse=True)
        assert {n + s["sizes"][b] for n, b in played} == {TASK.balls - 1}


def test_boxes_that_fill_while_no_ball_hops_fail():
    problem = TASK.sample(0)
    clip = TASK.solve(problem, Canvas())
    frames = clip.frames.copy()
    below = round((BOXES[1] + 0.05) * 64)
    frames[:, below:] = frames[0, below:]
    verdict = TASK.score(problem, replace(clip, frames=frames))
    assert (verdict.answer, verdict.sound, verdict.process) == ("passed", "passed", "failed")
    assert "doesn't hop" in verdict.reason


def test_the_wrong_balls_hopping_under_right_colours_fail():
    for seed in range(5):
        problem = TASK.sample(seed)
        clip = TASK.solve(problem, Canvas())
        lie = problem.answered([(i + 1) % TASK.balls for i in problem.state["answer"]])
        below = round((BOXES[1] + 0.05) * 64)
        frames = clip.frames.copy()
        frames[:, below:] = TASK.solve(lie, Canvas()).frames[:, below:]
        assert TASK.score(problem, replace(clip, frames=frames)).process == "failed"


def test_a_tune_sung_an_octave_up_or_upside_down_fails():
    problem = TASK.sample(1)
    clip = TASK.solve(problem, Canvas())
    heard = TASK.hear(problem, clip.audio[0], 8000)
    for change in (lambda hertz: 2 * hertz, lambda hertz: 260 * 1040 / hertz):
        track = np.zeros(9000, np.float32)
        for time, hertz in heard:
            mix(track, tone(640, 8000, change(hertz), 0.01), time, 8000)
        verdict = TASK.score(problem, replace(clip, audio=finish(track, 8000)))
        assert (verdict.answer, verdict.sound) == ("passed", "failed")
        assert "Hz, not" in verdict.reason


def test_a_box_in_no_balls_colour_is_unreadable():
    problem = TASK.sample(2)
    clip = TASK.solve(problem, Canvas(size=128))
    frames = clip.frames.copy()
    top, bottom = (round(128 * y) for y in BOXES)
    frames[-1, top:bottom, 12:30] = 128
    verdict = TASK.score(problem, replace(clip, frames=frames))
    assert verdict.answer == "unreadable"


@pytest.mark.parametrize("fields", [{"balls": 2}, {"notes": 6}])
def test_wrong_fields_are_named(fields):
    ((name, value),) = fields.items()
    with pytest.raises(
        PhospheneError, match=rf"which_ball\.{name} must lie in 3\.\.5; got {value}"
    ):
        WhichBall(**fields)
