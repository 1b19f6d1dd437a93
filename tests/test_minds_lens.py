"""Thought lens: planted values are found where they are, random weights hold none."""

from __future__ import annotations

import numpy as np
import pytest
from planted_thoughts import hop, planted

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Way
from phosphene.minds.probes.thought_lens import ThoughtLens
from phosphene.minds.reading.affine import fit_affine
from phosphene.minds.reading.judging import crossed, judge
from phosphene.minds.reading.lenses import bias, lenses, ranked
from phosphene.minds.reading.record import elsewhere, record
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.minds.thinking import start, think_through
from phosphene.notebook import Notebook
from phosphene.testing.minds import tiny_mind

TASK = Chase(names=8, hops=3, least=2)
PROBE = ThoughtLens(fit=64, permutations=99)


def subject(seed: int = 0, items: int = 64, task: object = TASK, **setup: object) -> MindSubject:
    mind = tiny_mind("gpt2", task, seed=seed)  # type: ignore[arg-type]
    return MindSubject(mind, MindSetup(items=items, **setup))  # type: ignore[arg-type]


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_what_is_recorded_is_what_is_fed_back(family: str) -> None:
    mind = tiny_mind(family, TASK)
    asked = MindSubject(mind, MindSetup(items=5, batch=2))
    seen = record(asked, Notebook())
    state = think_through(mind, start(mind, asked.inputs(asked.problems)), 3)
    fed = np.stack([t.detach().numpy() for t in (*state.thoughts, state.hidden)], 1)
    np.testing.assert_allclose(seen.thoughts, fed, atol=1e-5)
    found = lenses(mind, seen)
    # The logit lens behind the last layer is the model's own output, whatever the family's norm.
    assert bias(mind, found["logit"], seen)[:, -1].max() < 1e-4
    assert bias(mind, found["tuned"], seen)[:, 0].mean() < 1.0


def test_pauses_are_recorded_at_their_own_places() -> None:
    seen = record(subject(items=3, way="pause"), Notebook())
    assert seen.thoughts.shape[1] == 4
    assert np.abs(seen.thoughts[:, 1] - seen.thoughts[:, 2]).max() > 1e-3


@pytest.mark.parametrize(("way", "thoughts"), [("none", 3), ("cot", 3), ("thoughts", 0)])
def test_without_thoughts_there_is_nothing_to_record(way: Way, thoughts: int) -> None:
    with pytest.raises(PhospheneError, match="no thoughts to read"):
        record(subject(items=2, way=way, thoughts=thoughts), Notebook())


def test_the_other_split_shares_no_problem() -> None:
    asked = subject()
    ours = {p.question for p in asked.problems}
    assert elsewhere(asked, 64).setup.split == "train"
    assert not ours & {p.question for p in elsewhere(asked, 64).problems}


def test_affine_recovers_a_linear_map() -> None:
    rng = np.random.default_rng(0)
    x, weight = rng.normal(size=(200, 6)), rng.normal(size=(6, 3))
    found = fit_affine(x, x @ weight + 2.0)
    np.testing.assert_allclose(found.weight, weight, atol=1e-3)
    np.testing.assert_allclose(found.bias, 2.0, atol=1e-3)
    noise = fit_affine(x, rng.normal(size=(200, 3)))
    assert np.abs(noise.weight).max() < 0.3 * np.abs(weight).max()


def test_ranks_are_counted_in_the_whole_vocabulary_and_ties_share() -> None:
    import torch

    rows = torch.tensor([[3.0, 1.0, 2.0, 2.0, -1.0]])
    found = ranked(lambda states, layer: rows, np.zeros((1, 1, 1, 2)), np.array([0, 2, 4]))
    assert found.ranks[0, 0].tolist() == [1.0, 2.5, 5.0]
    np.testing.assert_allclose(found.weights[0, 0], torch.softmax(rows, -1)[0, [0, 2, 4]])


def test_a_word_that_every_problem_shows_is_no_reading() -> None:
    rng = np.random.default_rng(1)
    truth = rng.integers(0, 4, (80, 2))
    twin = (truth + rng.integers(1, 4, truth.shape)) % 4
    always = np.zeros((80, 2, 3, 4), bool)
    always[..., 0] = True  # says word 0, whatever was asked
    assert not judge(always, truth, twin, 99).stands.any()
    always[np.arange(80), 1, 2, :] = np.eye(4, dtype=bool)[truth[:, 1]]
    stands = judge(always, truth, twin, 99).stands
    assert stands[1, 2]
    assert stands.sum() == 1


def test_a_reading_that_shows_the_twins_value_too_is_none() -> None:
    truth = np.random.default_rng(2).integers(0, 8, (80, 1))
    twin = (truth + 1) % 8
    both = (np.eye(8) + np.eye(8)[:, np.r_[7, 0:7]]).astype(bool)[truth][:, :, None] > 0
    both |= np.eye(8, dtype=bool)[twin][:, :, None]
    found = judge(both, truth, twin, 99)
    assert found.hit[0, 0] == 1.0
    assert not found.stands.any()


def test_the_share_of_a_picked_cell_has_no_optimism() -> None:
    noise = np.random.default_rng(3).random((200, 400)) < 0.5
    assert noise.mean(0).max() > 0.58
    assert abs(crossed(noise.astype(float))[1].share - 0.5) < 0.11


def full(problem: TextProblem, place: int) -> list[str]:
    """Hop by hop, and the start behind the last, which would echo the thought before it."""
    return hop(problem, place) or [problem.state["ring"][0]]


def test_planted_values_are_found_where_they_are() -> None:
    result = PROBE.run(planted(Chase(names=8, hops=3, least=3), full, thoughts=3), Notebook())
    logit = {f.name: f for f in result.findings if "logit" in f.name}
    for k in (1, 2, 3):
        finding = logit[f"hop {k}, logit lens"]
        assert finding.holds, finding
        assert f"first readable behind layer 1, thought {k}" in finding.says
    wrong = [r for r in result.table if r["holds"] and r["layer"] == 1 and r["lens"] == "logit"]
    assert {(r["value"], r["place"]) for r in wrong} == {
        (f"hop {k}", f"thought {k}") for k in (1, 2, 3)
    }


@pytest.mark.parametrize("task", [TASK, ProsQA(hops=3)])
def test_random_weights_hold_no_value(task: object) -> None:
    result = PROBE.run(subject(task=task, items=96), Notebook())
    assert not any(f.holds for f in result.findings)


def test_settings_are_checked() -> None:
    with pytest.raises(PhospheneError, match="fit >= 16"):
        ThoughtLens(fit=2)
