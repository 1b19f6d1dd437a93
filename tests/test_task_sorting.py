"""Sorting: the fewest moves, and the ways to cheat with bars."""

from dataclasses import replace
from itertools import permutations

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.sound import strongest
from phosphene.task import Canvas
from phosphene.tasks.sorting import Sorting, _moves

TASK = Sorting(bars=4, gap=4)
LONG = Canvas(frames=17)


def deal(seed):
    problem = TASK.sample(seed)
    clip = TASK.solve(problem, LONG)
    assert clip.frames is not None
    return problem, clip, clip.frames.copy()


def judged(problem, clip, frames):
    return TASK.score(problem, replace(clip, frames=frames), canvas=LONG)


def test_answers_are_in_order_of_height():
    for seed in range(50):
        s = TASK.sample(seed).state
        heights = [s["heights"][i] for i in s["answer"]]
        assert heights == sorted(heights)
        assert s["heights"] != heights
        assert min(np.diff(heights)) >= TASK.gap


def test_moves_are_the_fewest_by_brute_force():
    """Breadth-first search over all rows of 5 bars, one lifted and put down at a step."""
    goal = tuple(range(5))
    steps, edge = {goal: 0}, [goal]
    while edge:
        ahead = []
        for row in edge:
            for i in range(5):
                rest = row[:i] + row[i + 1 :]
                for j in range(5):
                    other = (*rest[:j], row[i], *rest[j:])
                    if other not in steps:
                        steps[other] = steps[row] + 1
                        ahead.append(other)
        edge = ahead
    for order in permutations(range(5)):
        moves = _moves(list(order))
        inverse = tuple(int(i) for i in np.argsort(order))
        assert len(moves) == steps[inverse]
        assert not moves or moves[-1][1] == list(order)


def test_two_bars_swapped_at_the_end_fail():
    for seed in range(5):
        problem = TASK.sample(seed)
        answer = list(problem.state["answer"])
        answer[1], answer[2] = answer[2], answer[1]
        verdict = TASK.score(problem, TASK.solve(problem.answered(answer), LONG), canvas=LONG)
        assert (verdict.answer, verdict.givens) == ("failed", "passed")


def test_descending_order_fails():
    problem = TASK.sample(0)
    down = problem.answered(problem.state["answer"][::-1])
    assert TASK.score(problem, TASK.solve(down, LONG), canvas=LONG).answer == "failed"


def test_heights_that_morph_in_place_fail():
    """A row that looks sorted in the end, though no bar has moved: each changed its height."""
    for seed in range(5):
        problem, clip, _ = deal(seed)
        s = problem.state
        grown = replace(
            problem,
            state={**s, "heights": sorted(s["heights"]), "answer": list(range(TASK.bars))},
        )
        verdict = judged(problem, clip, TASK.solve(grown, LONG).frames)
        assert not verdict.passed
        assert "high, not" in verdict.reason


def test_a_bar_that_vanishes_on_the_way_fails():
    for seed in range(5):
        problem, clip, frames = deal(seed)
        paper = np.array(problem.state["colours"][0])
        where = TASK.decode(problem, clip, canvas=LONG).readings[8].marks[1].at
        x0, y0, x1, y1 = (round(64 * v) for v in where)
        frames[8, y0 - 1 : y1 + 1, x0 - 1 : x1 + 1] = paper
        verdict = judged(problem, clip, frames)
        assert (verdict.answer, verdict.process) == ("passed", "failed")
        assert "frame 8: bar 2 is missing" in verdict.reason


def test_a_bar_twice_fails():
    problem, clip, frames = deal(1)
    x0, y0, x1, y1 = (
        round(64 * v) for v in TASK.decode(problem, clip, canvas=LONG).readings[16].marks[3].at
    )
    patch = frames[16, y0:y1, x0:x1].copy()
    frames[16, 2 : 2 + y1 - y0, 2 : 2 + x1 - x0] = patch
    verdict = judged(problem, clip, frames)
    assert "bar 4 is torn or doubled" in verdict.reason
    assert not verdict.passed


def test_a_bar_in_the_air_is_no_answer():
    problem, clip, frames = deal(2)
    up = int(np.argmax([r.unreadable.endswith("in the air") for r in _readings(problem, clip)]))
    assert up > 0
    verdict = TASK.score(problem, Clip(frames[up : up + 1]), canvas=LONG)
    assert verdict.answer == "unreadable"


def _readings(problem, clip):
    return list(TASK.decode(problem, clip, canvas=LONG).readings.values())


def test_pauses_and_twice_the_speed_pass_a_cut_fails():
    for seed in range(4):
        problem, clip, frames = deal(seed)
        pause = np.concatenate([frames[:6], np.repeat(frames[5:6], 9, 0), frames[6:]])
        fast = np.concatenate([frames[::2], np.repeat(frames[-1:], 8, 0)])
        cut = np.concatenate([frames[:1]] * 8 + [frames[-1:]] * 9)
        assert judged(problem, clip, pause).passed
        assert judged(problem, clip, fast).passed
        verdict = judged(problem, clip, cut)
        assert (verdict.answer, verdict.process) == ("passed", "failed")
        assert "leap" in verdict.reason


def test_something_new_in_the_picture_fails():
    problem, clip, frames = deal(3)
    frames[9:12, 2:9, 2:9] = (10, 10, 10)
    assert "no bar" in judged(problem, clip, frames).reason


def test_taller_bars_hum_lower():
    problem = TASK.sample(0)
    clip = TASK.solve(problem, LONG)
    assert clip.audio is not None
    moved = _moves(problem.state["answer"])
    beat = LONG.seconds * 8 / 9 / len(moved)
    pitches = np.array([220 * 2 ** (2 * (25 - h) / 25) for h in problem.state["heights"]])
    for i, (bar, _) in enumerate(moved):
        part = clip.audio[0, round((i + 0.2) * beat * 8000) : round((i + 0.7) * beat * 8000)]
        assert strongest(part, 8000, pitches)[0] == bar


def test_errors_say_what_to_mend():
    with pytest.raises(PhospheneError, match=r"sorting\.bars must lie in 3\.\.8; got 9"):
        Sorting(bars=9)
    with pytest.raises(PhospheneError, match=r"2\.\.3 for 8 bars; got 4"):
        Sorting(bars=8, gap=4)
