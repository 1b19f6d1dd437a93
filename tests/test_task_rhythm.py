"""Rhythm: patterns against brute force; beats that are late, missing, swapped or too even."""

from dataclasses import replace

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.sound import finish, mix, thump
from phosphene.task import Canvas
from phosphene.tasks.rhythm import PITCHES, Rhythm

TASK = Rhythm(drums=2)


def test_no_shorter_pattern_fits_what_is_given_and_goes_on_otherwise():
    """Every pattern of up to half the given beats that fits continues in the one right way."""
    for seed in range(40):
        problem = TASK.sample(seed)
        given, answer = problem.state["given"], problem.state["answer"]
        for period in range(1, len(given) // 2 + 1):
            if all(given[i] == given[i % period] for i in range(len(given))):
                on = [given[i % period] for i in range(len(given), len(given) + len(answer))]
                assert on == answer


def test_splits_share_no_pattern():
    for fields in Rhythm.LADDER:
        task = Rhythm(**fields)
        test, train = set(task.patterns("test")), set(task.patterns("train"))
        assert test
        assert train
        assert not test & train


def _played(problem, beats, shift=0.0):
    """Sound of (beat number, row) pairs, played at the problem's tempo on the plain canvas."""
    track = np.zeros(9000, np.float32)
    for beat, row in beats:
        time = (problem.state["lead"] + beat) * problem.state["beat"] + shift
        mix(track, thump(480, 8000, float(PITCHES[row]), 0.014), time, 8000)
    return finish(track, 8000)


def _score(seed=0, change=lambda beats: beats):
    problem = TASK.sample(seed)
    every = [*problem.state["given"], *problem.state["answer"]]
    beats = [(i, 0 if hit == 1 else 1) for i, hit in enumerate(every) if hit]
    clip = TASK.solve(problem, Canvas())
    return TASK.score(problem, replace(clip, audio=_played(problem, change(beats))))


def test_clicks_are_judged_beat_by_beat():
    for seed in range(4):
        assert _score(seed).passed
        assert "clicks are heard" in _score(seed, lambda beats: beats[:-1]).reason
        assert (
            "off the beat"
            in _score(
                seed,
                lambda beats: [(i + (0.4 if n == 1 else 0), r) for n, (i, r) in enumerate(beats)],
            ).reason
        )
        assert (
            "after the line" in _score(seed, lambda beats: [(i + 0.9, r) for i, r in beats]).reason
        )


def test_drums_that_change_places_fail():
    for seed in range(20):
        hits = {h for h in TASK.sample(seed).state["given"] if h}
        if hits == {1, 2}:
            verdict = _score(seed, lambda beats: [(i, 1 - row) for i, row in beats])
            assert verdict.sound == "failed"
            assert "higher" in verdict.reason


def test_a_line_that_jumps_fails_though_the_sound_is_right():
    problem = TASK.sample(0)
    clip = TASK.solve(problem, Canvas(frames=25, fps=24))
    frames = clip.frames.copy()
    frames[6:18] = frames[5]
    verdict = TASK.score(problem, replace(clip, frames=frames))
    assert verdict.process == "failed"
    assert "jumps" in verdict.reason


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"drums": 4}, r"drums must lie in 1\.\.3; got 4"),
        ({"longest": 5}, "at least 10, two periods"),
        ({"hidden": 5}, r"2\.\.4 beside 8"),
        ({"shortest": 1}, "2 <= shortest"),
    ],
)
def test_wrong_fields_are_named(fields, words):
    with pytest.raises(PhospheneError, match=words):
        Rhythm(**fields)
