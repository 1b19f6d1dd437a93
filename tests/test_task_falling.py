"""Falling: the world's mechanics, scenes that decide for themselves, and balls that cheat."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.draw import blend, disc
from phosphene.errors import PhospheneError
from phosphene.gravity import BINS, GROUND, RADIUS, START, WALL, crosses, fall
from phosphene.task import Canvas
from phosphene.tasks.falling import WORLDS, Falling, _ground, _world

TASK = Falling(obstacles=1, bins=2)
LONG = Canvas(frames=17)


def deal(seed, task=TASK):
    problem = task.sample(seed)
    clip = task.solve(problem, LONG)
    assert clip.frames is not None
    return problem, clip, clip.frames.copy()


def drawn(problem, places):
    """A film of the ball at these places, in 64ths of the side, nothing else changed."""
    ground, ink = _ground(problem, 64), np.array(problem.state["colours"][1], np.float32)
    frames = [blend(ground, disc(64, float(x), float(y), RADIUS), ink) for x, y in places]
    return np.rint(frames).clip(0, 255).astype(np.uint8)


def judged(problem, clip, frames, task=TASK):
    return task.score(problem, replace(clip, frames=frames), canvas=LONG)


def test_a_free_fall_follows_the_law():
    """y = g t^2 / 2 until the floor, and a rebound no higher than the bounce allows."""
    free_fall = fall(20, (), 2, 0.0, 0.4)
    t, x, y = free_fall.path.T
    free = y < GROUND - WALL - RADIUS - 1
    first = int(np.argmin(free))
    assert np.allclose(x, 20, atol=1e-6)
    assert np.abs(y[:first] - START - 320 * t[:first] ** 2).max() < 1.5
    assert free_fall.bin == 0
    assert free_fall.knocks[0][1] == "floor"


def test_the_mirrored_scene_ends_in_the_mirrored_bin():
    task = Falling(obstacles=2, bins=3)
    for seed in range(8):
        s = task.sample(seed).state
        mirrored = tuple((k, 64 - x, y, h, -a) for k, x, y, h, a in s["obstacles"])
        assert fall(64 - s["start"], mirrored, 3, *WORLDS[0]).bin == 2 - s["answer"]


def test_balls_never_rise_above_where_they_were_let_go_and_end_at_rest():
    for seed in range(10):
        path = _world(Falling(obstacles=3, bins=3).sample(seed)).path
        assert path[:, 2].min() >= START - 0.01
        assert np.hypot(*np.diff(path[-3:, 1:], axis=0).T).max() < 0.1
        assert path[-1, 2] > BINS + RADIUS


def test_the_answer_depends_on_nothing_that_the_picture_leaves_open():
    task = Falling(obstacles=2, bins=3)
    agree = []
    for seed in range(10):
        s = task.sample(seed).state
        scene = tuple(tuple(o) for o in s["obstacles"])
        # Dealt scenes agree in five worlds; these two lie between them.
        for world in ((-0.3, 0.25), (0.2, 0.5)):
            agree.append(fall(s["start"], scene, 3, *world).bin == s["answer"])
    assert np.mean(agree) >= 0.95


def test_the_other_bin_fails():
    for seed in range(6):
        problem, _, _ = deal(seed)
        other = 1 - problem.state["answer"]
        verdict = TASK.score(problem, TASK.solve(problem.answered(other), LONG), canvas=LONG)
        assert verdict.answer == "failed"
        assert f"reads bin {other + 1}, not bin {2 - other}" in verdict.reason


def test_straight_through_the_obstacle_fails():
    found = 0
    for seed in range(40):
        problem, clip, _ = deal(seed)
        s = problem.state
        kind, x, _, half, _ = s["obstacles"][0]
        if kind != "ramp" or abs(s["start"] - x) > half - 7:
            continue
        if int(s["start"] / 32) != s["answer"] or abs(s["start"] - 32) < 8:
            continue
        rows = np.linspace(START, GROUND - WALL - RADIUS, 17)
        verdict = judged(problem, clip, drawn(problem, [(s["start"], row) for row in rows]))
        assert verdict.answer == "passed"
        assert verdict.process == "failed", verdict
        found += 1
    assert found


def test_a_ball_carried_through_the_air_into_the_right_bin_fails():
    for seed in range(6):
        problem, clip, _ = deal(seed)
        end = _world(problem).path[-1, 1:]
        start = np.array([problem.state["start"], START])
        corner = np.array([58 if start[0] < 32 else 6, START])
        way = [*np.linspace(start, corner, 7), *np.linspace(corner, end, 10)]
        verdict = judged(problem, clip, drawn(problem, way))
        assert verdict.process == "failed", verdict


def test_a_gap_a_twin_another_ball_and_a_moved_ramp_fail():
    for seed in range(4):
        problem, clip, frames = deal(seed)
        places = [r.marks[0].at for r in TASK.decode(problem, clip).readings.values()]
        x, y = np.array(places[8]) * 64
        gap = frames.copy()
        gap[8] = np.rint(_ground(problem, 64))
        assert "the ball is missing" in judged(problem, clip, gap).reason
        twin = frames.copy()
        spot = disc(64, 64 - x if abs(x - 32) > 10 else 52, 8, RADIUS)
        twin[8] = blend(frames[8], spot, np.array(problem.state["colours"][1]))
        assert judged(problem, clip, twin).process == "failed"
        other = frames.copy()
        ink = (np.array(problem.state["colours"][1]) + 128) % 256
        other[8] = blend(_ground(problem, 64), disc(64, x, y, RADIUS), ink)
        assert judged(problem, clip, other).process == "failed"
        moved = frames.copy()
        other_scene = TASK.alter(problem, np.random.default_rng(0))
        moved[8:] = TASK.last_frame(other_scene, LONG)
        assert not judged(problem, clip, moved).passed


def test_a_ball_on_a_divider_is_unreadable():
    problem = TASK.sample(0)
    verdict = TASK.score(problem, Clip(drawn(problem, [(32, 52)])), canvas=LONG)
    assert verdict.answer == "unreadable"


def test_pauses_pass_and_cuts_fail():
    for seed in range(4):
        problem, clip, frames = deal(seed)
        pause = np.concatenate([frames[:6], np.repeat(frames[5:6], 9, 0), frames[6:]])
        fast = np.concatenate([frames[::2], np.repeat(frames[-1:], 8, 0)])
        cut = np.concatenate([frames[:1]] * 8 + [frames[-1:]] * 9)
        assert judged(problem, clip, pause).passed
        assert judged(problem, clip, fast).passed
        assert "leap" in judged(problem, clip, cut).reason


def test_crossing_is_told_from_going_round_an_end():
    ramp = ((20.0, 30.0), (44.0, 30.0))
    assert crosses(np.array([32, 20]), np.array([33, 40]), *ramp)
    assert not crosses(np.array([43, 26]), np.array([46, 38]), *ramp)
    assert not crosses(np.array([32, 20]), np.array([33, 26]), *ramp)


def test_errors_say_what_to_mend():
    with pytest.raises(PhospheneError, match=r"falling\.bins must lie in 2\.\.4; got 5"):
        Falling(bins=5)
    with pytest.raises(PhospheneError, match=r"falling\.obstacles"):
        Falling(obstacles=0)
