"""Sequences: what comes next is certain, is worked out from the panels, and is all that passes."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.figures import edges, figure
from phosphene.task import Canvas, Split
from phosphene.tasks.sequence import KINDS, LAYOUTS, Sequence, courses, following


@pytest.mark.parametrize(
    ("kind", "seen", "after"),
    [
        ("rotation", (3, 0, 1), 2),
        ("rotation", (1, 3, 1, 3, 1), 3),
        ("position", (0, 3, 2), 1),
        ("growth", (0, 1, 2), 3),
        ("growth", (3, 1, 3), 1),
        ("growth", (0, 1, 2, 1, 0), 1),
        ("count", (4, 3, 2), 1),
        ("count", (1, 2, 3, 4, 1), 2),
        ("colour", (0, 4, 0), 4),
        ("colour", (0, 1, 2, 0, 1), 2),
        ("colour", (2, 2, 1, 1, 2), 2),
    ],
)
def test_well_known_sequences_go_on_as_people_say(kind, seen, after):
    assert following(kind, seen) == {after}


def test_no_course_leaves_its_end_open():
    for kind in KINDS:
        for length in (4, 6):
            ends = {}
            for course in courses(kind, length):
                assert len(set(course)) > 1
                assert ends.setdefault(course[:-1], course[-1]) == course[-1]


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_can_be_dealt_in_both_splits_and_changes_its_attribute_alone(kind):
    task = Sequence(kinds=kind)
    seen: dict[Split, set] = {"train": set(), "test": set()}
    for split, found in seen.items():
        for seed in range(25):
            problem = task.sample(seed, split)
            panels = [*problem.state["given"], problem.state["answer"]]
            moving = {a for a in panels[0] if len({p[a] for p in panels}) > 1}
            assert moving == {KINDS[kind]}
            found.add(str([(p["shape"], p[KINDS[kind]]) for p in panels]))
    if kind not in ("rotation", "position"):  # where a round begins makes no other problem there
        assert not seen["train"] & seen["test"]


@pytest.mark.parametrize("fields", Sequence.LADDER)
def test_one_wrong_attribute_fails(fields):
    task = Sequence(**fields)
    for seed in range(5):
        problem = task.sample(seed)
        right = problem.state["answer"]
        for kind in problem.state["kinds"]:
            value = right[KINDS[kind]]
            span = {"count": range(1, 5), "colour": range(5)}.get(kind, range(4))
            for other in set(span) - {value}:
                wrong = figure(**{**right, KINDS[kind]: other})
                verdict = task.score(problem, task.solve(problem.answered(wrong), Canvas()))
                assert verdict.answer == "failed", (kind, wrong, verdict)


def test_the_last_panel_repeated_fails():
    task = Sequence(rules=2)
    for seed in range(10):
        problem = task.sample(seed)
        again = problem.answered(problem.state["given"][-1])
        assert task.score(problem, task.solve(again, Canvas())).answer == "failed"


def test_two_panels_that_change_places_count_as_altered():
    task = Sequence(kinds="rotation")
    for seed in range(10):
        problem = task.sample(seed)
        given = list(problem.state["given"])
        given[0], given[1] = given[1], given[0]
        other = replace(problem, state={**problem.state, "given": given})
        verdict = task.score(problem, task.solve(other, Canvas()))
        assert (verdict.answer, verdict.givens) == ("passed", "failed")
        assert "panel 1" in verdict.reason


def test_six_panels_with_growth_are_read_in_larger_pictures():
    task, canvas = Sequence(panels=6, rules=2), Canvas(size=128)
    for seed in range(15):
        problem = task.sample(seed)
        assert task.score(problem, task.solve(problem, canvas), canvas=canvas).passed


def test_a_scribble_is_unreadable():
    task = Sequence()
    problem = task.sample(1)
    clip = task.solve(problem, Canvas())
    assert clip.frames is not None
    frames = clip.frames.copy()
    left, top, right, bottom = edges(LAYOUTS[4][-1], 64)
    frames[-1] = frames[0]
    noise = np.random.default_rng(0).random((bottom - top - 6, right - left - 6)) < 0.5
    frames[-1, top + 3 : bottom - 3, left + 3 : right - 3][noise] = (200, 0, 0)
    assert task.score(problem, replace(clip, frames=frames)).headline == "unreadable"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"panels": 5}, "sequence.panels must be 4 or 6; got 5"),
        ({"kinds": "size"}, "sequence.kinds takes rotation, growth, position, count, colour"),
        ({"kinds": "growth count", "rules": 2}, "no 2 of these kinds may meet"),
    ],
)
def test_wrong_fields_are_named(fields, text):
    with pytest.raises(PhospheneError, match=text):
        Sequence(**fields)
