"""The x0 lens: known readings, and Ember through its own decoder."""

from __future__ import annotations

from math import log2

import pytest

pytest.importorskip("torch")
from phosphene.notebook import Notebook
from phosphene.probe import Strip
from phosphene.probes.lens import NONE, Lens
from phosphene.probing.commitment import commitment, entropy, flips
from phosphene.subject import Setup, Subject
from phosphene.tap import Read


@pytest.mark.parametrize(
    ("readings", "step", "changes"),
    [
        (["7", "7", "7"], 0, 0),
        ([NONE, "3", "7", "7"], 2, 2),
        (["7", "3", "7"], 2, 2),
        (["1", "2", "3"], 2, 2),
    ],
)
def test_commitment_is_the_first_step_after_which_nothing_changes(readings, step, changes):
    assert commitment(readings) == step
    assert flips(readings) == changes


def test_a_reading_that_ends_elsewhere_never_commits_to_that_ending():
    assert commitment(["7", "7", "3"], ending="7") == 3
    assert commitment(["3", "7", "7"], ending="7") == 1


def test_entropy_of_many_samples_nears_the_truth():
    assert entropy(["a"] * 50) == 0
    assert entropy(["a", "b"] * 2000) == pytest.approx(1, abs=1e-3)
    assert entropy(list("abcd") * 1000) == pytest.approx(log2(4), abs=1e-3)


@pytest.fixture(scope="module")
def ember() -> Subject:
    return Subject("ember", Setup("equations", {"largest": 4, "variety": 0.0}, items=4))


def test_the_last_expected_ending_is_the_sample_itself(ember):
    request = ember.request(ember.problems[0])
    (seen,) = ember.run([request], [Read("x0")])
    clips = ember.lens(request, seen)
    assert len(clips) == len(seen.levels) == 8
    assert abs(clips[-1].frames.astype(int) - seen.clip.frames).max() <= 1
    assert abs(clips[-1].audio - seen.clip.audio).max() < 1e-2
    # The first expectation is another picture, so the lens looks at x0 and not at the end.
    assert abs(clips[0].frames.astype(int) - seen.clip.frames).max() > 3


def test_a_killed_lens_goes_on_where_it_was(ember, tmp_path):
    lens = Lens(samples=1, permutations=50)
    about = {"probe": "lens"}
    told: list[str] = []

    class Killed(BaseException):
        pass

    def kill(event):
        told.append(event.kind)
        if event.kind == "made" and told.count("made") == 2:
            raise Killed

    with pytest.raises(Killed):
        lens.run(ember, Notebook(tmp_path, about, kill))
    told.clear()
    result = lens.run(ember, Notebook(tmp_path, about, lambda e: told.append(e.kind)))
    assert told.count("found") == 2
    assert {row["problem"] for row in result.table} == {p.seed for p in ember.problems}
    assert len(result.table) == 4 * 8
    again = lens.run(ember, Notebook(tmp_path, about, lambda e: told.append(e.kind)))
    assert again.findings == result.findings
    strip = result.figures["film"]
    assert isinstance(strip, Strip)
    assert [len(pictures) for _, pictures in strip.rows] == [9] * 4
