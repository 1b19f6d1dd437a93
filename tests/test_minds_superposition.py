"""Superposition: planted frontiers are found, one path alone is told from several branches."""

from __future__ import annotations

import pytest
from planted_thoughts import hop, planted

from phosphene.errors import PhospheneError
from phosphene.minds.probes.superposition import Superposition
from phosphene.minds.reading.readers import Reader
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.tasks.chase import Chase
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.notebook import Notebook
from phosphene.probe import Finding
from phosphene.testing.minds import tiny_mind

TASK = ProsQA(nouns=20, hops=3, least=3, branches=2)


def frontier(problem: TextProblem, place: int) -> list[str] | None:
    """All nodes of the frontier that is due."""
    frontiers = problem.state["frontiers"]
    return frontiers[place] if place < len(frontiers) else None


def tree(problem: TextProblem, place: int) -> list[str]:
    """All nodes that can be reached, whatever the place."""
    return [node for nodes in problem.state["frontiers"] for node in nodes]


def found(plan: object) -> dict[str, Finding]:
    subject = planted(TASK, plan, thoughts=3, items=48)  # type: ignore[arg-type]
    return {f.name: f for f in Superposition().run(subject, Notebook()).findings}


def test_planted_frontiers_are_found_with_their_side_branches() -> None:
    held = found(frontier)
    for k in (1, 2, 3):
        assert held[f"frontier {k}"].holds
        assert f"stands out most in thought {k}" in held[f"frontier {k}"].says
    assert any(f.holds for name, f in held.items() if "side" in name)
    assert held["one frontier a thought"].holds


def test_one_path_alone_is_no_superposition() -> None:
    held = found(hop)
    assert held["frontier 2"].holds
    assert not any(f.holds for name, f in held.items() if "side" in name)


def test_the_whole_tree_at_once_is_not_told_as_one_frontier_a_thought() -> None:
    held = found(tree)
    assert held["frontier 1"].holds
    assert not held["one frontier a thought"].holds


@pytest.mark.parametrize("reader", ["head", "probe"])
def test_random_weights_hold_frontiers_no_oftener_than_alpha(reader: Reader) -> None:
    alarms = 0
    for seed in range(1, 6):
        setup = MindSetup(items=48, first_seed=1000 * seed)
        subject = MindSubject(tiny_mind("llama", TASK, seed=seed), setup)
        result = Superposition(reader=reader, fit=48).run(subject, Notebook())
        alarms += any(f.holds for f in result.findings)
    assert alarms <= 1  # two of five by chance: 2 %


def test_a_task_without_a_graph_is_refused() -> None:
    subject = MindSubject(tiny_mind("gpt2", Chase()), MindSetup(items=4))
    with pytest.raises(PhospheneError, match="--task prosqa"):
        Superposition().run(subject, Notebook())
