"""Heads: what is known to look where, what is known to matter, and nothing besides."""

import numpy as np
import pytest
import torch

from phosphene.minds.causal.attending import Attending, probabilities
from phosphene.minds.observe import observe_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.testing.mind_errors import chaser
from phosphene.testing.minds import tiny_mind


@pytest.fixture(scope="module")
def result():
    return observe_mind("heads", chaser(5, 2), MindSetup(items=16))


def test_lookup_is_the_head_that_looks_and_it_matters(result):
    looking = {(r["layer"], r["head"], r["from"]) for r in result.table if r["looks"]}
    assert (2, 0, "begin mark") in looking
    assert (2, 0, "thought 1") in looking
    assert all(f.holds for f in result.findings)
    # Fetching the name asked about and copying the last thought matter too; copies of tokens
    # behind the question don't.
    assert {(r["layer"], r["head"]) for r in result.table if r["matters"]} == {
        (2, 0),
        (2, 1),
        (1, 0),
    }


def test_each_thought_reads_its_own_step(result):
    reads = result.figures["reads"]
    assert "layer 2, head 0" in reads.title
    values = np.asarray(reads.values)[0]
    assert values[0, 0] > 0.95
    assert values[1, 1] > 0.95
    assert values[0, 1] < 0.05
    assert values[1, 0] < 0.05


@pytest.mark.parametrize("family", ["gpt2", "llama", "mixtral"])
def test_probabilities_sum_to_one_and_the_kernel_is_put_back(family):
    subject = MindSubject(tiny_mind(family), MindSetup(items=3))
    config = subject.mind.model.config
    before = config._attn_implementation
    with probabilities(subject.wires) as taken:
        subject.answer(subject.problems)
    assert config._attn_implementation == before
    assert sorted(taken) == [0, 1]
    for call in taken[1]:
        assert torch.allclose(call.sum(-1), torch.ones(call.shape[:-1]), atol=1e-5)


def test_silencing_a_head_is_zeroing_its_part():
    subject = MindSubject(tiny_mind(initializer_range=0.3), MindSetup(items=4))
    run = Attending(subject, subject.problems)
    plain = run.without([])["lead"]
    assert np.abs(run.without([(0, 1)])["lead"] - plain).max() > 1e-5
    assert np.allclose(run.without([])["lead"], plain)


def test_masses_of_a_uniform_mind_count_tokens():
    """Attention that is the same everywhere gives each group its share of what is seen."""
    subject = MindSubject(tiny_mind(), MindSetup(items=4))
    for name, weights in subject.mind.model.named_parameters():
        if "c_attn" in name:
            weights.data.zero_()
    run = Attending(subject, subject.problems)
    own = run.masses()["own"]
    for i, part in enumerate(run.parts):
        groups = part.groups()
        seen = len(part.ids) + 1
        for g, name in enumerate(("path facts", "other facts", "query")):
            assert np.allclose(own[i, g, 0], groups[name].sum() / seen, atol=1e-5)


@pytest.mark.parametrize("family", ["gpt2", "llama"])
def test_random_mind_gives_no_claim(family):
    mind = tiny_mind(family, initializer_range=0.3)
    result = observe_mind("heads", mind, MindSetup(items=24))
    assert not any(f.holds for f in result.findings)
