"""Edges between thoughts: those of a chain that is known, and none in a mind that knows nothing."""

import numpy as np
import pytest
import torch

from phosphene.minds.causal.chain import decide, follow, opened
from phosphene.minds.causal.edges import edges, graft
from phosphene.minds.observe import observe_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.thinking import fork, think
from phosphene.testing.mind_errors import chaser
from phosphene.testing.minds import tiny_mind

HOPS = 3


@pytest.fixture(scope="module")
def result():
    return observe_mind("influence", chaser(6, HOPS), MindSetup(items=14))


def _holds(result):
    return {f.name: f.holds for f in result.findings}


def test_the_known_chain_is_found(result):
    assert _holds(result) == {
        "a thought acts on later thoughts": True,
        "a thought acts on the answer": True,
        "the answer reads a thought directly": True,
        "the answer reads past the last thought": False,
        "thoughts read past the one before": False,
    }


def test_direct_edges_are_the_next_thought_and_the_last_to_the_answer(result):
    direct = {
        (r["from thought"], r["to"])
        for r in result.table
        if r["claimed"] and r["way"] == "directly"
    }
    assert direct == {(1, "2"), (2, "3"), (3, "answer")}


def test_edges_only_go_forward():
    subject = MindSubject(tiny_mind(), MindSetup(items=4))
    found = edges(subject, subject.problems)
    back = np.tril(np.ones((3, 4), bool))
    assert np.isnan(found["kl"][..., back]).all()
    assert (found["kl"][..., ~back] > -1e-6).all()


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_grafting_the_own_values_changes_nothing_and_others_do(family):
    subject = MindSubject(tiny_mind(family, initializer_range=0.3), MindSetup(items=3))
    with torch.no_grad():
        begin = opened(subject, subject.problems)
        clean = follow(subject, begin)
        state = begin
        for fed in clean.fed:
            state = think(subject.mind, fork(state), fed)
        place = begin.mask.shape[1]
        same = decide(subject.mind, graft(state, state, place))
        assert torch.allclose(same, clean.answer, atol=1e-5)
        other = think(subject.mind, fork(begin), torch.randn_like(clean.fed[0]))
        assert not torch.allclose(
            decide(subject.mind, graft(state, other, place)), clean.answer, atol=1e-4
        )


def test_direct_and_whole_agree_where_nothing_lies_between():
    subject = MindSubject(tiny_mind(initializer_range=0.3), MindSetup(items=4))
    found = edges(subject, subject.problems)["kl"]
    for i in range(2):
        assert np.allclose(found[:, :, 0, i, i + 1], found[:, :, 1, i, i + 1], atol=1e-5)
    assert np.allclose(found[:, :, 0, 2, 3], found[:, :, 1, 2, 3], atol=1e-4)


def test_random_mind_gives_no_claim():
    result = observe_mind("influence", tiny_mind(initializer_range=0.3), MindSetup(items=16))
    assert not any(f.holds for f in result.findings)
