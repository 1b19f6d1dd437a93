"""Bounce: the flight against small steps, pictures as they always were, and lies about a ball."""

import hashlib
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.draw import blend, disc
from phosphene.errors import PhospheneError
from phosphene.task import Canvas
from phosphene.tasks.bounce import HORIZON, RADIUS, Bounce, flight, impacts

CANVAS = Canvas(frames=17)  # two seconds
TASK = Bounce()


def deal(seed):
    problem = TASK.sample(seed)
    clip = TASK.solve(problem, CANVAS)
    assert clip.frames is not None
    return problem, clip, clip.frames.copy()


def judged(problem, clip, frames):
    return TASK.score(problem, replace(clip, frames=frames), canvas=CANVAS)


def test_flight_agrees_with_small_steps():
    """Against an integration that reflects at walls, a ten thousandth of a second at a time."""
    for seed in range(5):
        problem = TASK.sample(seed)
        p, v = np.array(problem.state["position"]), np.array(problem.state["velocity"])
        hits = []
        for i in range(10_000):
            p = p + v * 1e-4
            for axis in (0, 1):
                if (p[axis] > 1 - RADIUS and v[axis] > 0) or (p[axis] < RADIUS and v[axis] < 0):
                    v[axis] = -v[axis]
                    hits.append((i + 1) * 1e-4)
        clip = TASK.solve(problem, Canvas())
        t, x, y = TASK.score(problem, clip).evidence["answer"][0]
        assert t == 1
        assert np.hypot(x - p[0], y - p[1]) < 0.5 / 64
        assert np.allclose(sorted(hits), impacts(problem, 1.0), atol=1e-3)


def test_pictures_are_as_they_always_were():
    h = hashlib.sha256()
    for seed in range(10):
        for canvas in (Canvas(), Canvas(size=96, frames=16)):
            frames = TASK.solve(TASK.sample(seed), canvas).frames
            assert frames is not None
            h.update(frames.tobytes())
    assert h.hexdigest()[:16] == "a7aebf624acc51dd"


def test_another_frame_rate_and_another_length_are_the_same_flight():
    for canvas in (Canvas(frames=9, fps=16), Canvas(frames=41, fps=12), Canvas(frames=81, fps=24)):
        problem = TASK.sample(1)
        assert TASK.score(problem, TASK.solve(problem, canvas), canvas=canvas).passed


def test_half_the_speed_fails():
    problem, clip, frames = deal(2)
    slow = replace(clip, frames=frames, fps=Fraction(2 * clip.fps))
    assert TASK.score(problem, slow, canvas=CANVAS).process == "failed"


def test_an_image_is_the_end_of_what_was_asked_for():
    for seed in range(10):
        problem, _, frames = deal(seed)
        end = TASK.score(problem, Clip(frames[-1:]), canvas=CANVAS)
        assert (end.answer, end.process, end.headline) == ("passed", "not judged", "passed")
        assert not TASK.score(problem, Clip(frames[4:5]), canvas=CANVAS).passed


def test_a_turn_in_mid_air_fails_though_the_ball_arrives():
    """Half a second away from the true flight and back onto it, with no wall near."""
    for seed in range(10):
        problem, clip, _ = deal(seed)
        path = np.array([[0, *problem.state["position"]], *problem.state["answer"]])
        seconds = np.arange(CANVAS.frames) / float(CANVAS.fps)
        x, y = (np.interp(seconds, path[:, 0], path[:, i]) for i in (1, 2))
        x[6:10] = x[6:10] + np.where(x[6:10] < 0.5, 0.18, -0.18)
        detour = [[float(t), float(a), float(b)] for t, a, b in zip(seconds, x, y, strict=True)]
        verdict = judged(problem, clip, TASK.solve(problem.answered(detour[1:]), CANVAS).frames)
        assert (verdict.answer, verdict.process) == ("passed", "failed"), verdict
        assert "off its flight" in verdict.reason


def test_through_the_wall_and_back_in_opposite_fails():
    for seed in range(10):
        problem, clip, frames = deal(seed)
        if not impacts(problem, 1.5):
            continue
        s = problem.state
        paper, ink = np.array(s["colours"], np.float32)
        for k in range(len(frames)):
            x, y = (
                (np.array(s["position"]) + np.array(s["velocity"]) * k / float(CANVAS.fps)) % 1 * 64
            )
            picture = np.broadcast_to(paper, (64, 64, 3))
            frames[k] = np.rint(blend(picture, disc(64, x, y, 5), ink))
        verdict = judged(problem, clip, frames)
        assert verdict.process == "failed", verdict


def test_a_leap_a_gap_a_twin_and_a_pause_fail():
    for seed in range(6):
        problem, clip, frames = deal(seed)
        far = frames.copy()
        far[8] = far[3]
        gap = frames.copy()
        gap[8] = np.array(problem.state["colours"][0])
        twin = frames.copy()
        twin[8] = np.minimum(twin[8], np.roll(twin[8], (24, 24), (0, 1)))
        pause = frames.copy()
        pause[5:12] = pause[5]
        assert "off its flight" in judged(problem, clip, far).reason
        assert "no ball" in judged(problem, clip, gap).reason
        assert judged(problem, clip, twin).process == "failed"
        assert judged(problem, clip, pause).process == "failed"


def test_a_twin_in_the_last_frame_is_unreadable_and_fails():
    problem, clip, frames = deal(0)
    frames[-1] = np.minimum(frames[-1], np.roll(frames[-1], (24, 24), (0, 1)))
    verdict = judged(problem, clip, frames)
    assert (verdict.answer, verdict.headline) == ("unreadable", "failed")


def test_a_ball_that_changes_its_colour_or_size_fails():
    for seed in range(6):
        problem, clip, frames = deal(seed)
        paper, ink = np.array(problem.state["colours"])
        path = np.array([[0, *problem.state["position"]], *problem.state["answer"]])
        x, y = (np.interp(1.0, path[:, 0], path[:, i]) * 64 for i in (1, 2))
        for radius, colour in ((5, (ink + 120) % 256), (3, ink), (8, ink)):
            changed = frames.copy()
            changed[8] = blend(np.broadcast_to(paper, (64, 64, 3)), disc(64, x, y, radius), colour)
            assert judged(problem, clip, changed).process == "failed"
        same = frames.copy()
        same[8] = blend(np.broadcast_to(paper, (64, 64, 3)), disc(64, x, y, 5), ink)
        assert judged(problem, clip, same).passed  # the streak isn't asked for


def test_something_else_in_the_picture_fails():
    problem, clip, frames = deal(3)
    spot = frames.copy()
    spot[4:9, 2:8, 56:62] = (250, 120, 0)
    assert "neither ball nor streak" in judged(problem, clip, spot).reason
    night = frames.copy()
    night[6] = 255 - night[6]
    assert not judged(problem, clip, night).passed


def test_where_it_errs_it_says_by_how_much():
    problem, clip, _ = deal(0)
    off = [[HORIZON, 0.5, 0.5]]
    verdict = judged(problem, clip, TASK.solve(problem.answered(off), CANVAS).frames)
    assert "px of 64" in verdict.reason
    assert "sides" in judged(problem, clip, clip.frames).reason


def test_flights_that_leave_no_trace_of_speed_zero_axis():
    """Straight up and down: one coordinate never changes."""
    path = np.array(flight([0.5, 0.5], [0.0, 1.0]))
    assert np.allclose(path[:, 1], 0.5)
    assert np.allclose(np.diff(path[:-1, 0]), 1 - 2 * RADIUS)


def test_errors_say_what_to_mend():
    with pytest.raises(PhospheneError, match="slowest <= fastest; got 2, 1"):
        Bounce(slowest=2, fastest=1)
    with pytest.raises(PhospheneError, match=r"bounce\.tolerance"):
        Bounce(tolerance=0)
    with pytest.raises(PhospheneError, match="fewer frames"):
        TASK.solve(TASK.sample(0), Canvas(frames=200, fps=8))
