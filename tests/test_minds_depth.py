"""The probe `depth`: planted minds that need a thought a hop, decoys that don't, random weights."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.minds import ladder
from phosphene.minds.ladder import Ladder
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.observe import observe_mind
from phosphene.minds.probes import depth
from phosphene.minds.probes.depth import Depth, embedded_twins
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.tasks.prosqa import ProsQA
from phosphene.minds.thinking import State
from phosphene.notebook import Notebook
from phosphene.probe import Finding, Heat, Lines, Result
from phosphene.testing.minds import tiny_mind

TASK = ProsQA(nouns=14, hops=3, least=1)
ITEMS = 90


def found(result: Result) -> dict[str, Finding]:
    return {finding.name: finding for finding in result.findings}


def planted(monkeypatch: pytest.MonkeyPatch, needs: Any, batch: int = 32) -> Result:
    """A mind that is right from `needs(problem)` thoughts on, and else names the rival."""
    subject = MindSubject(tiny_mind("gpt2", TASK, thoughts=3), MindSetup(items=ITEMS, batch=batch))
    ids = {o: subject.mind.ids(o) for p in subject.problems for o in p.options}
    current: list[Any] = []

    def climb(subject: MindSubject, problems: Any, most: int) -> Any:
        current[:] = problems
        return ladder.climb(subject, problems, most)

    def say(mind: Mind, state: State, limit: int) -> list[list[int]]:
        enough = [len(state.thoughts) >= needs(p) for p in current]
        return [
            ids[p.answer if right else p.state["rival"]]
            for p, right in zip(current, enough, strict=True)
        ]

    monkeypatch.setattr(depth, "climb", climb)
    monkeypatch.setattr(ladder, "say", say)
    return Depth().run(subject, Notebook())


def test_a_mind_that_needs_a_thought_a_hop_is_seen_to(monkeypatch: pytest.MonkeyPatch) -> None:
    result = planted(monkeypatch, lambda problem: problem.state["hops"])
    findings = found(result)
    assert findings["thoughts help"].holds is True
    assert findings["thoughts help"].value == 1.0
    assert findings["better than chance"].holds is True
    longer = findings["longer chains need more thoughts"]
    assert longer.holds is True
    assert longer.value == pytest.approx(1.0)
    cells = {(r["hops"], r["thoughts"]): r for r in result.table if r["answered"] == "at once"}
    for hops in (1, 2, 3):
        right = [cells[str(hops), count]["accuracy"] for count in range(6)]
        assert right == [float(count >= hops) for count in range(6)]
    assert sum(cells[str(h), 0]["n"] for h in (1, 2, 3)) == cells["all", 0]["n"] == ITEMS
    heat, lines = result.figures["hops"], result.figures["accuracy"]
    assert isinstance(heat, Heat)
    assert isinstance(lines, Lines)
    assert heat.values.shape == (1, 4, 6)
    assert heat.marks is not None
    np.testing.assert_array_equal(heat.marks[0, 1:], heat.values[0, 1:] == 1)
    np.testing.assert_array_equal(lines.series["2 hops"][0], [0, 0, 1, 1, 1, 1])


def test_thoughts_that_change_nothing_are_not_said_to_help(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    findings = found(planted(monkeypatch, lambda problem: 0))
    assert findings["thoughts help"].holds is False
    assert findings["better than chance"].holds is True
    assert findings["longer chains need more thoughts"].holds is None


def test_thoughts_needed_whatever_the_hops_are_no_sign_of_longer_chains(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    findings = found(planted(monkeypatch, lambda problem: problem.seed % 3))
    assert findings["thoughts help"].holds is True
    assert findings["longer chains need more thoughts"].holds is False


def test_a_guess_is_not_better_than_chance(monkeypatch: pytest.MonkeyPatch) -> None:
    findings = found(planted(monkeypatch, lambda problem: 9 * (problem.seed % 2)))
    assert findings["better than chance"].holds is False
    assert findings["better than chance"].value == pytest.approx(0.5)


@pytest.mark.parametrize("way", ["thoughts", "pause"])
def test_random_weights_give_null_results_and_batches_change_nothing(way: Any) -> None:
    mind = tiny_mind("llama", TASK)
    tables = []
    for batch in (7, 20):
        subject = MindSubject(mind, MindSetup(items=20, batch=batch, way=way, thoughts=2))
        result = Depth(beyond=0).run(subject, Notebook())
        assert not any(finding.holds for finding in result.findings)
        tables.append(result.table)
    assert tables[0] == tables[1]
    assert [r["thoughts"] for r in tables[0] if r["hops"] == "all"] == [0, 1, 2, 2]


def test_thoughts_needed_are_those_from_which_on_it_stays_right() -> None:
    subject = MindSubject(tiny_mind("gpt2", TASK, thoughts=2), MindSetup(items=24))
    # Right early by luck, then wrong, then right: two are needed; the last column goes beyond.
    lucky, steady = [True, False, True, True], [False, True, True, False]
    right = np.array([lucky if i % 2 else steady for i in range(24)]).T
    hops = np.array([2 if i % 2 else 1 for i in range(24)])
    finding = Ladder(subject, right, hops).findings(0)[2]
    assert finding.value == pytest.approx(1.0)
    assert "1 hops: 1.0, 2 hops: 2.0" in finding.says


def save(mind: Mind, path: Path) -> str:
    path.mkdir()
    mind.model.save_pretrained(path)
    mind.tokenizer.save_pretrained(path)
    mind.manner.save(path)
    return str(path)


def test_twins_answer_the_same_items_in_their_own_way_and_runs_resume(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mind, twin = tiny_mind("gpt2", TASK), tiny_mind("gpt2", TASK, seed=1)
    manner = {**vars(twin.manner), "way": "none", "thoughts": 0}
    other = save(Mind(twin.model, twin.tokenizer, Manner(**manner), "twin"), tmp_path / "twin")
    asked: list[tuple[str, list[str]]] = []
    free = depth._free

    def noted(subject: MindSubject, problems: Any) -> Any:
        asked.append((subject.way, [p.question for p in problems]))
        unit = free(subject, problems)
        # The twin is made to be right, the mind wrong.
        return {**unit, "right": [subject.way == "none"] * len(problems)}

    monkeypatch.setattr(depth, "_free", noted)
    setup = MindSetup(items=8)
    settings = {"beyond": 0, "twins": (other,)}
    first = observe_mind("depth", mind, setup, settings, tmp_path / "run")
    assert [way for way, _ in asked] == ["thoughts", "none"]
    assert asked[0][1] == asked[1][1]
    finding = found(first)[f"better than {other}"]
    assert finding.holds is False
    assert finding.value == -1.0
    assert finding.says.endswith("the twin is better")
    assert {r["mind"] for r in first.table} == {"itself", other}
    assert (tmp_path / "run" / "report.html").exists()
    again = observe_mind("depth", mind, setup, settings, tmp_path / "run")
    assert len(asked) == 2
    assert list(again.findings) == list(first.findings)


def test_twins_are_found_by_name(monkeypatch: pytest.MonkeyPatch) -> None:
    names = ["mind/chase", "mind/prosqa", "mind/prosqa-none", "mind/prosqa-pause", "mind/chase-cot"]
    monkeypatch.setattr("phosphene.minds.opening.embedded", lambda: names)
    assert embedded_twins("mind") == ("mind/prosqa-pause", "mind/prosqa-none")
    assert embedded_twins("mind/chase") == ("mind/chase-cot",)
    assert embedded_twins("hf:gpt2") == ()


def test_a_mind_without_thoughts_is_refused_in_one_line() -> None:
    subject = MindSubject(tiny_mind("gpt2", TASK), MindSetup(items=2, way="cot"))
    with pytest.raises(PhospheneError, match="--way thoughts"):
        Depth().run(subject, Notebook())
    with pytest.raises(PhospheneError, match="beyond"):
        Depth(beyond=-1)
