"""Clock: hands against angles, times as digits, hands that were moved behind the judge's back."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.task import Canvas
from phosphene.tasks.clock import Clock

CANVAS = Canvas()
TASK = Clock(step=1, variety=0.0)


def dealt(minutes, answer):
    problem = TASK.sample(0)
    return replace(problem, state={**problem.state, "minutes": minutes, "answer": answer})


def test_hands_point_where_hands_of_a_clock_point():
    """The centre of each hand's own colour, far from the hub."""
    size = 256
    for minutes in (0, 95, 190, 225, 400, 555, 719):
        picture = TASK.first_frame(dealt(minutes, None), Canvas(size=size)).astype(float)
        y, x = np.mgrid[:size, :size] + 0.5
        x, y = x - size / 2, size * 22.5 / 64 - y
        far = np.hypot(x, y) / (size * 21 / 64)
        for colour, ring, turn in (
            ((30, 60, 230), (0.35, 0.5), minutes / 720),
            ((220, 30, 30), (0.6, 0.8), minutes % 60 / 60),
        ):
            hand = (np.abs(picture - colour).max(-1) < 60) & (far > ring[0]) & (far < ring[1])
            if not hand.any():  # below the other hand
                assert minutes == 0
                continue
            angle = np.arctan2(x[hand].mean(), y[hand].mean()) / (2 * np.pi)
            assert abs((angle - turn + 0.5) % 1 - 0.5) < 0.02


def test_answers_are_times_of_the_day():
    for step in (30, 15, 5, 1):
        task = Clock(step=step)
        for seed in range(20):
            problem = task.sample(seed)
            hour, minute = map(int, problem.state["answer"].split(":"))
            assert 1 <= hour <= 12
            assert minute % step == 0
            assert (hour % 12) * 60 + minute == problem.state["minutes"]
            assert task.work_out(problem.answered(None)) == problem.state["answer"]


@pytest.mark.parametrize("written", ["4:35", "7:20", "3:07", "5:35", "7:35"])
def test_other_times_are_rejected(written):
    problem = dealt(3 * 60 + 35, "3:35")
    assert TASK.score(problem, TASK.solve(problem, CANVAS)).passed
    found = TASK.score(problem, TASK.solve(problem.answered(written), CANVAS))
    assert (found.answer, found.reason) == ("failed", f"reads {written}, not 3:35")


@pytest.mark.parametrize("written", ["0335", "335", "03:35"])
def test_colon_and_leading_zero_are_free(written):
    problem = dealt(3 * 60 + 35, "3:35")
    assert TASK.score(problem, TASK.solve(problem.answered(written), CANVAS)).passed


@pytest.mark.parametrize("minutes", [3 * 60 + 40, 4 * 60 + 35, 3 * 60 + 5, 7 * 60 + 15])
def test_a_clock_that_was_put_right_is_seen(minutes):
    problem = dealt(3 * 60 + 35, "3:35")
    found = TASK.score(problem, TASK.solve(dealt(minutes, "3:35"), CANVAS))
    assert (found.answer, found.givens) == ("passed", "failed")
    assert "hand has moved" in found.reason


def test_a_hand_that_turns_while_the_time_is_written_is_seen():
    problem = dealt(3 * 60 + 35, "3:35")
    right, other = (TASK.solve(dealt(m, "3:35"), CANVAS).frames for m in (215, 245))
    assert right is not None
    assert other is not None
    frames = np.concatenate([right[:5], other[5:]])
    assert (
        TASK.score(problem, replace(TASK.solve(problem, CANVAS), frames=frames)).givens == "failed"
    )


def test_errors_name_the_field():
    with pytest.raises(PhospheneError, match=r"clock\.step.*7"):
        Clock(step=7)
