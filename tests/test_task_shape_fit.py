"""Shape fit: pieces that cheat on their way into holes."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.outlines import OUTLINES, likeness, outline
from phosphene.task import Canvas
from phosphene.tasks.shape_fit import ShapeFit

TASK = ShapeFit(pieces=3)
LONG = Canvas(frames=17)


def deal(seed, task=TASK):
    problem = task.sample(seed)
    clip = task.solve(problem, LONG)
    assert clip.frames is not None
    return problem, clip, clip.frames.copy()


def judged(problem, clip, frames, task=TASK):
    return task.score(problem, replace(clip, frames=frames), canvas=LONG)


def with_state(problem, **changed):
    return replace(problem, state={**problem.state, **changed})


def test_outlines_balance_on_their_middle_and_differ():
    """The centre of mass of random points inside each outline, by crossing numbers, is (0, 0)."""
    points = np.random.default_rng(0).uniform(-1, 1, (40_000, 2))
    for shape in OUTLINES:
        corners = outline(shape)
        inside = np.zeros(len(points), bool)
        for (ax, ay), (bx, by) in zip(corners, np.roll(corners, -1, 0), strict=True):
            if ay != by:
                between = (points[:, 1] < ay) != (points[:, 1] < by)
                at = ax + (points[:, 1] - ay) / (by - ay) * (bx - ax)
                inside ^= between & (points[:, 0] < at)
        assert np.abs(points[inside].mean(0)).max() < 0.02
        assert all(likeness(shape, other) < 0.92 for other in OUTLINES if other != shape)


def test_every_piece_has_one_hole():
    for seed in range(40):
        s = TASK.sample(seed).state
        assert len(set(s["holes"])) == len(s["holes"])
        assert [s["holes"][h] for h in s["answer"]] == s["pieces"]


def test_two_pieces_in_each_others_holes_fail():
    for seed in range(5):
        problem = TASK.sample(seed)
        a, b, c = problem.state["answer"]
        lie = TASK.solve(problem.answered([b, a, c]), LONG)
        verdict = TASK.score(problem, lie, canvas=LONG)
        assert verdict.evidence["answer"] == [b, a, c]
        assert (verdict.answer, verdict.givens, verdict.process) == ("failed", "passed", "passed")


def test_one_piece_left_behind_fails():
    problem, clip, frames = deal(0)
    early = TASK.score(problem, replace(clip, frames=frames[:12]), canvas=LONG)
    assert early.answer == "failed"
    assert -1 in early.evidence["answer"]
    assert "-" in early.reason


def test_a_piece_that_takes_the_shape_of_the_hole_fails():
    """Every piece goes to the wrong hole and fits there, for it has changed its shape."""
    for seed in range(5):
        problem, clip, _ = deal(seed)
        s = problem.state
        turned = s["answer"][1:] + s["answer"][:1]
        molten = with_state(problem, pieces=[s["holes"][h] for h in turned], answer=turned)
        assert not judged(problem, clip, TASK.solve(molten, LONG).frames).passed


def test_pieces_that_trade_colours_fail():
    for seed in range(5):
        problem, clip, _ = deal(seed)
        paper, *inks = problem.state["colours"]
        swapped = with_state(problem, colours=[paper, *inks[1:], inks[0]])
        assert not judged(problem, clip, TASK.solve(swapped, LONG).frames).passed


def test_a_piece_put_in_without_being_turned_fails():
    task = ShapeFit(pieces=1, decoys=2, turned=True)
    for seed in range(30):
        problem, clip, frames = deal(seed, task)
        angle = problem.state["angles"][0]
        if problem.state["pieces"][0] in ("circle", "square", "star", "cross", "triangle"):
            continue
        if not 60 < angle < 120:
            continue
        x, y = (round(64 * v) for v in task.decode(problem, clip).readings[16].marks[0].at)
        frames[16, y - 9 : y + 10, x - 9 : x + 10] = np.rot90(
            frames[16, y - 9 : y + 10, x - 9 : x + 10]
        )
        verdict = judged(problem, clip, frames, task)
        assert verdict.answer == "unreadable", (problem.state["pieces"], verdict)
        return
    pytest.fail("no such piece in 30 seeds")


def test_a_piece_that_vanishes_doubles_or_shrinks_on_the_way_fails():
    for seed in range(4):
        problem, clip, frames = deal(seed)
        paper = np.array(problem.state["colours"][0])
        gone = frames.copy()
        gone[6, :, :38] = paper
        assert "missing" in judged(problem, clip, gone).reason
        x, y = (round(64 * v) for v in TASK.decode(problem, clip).readings[0].marks[2].at)
        piece = frames[0, max(y - 8, 0) : y + 8, x - 8 : x + 8]
        twice = frames.copy()
        twice[1, 2 : 2 + len(piece), 20:36] = piece
        assert "doubled" in judged(problem, clip, twice).reason
        small = frames.copy()
        patch = piece[::2, ::2]
        small[1, max(y - 8, 0) : y + 8, x - 8 : x + 8] = paper
        small[1, y - 4 : y - 4 + len(patch), x - 4 : x - 4 + patch.shape[1]] = patch
        assert judged(problem, clip, small).process == "failed"


def test_pauses_and_twice_the_speed_pass_a_cut_fails():
    for seed in range(4):
        problem, clip, frames = deal(seed)
        pause = np.concatenate([frames[:6], np.repeat(frames[5:6], 9, 0), frames[6:]])
        fast = np.concatenate([frames[::2], np.repeat(frames[-1:], 8, 0)])
        cut = np.concatenate([frames[:1]] * 8 + [frames[-1:]] * 9)
        assert judged(problem, clip, pause).passed
        assert judged(problem, clip, fast).passed
        assert "leap" in judged(problem, clip, cut).reason


def test_the_last_picture_alone_is_judged():
    problem, _, frames = deal(5)
    assert TASK.score(problem, Clip(frames[-1:]), canvas=LONG).passed
    verdict = TASK.score(problem, Clip(frames[:1]), canvas=LONG)
    assert verdict.answer == "failed"
    assert "no answer" in verdict.reason


def test_errors_say_what_to_mend():
    with pytest.raises(PhospheneError, match=r"shape_fit\.pieces must lie in 1\.\.4; got 5"):
        ShapeFit(pieces=5)
    with pytest.raises(PhospheneError, match=r"2 to 4 holes, pieces \+ decoys; got 1 \+ 0"):
        ShapeFit(pieces=1)
