"""Trace: chains are found where planted, accidents are counted, and errors are told by them."""

from __future__ import annotations

from math import inf, isclose, log

import numpy as np
import pytest
from planted_thoughts import hop, planted

from phosphene.errors import PhospheneError
from phosphene.minds.probes.trace import Trace
from phosphene.minds.reading.auroc import area, auroc, lead
from phosphene.minds.reading.candidates import Candidates
from phosphene.minds.reading.follows import Facts, facts, ways
from phosphene.minds.reading.search import placed, search
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.tasks.arithmetic import Arithmetic
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.tasks.prontoqa import ProntoQA
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.notebook import Notebook
from phosphene.testing.minds import tiny_mind

TASK = Chase(names=8, hops=3, least=3)
LETTERS = Candidates(tuple("abcd"), np.arange(4))
LINE = Facts("s", lambda v, n: ({"s": "a", "a": "b", "b": "c"}[v],), lambda v, n: n == 2)


@pytest.mark.parametrize("task", [TASK, Arithmetic(), ProsQA(), ProntoQA()])
def test_the_only_way_through_a_question_is_its_worked_one(task: Chase) -> None:
    for seed in range(20):
        problem = task.sample(seed)
        assert ways(facts(problem)) == [tuple(problem.values.values())]


def test_a_task_without_facts_is_refused() -> None:
    with pytest.raises(PhospheneError, match="tasks that do: arithmetic"):
        facts(TextProblem("riddle", 0, "test", "who?", (), "me"))


def test_values_are_placed_in_growing_columns() -> None:
    gains = np.array([[1.0, 5.0, 0.0], [9.0, 0.0, 2.0]])
    assert placed(gains) == 7.0  # 5 then 2; the 9 lies before
    assert placed(np.array([[0.0, -inf], [-inf, -inf]])) == -inf
    rng = np.random.default_rng(0)
    for _ in range(20):
        gains = rng.normal(size=(2, 4))
        pairs = [gains[0, i] + gains[1, j] for i in range(4) for j in range(i + 1, 4)]
        assert isclose(placed(gains), max(pairs))


def test_a_chain_is_verified_only_in_order() -> None:
    weights = np.array([[0.7, 0.1, 0.1, 0.1], [0.1, 0.7, 0.1, 0.1], [0.1, 0.1, 0.1, 0.7]])
    found = search(weights, LINE, LETTERS, 1)
    assert found.words == ("a", "b")
    assert found.verified
    assert isclose(found.score, log(0.7))
    assert not search(weights[::-1], LINE, LETTERS, 1).verified
    assert search(weights[:1], LINE, LETTERS, 1).score == -inf


def test_auroc_in_closed_form() -> None:
    right = np.array([True, True, False, False])
    assert area(np.array([4, 2, 3, 1.0]), right) == 0.75
    assert area(np.zeros(4), right) == 0.5
    rng = np.random.default_rng(0)
    right = rng.random(120) < 0.5
    known = right + rng.normal(size=120)
    found = auroc(known, right)
    assert 0.65 < found.low < found.area < found.high < 0.9
    assert found.p < 0.01
    assert auroc(rng.normal(size=120), right).p > 0.05
    perfect = auroc(right.astype(float), right)
    assert perfect.area == 1.0 > perfect.low
    assert lead(known, rng.normal(size=120), right).low > 0
    assert lead(known, known, right).area == 0


def broken(problem: TextProblem) -> bool:
    """A third of the problems."""
    return problem.seed % 3 == 0


def stray(problem: TextProblem, place: int) -> list[str] | None:
    """The chain, but for the broken ones, whose second thought holds the start."""
    if place == 1 and broken(problem):
        return [problem.state["ring"][0]]
    return hop(problem, place)


def said(problem: TextProblem) -> str:
    return problem.options[0] if broken(problem) else problem.answer


def test_broken_chains_tell_wrong_answers() -> None:
    subject = planted(TASK, stray, said, thoughts=3, items=90)
    result = Trace(top=1, permutations=39).run(subject, Notebook())
    found = {f.name: f for f in result.findings}
    assert found["verified traces"].holds
    assert isclose(found["verified traces"].value or 0, 2 / 3)
    assert found["AUROC of the verified flag"].holds
    assert found["traces of right and wrong answers"].holds
    assert {r["verified"] for r in result.table if r["right"] is False} <= {True, False}


def test_traces_that_have_nothing_to_do_with_errors_are_no_signal() -> None:
    subject = planted(TASK, hop, said, thoughts=3, items=90)
    found = {f.name: f for f in Trace(top=1, permutations=39).run(subject, Notebook()).findings}
    assert found["verified traces"].value == 1.0
    assert not found["AUROC of the verified flag"].holds
    assert not found["traces of right and wrong answers"].holds


def test_random_weights_hold_no_trace() -> None:
    subject = MindSubject(tiny_mind("gpt2", TASK), MindSetup(items=64))
    found = Trace(top=3, permutations=39).run(subject, Notebook()).findings
    assert not any(f.holds for f in found)
    assert found[1].holds is None  # never right, so nothing can be told of errors


def test_settings_are_checked() -> None:
    with pytest.raises(PhospheneError, match="reader takes head, probe"):
        Trace(reader="ear")  # type: ignore[arg-type]
