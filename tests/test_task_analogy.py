"""Analogies, and the figures they share with sequences: how they turn, flip and are read."""

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.figures import (
    CHIRAL,
    INKS,
    SHAPES,
    edges,
    figure,
    looks,
    mirrored,
    paint,
    stamp,
    turned,
)
from phosphene.readers.figures import read_panel
from phosphene.task import Canvas
from phosphene.tasks.analogy import PANELS, Analogy, changed, explain


def cover(fig):
    return stamp(fig["shape"], fig["turn"], fig["mirror"], 20.0)


@pytest.mark.parametrize("shape", SHAPES)
def test_turns_and_flips_agree_with_turned_and_flipped_pixels(shape):
    for turn, mirror in looks(shape):
        fig = figure(shape, turn=turn, mirror=mirror)
        assert (fig["turn"], fig["mirror"]) == (turn, mirror)
        assert np.abs(cover(turned(fig, 1)) - np.rot90(cover(fig), -1)).mean() < 0.02
        assert np.abs(cover(mirrored(fig, "v")) - cover(fig)[:, ::-1]).mean() < 0.02
        assert np.abs(cover(mirrored(fig, "h")) - cover(fig)[::-1]).mean() < 0.02


def test_how_many_looks_a_shape_has():
    counts = {shape: len(looks(shape)) for shape in SHAPES}
    assert counts["square"] == counts["cross"] == 1
    assert counts["hourglass"] == 2
    assert counts["triangle"] == counts["arrow"] == 4
    assert all(counts[shape] == 8 for shape in CHIRAL)


@pytest.mark.parametrize("size", [64, 192])
def test_every_figure_is_read_as_it_was_painted(size):
    box, paper = PANELS[3], np.full((size, size, 3), 250, np.uint8)
    for k, shape in enumerate(SHAPES):
        for turn, mirror in looks(shape):
            for level in {64: range(4), 192: (k % 4,)}[size]:
                fig = figure(shape, (k + turn) % 5, level, turn, mirror)
                picture = paper.astype(np.float32)
                paint(picture, box, fig, "one", INKS)
                frame = np.rint(picture).astype(np.uint8)[None]
                assert read_panel(frame, paper, box, "one", INKS, range(4)) == [(fig, "")]


def test_what_is_no_figure_is_unreadable_and_what_is_empty_is_nothing():
    rng = np.random.default_rng(0)
    paper = np.full((64, 64, 3), 250, np.uint8)
    left, top, right, bottom = edges(PANELS[3], 64)
    assert read_panel(paper[None], paper, PANELS[3], "one", INKS, range(4)) == [(None, "")]
    for _ in range(20):
        picture = paper.copy()
        part = picture[top + 3 : bottom - 3, left + 3 : right - 3]
        part[rng.random(part.shape[:2]) < 0.5] = INKS[0]
        ((fig, why),) = read_panel(picture[None], paper, PANELS[3], "one", INKS, range(4))
        assert fig is None
        assert why


@pytest.mark.parametrize("fields", Analogy.LADDER)
def test_the_change_is_found_again_and_gives_the_answer(fields):
    task = Analogy(**fields)
    for seed in range(40):
        problem = task.sample(seed, "train" if seed % 2 else "test")
        a, b, c = problem.state["given"]
        found = explain(a, b, problem.state["mode"])
        assert changed(a, found) == b
        assert sorted(k for k, _ in found) == sorted(k for k, _ in problem.state["rules"])
        assert changed(c, found) == problem.state["answer"]


def neighbours(fig):
    """Figures that differ from the answer in one attribute."""
    yield figure(**{**fig, "colour": (fig["colour"] + 1) % 5})
    yield figure(**{**fig, "shape": "cross" if fig["shape"] == "square" else "square"})
    if fig["shape"] in CHIRAL:
        yield turned(fig, 1)
        yield turned(fig, 2)
        yield mirrored(fig, "v")
        yield mirrored(fig, "h")


@pytest.mark.parametrize("fields", Analogy.LADDER)
def test_answers_that_are_nearly_right_fail(fields):
    task = Analogy(**fields)
    for seed in range(4):
        problem = task.sample(seed)
        wrong = list(neighbours(problem.state["answer"]))
        if "resize" in fields.get("kinds", ""):
            size = problem.state["answer"]["size"]
            wrong += [figure(**{**problem.state["answer"], "size": (size + k) % 4}) for k in (1, 2)]
        if "count" in fields.get("kinds", ""):
            count = problem.state["answer"]["count"]
            wrong.append(figure(**{**problem.state["answer"], "count": count % 4 + 1}))
        for answer in wrong:
            verdict = task.score(problem, task.solve(problem.answered(answer), Canvas()))
            assert verdict.answer == "failed", (answer, verdict)


def test_copying_c_or_b_fails():
    task = Analogy(kinds="rotate reflect")
    for seed in range(10):
        problem = task.sample(seed)
        for copied in problem.state["given"]:
            verdict = task.score(problem, task.solve(problem.answered(copied), Canvas()))
            assert verdict.answer == "failed"


def test_a_figure_beside_its_panel_fails():
    task = Analogy()
    problem = task.sample(0)
    clip = task.solve(problem, Canvas())
    assert clip.frames is not None
    frames = clip.frames.copy()
    left, top, right, bottom = edges(PANELS[3], 64)
    drawn = frames[-1, top + 1 : bottom - 1, left + 1 : right - 1].copy()
    frames[-1] = frames[0]
    frames[-1, top - 8 : bottom - 10, left + 1 : right - 1] = drawn
    assert not task.score(problem, Clip(frames)).passed


def test_combinations_of_change_and_shapes_are_held_out():
    def combination(problem):
        a, _, c = problem.state["given"]
        return str((problem.state["rules"], a["shape"], c["shape"]))

    for fields in Analogy.LADDER:
        task = Analogy(**fields)
        train = {combination(task.sample(i, "train")) for i in range(100)}
        assert not train & {combination(task.sample(i, "test")) for i in range(50)}


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"kinds": "shear"}, "analogy.kinds takes colour, resize, rotate, reflect, count"),
        ({"kinds": "resize count", "rules": 2}, "analogy.rules must lie in 1..1"),
    ],
)
def test_wrong_fields_are_named(fields, text):
    with pytest.raises(PhospheneError, match=text):
        Analogy(**fields)
