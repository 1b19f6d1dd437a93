"""The bad-step finder on a mind whose every step is known."""

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.causal.arms import UNSCORED, Arms
from phosphene.minds.causal.blame import planted_findings
from phosphene.minds.causal.chain import even, follow, opened, put
from phosphene.minds.causal.changes import changed, jolted
from phosphene.minds.causal.finder import METHODS, NONE, named
from phosphene.minds.causal.stakes import stakes
from phosphene.minds.causal.telling import asking, retold
from phosphene.minds.observe import observe_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.testing.mind_errors import breaks_at, chaser
from phosphene.testing.minds import tiny_mind

HOPS = 2


@pytest.fixture(scope="module")
def arms():
    subject = MindSubject(chaser(5, HOPS), MindSetup(items=10))
    return Arms(subject, subject.problems)


def test_chaser_holds_each_hop_in_its_thought(arms):
    ids = arms.subject.mind.tokenizer.convert_tokens_to_ids
    for t in range(HOPS):
        hop = [ids(p.values[f"hop {t + 1}"]) for p in arms.problems]
        assert arms.clean.read[t].argmax(-1).tolist() == hop


def test_every_thought_is_needed_and_a_jolt_is_not_the_cause(arms):
    found = arms.disturbed()
    assert found["clean right"].all()
    assert found["right"][:, 0].mean() == 0  # zero
    assert found["placebo right"].mean() > 0.8


def test_answer_follows_the_donor_and_needs_the_last_thought(arms):
    found = arms.spared()
    assert found["swapped theirs"].all()
    assert not found["swapped right"].any()
    assert found["early right"][:, HOPS].all()
    assert not found["early right"][:, :HOPS].any()
    assert found["alone right"][:, HOPS - 1].all()
    assert found["alone right"][:, : HOPS - 1].mean() < 0.7


def test_finder_names_planted_errors(arms):
    told = arms.planted(tries=4)["named"]
    for t in range(HOPS):
        scored = told[:, :, t, METHODS.index("repair")]
        assert (scored != UNSCORED).sum() > 5
        assert (scored[scored != UNSCORED] == t).all()
    findings = {f.name.rsplit(" ", 1)[1]: f for f in planted_findings(told, able=True)}
    assert findings["repair"].holds
    assert findings["repair"].value == 1
    # Attention of this mind is all or nothing: its gradient says little, and is not believed.
    assert not findings["gradient"].holds
    assert all(f.holds is None for f in planted_findings(told, able=False))


def test_guesses_are_not_called_hits():
    rng = np.random.default_rng(0)
    told = rng.integers(0, 4, (60, 2, 4, len(METHODS)))
    assert not any(f.holds for f in planted_findings(told, able=True))


def test_own_errors_of_a_blind_chaser_are_found_where_they_are():
    subject = MindSubject(chaser(5, HOPS, blind=True), MindSetup(items=32))
    wrong = [
        p
        for p, right in zip(
            subject.problems,
            subject.right(subject.problems, subject.answer(subject.problems)),
            strict=True,
        )
        if not right
    ]
    found = Arms(subject, wrong).mended(tries=6)
    there = found["found"]
    assert there.sum() >= 5
    truth = np.array([breaks_at(p) for p in wrong])
    # Behind the bad thought every repair works; before it none does.
    assert (found["right"][there] == (np.arange(HOPS) >= truth[there, None])).all()
    assert found["placebo right"][there].mean() < 0.2
    assert (named(found["restored"][there]) == truth[there]).all()


def test_earliest_of_equal_repairs_is_named():
    score = np.array([[0.0, 1.0, 1.1], [0.0, 0.0, 0.0], [-1.0, -2.0, -3.0], [0.2, 0.1, 1.0]])
    assert named(score).tolist() == [1, NONE, NONE, 2]


def test_lead_is_centred_for_a_mind_that_knows_nothing():
    subject = MindSubject(tiny_mind(), MindSetup(items=16))
    flat = torch.zeros(16, len(subject.mind.tokenizer))
    assert stakes(subject, subject.problems).lead(flat).abs().max() == 0
    own = stakes(subject, subject.problems).own
    flat[torch.arange(16), own] = 2.0
    assert torch.allclose(stakes(subject, subject.problems).lead(flat), torch.full((16,), 2.0))


def test_changes_have_the_size_they_claim():
    subject = MindSubject(tiny_mind(), MindSetup(items=4))
    clean, twin = torch.randn(3, 4, 8), torch.randn(3, 4, 8)
    to = changed("twin", clean, twin)
    jolt = jolted(clean, to, subject.problems)
    assert torch.allclose((jolt - clean).norm(dim=-1), (twin - clean).norm(dim=-1), atol=1e-5)
    assert not torch.allclose(jolt, to)
    mean = changed("mean", clean, twin)
    assert torch.allclose(mean[:, 0], clean[:, 1:].mean(1))
    assert torch.equal(jolt, jolted(clean, to, subject.problems))


def test_putting_the_own_thought_changes_nothing():
    subject = MindSubject(tiny_mind("llama"), MindSetup(items=3))
    with torch.no_grad():
        state = opened(subject, subject.problems)
        free = follow(subject, state)
        fixed = follow(subject, state, put({1: free.fed[1]}))
    assert torch.allclose(free.answer, fixed.answer, atol=1e-6)


@pytest.mark.parametrize("task", [Chase(), ProsQA()])
def test_retold_keeps_facts_and_what_asks(task):
    problem = task.sample(5)
    told = retold(problem, 0)
    assert told.question != problem.question
    assert sorted(told.question.split()) == sorted(problem.question.split())
    assert asking(told) == asking(problem)
    asked = problem.question.rpartition(". ")[2]
    assert told.question.endswith(asked)
    assert len(asking(problem)) == (2 if isinstance(task, ProsQA) else 1)


def test_random_mind_gives_no_claim():
    mind = tiny_mind(initializer_range=0.3)
    result = observe_mind("bad_step", mind, MindSetup(items=16), {"planted": 6})
    assert not any(f.holds for f in result.findings)
    assert len({tuple(r) for r in result.table}) == 1


def test_refusals():
    mind = tiny_mind()
    with pytest.raises(PhospheneError, match="no thoughts to intervene on"):
        observe_mind("bad_step", mind, MindSetup(items=4, way="pause"))
    with pytest.raises(PhospheneError, match="at least 2"):
        list(even([Chase().sample(0)], 4))
    assert [len(b) for b in even([Chase().sample(i) for i in range(9)], 4)] == [3, 3, 3]
