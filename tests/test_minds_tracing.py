"""Causal tracing of a chain that is known, place by place and edge by edge."""

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.causal.chain import opened
from phosphene.minds.causal.patches import ARMS, Patched
from phosphene.minds.causal.paths import FED, edges_of, receivers
from phosphene.minds.causal.places import paired, parts, spots
from phosphene.minds.causal.traced import Traced
from phosphene.minds.observe import observe_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.minds.wires import Site
from phosphene.testing.mind_errors import chaser
from phosphene.testing.minds import tiny_mind


@pytest.fixture(scope="module")
def patched():
    subject = MindSubject(chaser(5, 2), MindSetup(items=8))
    return Patched(subject, subject.problems, [0, 1, 2])


@pytest.fixture(scope="module")
def traced(patched):
    return Traced(patched.places, {**patched.exact(), **patched.estimated()})


def test_only_the_known_places_carry_the_answer(traced):
    found = {(str(s), g) for (s, g), c in zip(traced.places, traced.carries, strict=True) if c}
    certain = {
        ("layer 0", "path facts"),
        ("layer 1", "path facts"),
        ("layer 0", "thought 2"),
        ("layer 1", "thought 2"),
        ("layer 2", "thought 1"),
        ("attention 2", "thought 1"),
        ("layer 2", "answer mark"),
        ("attention 2", "answer mark"),
    }
    assert certain == found
    effect = dict(zip(traced.places, traced.forth.value, strict=True))
    assert effect[Site("layer", 2), "thought 1"] == pytest.approx(1, abs=0.02)
    assert effect[Site("layer", 1), "other facts"] == pytest.approx(0, abs=0.02)


def test_decoy_mlps_are_not_accused(traced):
    mlp = np.array([s.kind == "mlp" for s, _ in traced.places])
    assert not traced.carries[mlp].any()
    assert np.abs(traced.of("twin")[:, mlp]).max() == 0


def test_patching_the_last_residual_at_the_answer_is_the_other_run(patched, traced):
    at = traced.places.index((Site("layer", 2), "answer mark"))
    values = traced.values
    assert np.allclose(values["patched"][:, 0, at], values["twin"], atol=1e-3)
    assert np.allclose(values["patched"][:, ARMS.index("back"), at], values["base"], atol=1e-3)


def test_gradient_is_exact_where_the_model_is_linear(traced):
    at = traced.places.index((Site("layer", 2), "answer mark"))
    assert np.allclose(traced.estimate[:, at], traced.of("twin")[:, at], atol=1e-3)


def test_edges_lead_to_the_next_thought_and_to_what_is_said(patched):
    sender = (Site("attention", 2), "thought 1")
    ends = receivers(patched, sender)
    assert ends[0] == (FED, "thought 2")
    found = edges_of(patched, [sender, (Site("attention", 2), "answer mark")])
    scale = (patched.base[1] - patched.twin[1]).mean().item()
    first = found["0"][:, 0].mean(0) / scale
    assert first[0] == pytest.approx(1, abs=0.02)
    assert np.abs(first[1:]).max() < 0.02
    assert found["1"][:, 0, -1].mean() / scale == pytest.approx(1, abs=0.02)


def test_path_facts_are_the_steps_as_told():
    for task in (Chase(8, 3), ProsQA()):
        mind = tiny_mind(task=task)
        problem = task.sample(3)
        told = parts(mind, problem)
        for step, place in zip(problem.steps, told.path, strict=True):
            assert place is not None
            words = mind.tokenizer.decode(np.array(told.ids)[told.sentence == place])
            assert words == mind.tokenizer.decode(mind.ids(step))
        whole = np.sum([m.astype(int) for m in told.groups().values()], axis=0)
        assert (whole == 1).all()


@pytest.mark.parametrize(("way", "between"), [("none", []), ("pause", ["pauses"])])
def test_other_ways_of_thinking(way, between):
    subject = MindSubject(tiny_mind(), MindSetup(items=3, way=way))
    found = spots(subject, paired(subject, subject.problems))
    question = ["path facts", "other facts", "query", "begin mark"]
    assert list(found) == [*question, *between, "end mark", "answer mark"]
    one = Patched(subject, subject.problems, [1])
    assert np.isfinite(one.exact()["patched"][:, 0]).all()


def test_putting_the_own_values_changes_nothing():
    subject = MindSubject(tiny_mind("llama", initializer_range=0.3), MindSetup(items=3))
    one = Patched(subject, subject.problems, [0, 1])
    with torch.no_grad():
        begin = opened(subject, one.problems)
    for site, group in one.places:
        call, _ = one.spots[group]
        with torch.no_grad():
            same = one.rerun(
                begin, one.problems, {site: one.put(group, one.base[0][site][call])}, call
            )
        assert torch.allclose(one.margin(same), one.base[1], atol=1e-4)


def test_random_mind_gives_no_claim():
    mind = tiny_mind(initializer_range=0.3)
    result = observe_mind("tracing", mind, MindSetup(items=6), {"depth": 1})
    assert not any(f.holds for f in result.findings)


def test_refusals():
    with pytest.raises(PhospheneError, match="thinks in words"):
        observe_mind("tracing", tiny_mind(), MindSetup(items=4, way="cot"))
