"""Every probe against planted truth: it finds the place, and claims nothing where there is none."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("torch")
from phosphene.errors import PhospheneError
from phosphene.probe import Finding, Result, probes
from phosphene.statistics.intervals import wilson
from phosphene.testing import check_probe as checking
from phosphene.testing.check_probe import check_probe, claims_falsely, hunts, nulls, trial
from phosphene.testing.organisms.hunts import HUNTS, Hunt, claims

RESULTS = Path(__file__).parent.parent / "evals" / "planted" / "results.json"
# Asked with fewer items than in the committed scores: seconds in place of minutes.
QUICK = {"lens": 8, "switch": 16, "attribution": 16, "attention": 6}


@pytest.mark.parametrize("name", probes.names())
def test_every_probe_has_something_to_find(name):
    assert hunts(name)


def test_a_probe_without_an_organism_is_told_so():
    with pytest.raises(PhospheneError, match="has no organism"):
        hunts("divination")


@pytest.mark.parametrize("name", QUICK)
def test_a_planted_place_is_found_and_random_weights_give_none(name):
    hunt = replace(hunts(name)[0], items=QUICK[name])
    found = trial(hunt, 1)
    assert found.hit, found
    assert not found.wrongly
    checked = nulls(hunts(name)[0])
    assert "random weights" in checked


@pytest.mark.parametrize("hunt", HUNTS, ids=lambda h: h.name)
def test_the_committed_scores_clear_chance_and_false_claims_stay_rare(hunt: Hunt):
    kept = json.loads(RESULTS.read_text()).get(hunt.name, {})
    if len(kept.get("planted", {})) < 5:
        pytest.skip("too few seeds scored yet: python docs/planted_table.py")
    planted = list(kept["planted"].values())
    hits = sum(t["found"] == t["truth"] for t in planted)
    assert wilson(hits, len(planted)).low > hunt.chance
    false = {kind: list(kept[kind].values()) for kind in nulls(hunt) if kind in kept}
    false["itself"] = [t["wrongly"] for t in planted]
    assert "random weights" in false or hunt is not hunts(hunt.probe)[0]
    for kind, claimed in false.items():
        # One in twenty is expected at alpha 0.05; more than three come by luck in 1.6 % of cases.
        assert sum(claimed) <= 3, (kind, sum(claimed), len(claimed))


@pytest.mark.slow
@pytest.mark.parametrize("name", probes.names())
def test_conformance_at_length(name):
    check_probe(name)


def result(*findings: Finding) -> Result:
    return Result([], list(findings))


def fake(monkeypatch, told: dict[bool, Result]) -> None:
    """Puts results in the place of runs: one where something is planted, one where nothing is."""

    def ask(hunt, plant, settings=None):
        return told[not plant.shuffled]

    monkeypatch.setattr(checking, "ask", ask)


HOLDS = Finding("point of no return, step", "", True, 3.0)
NONE = Finding("point of no return, step", "", False)
UNASKED = Finding("point of no return, step", "", None)


def hunt(**changes) -> Hunt:
    from phosphene.testing import organisms

    return replace(
        hunts("switch")[0],
        plant=lambda seed: organisms.Plant(latch=3, seed=seed),
        spared=None,
        mute=False,
        **changes,
    )


def checked(monkeypatch, told: dict[bool, Result], **changes) -> None:
    monkeypatch.setattr(checking, "HUNTS", (hunt(**changes),))
    fake(monkeypatch, told)
    check_probe("switch", 4, 2)


def test_a_probe_that_finds_its_places_passes(monkeypatch):
    checked(monkeypatch, {True: result(HOLDS), False: result(UNASKED)})


@pytest.mark.parametrize("wrong", [NONE, UNASKED, replace(HOLDS, value=4.0)])
def test_a_probe_that_finds_nothing_or_elsewhere_does_not(monkeypatch, wrong):
    with pytest.raises(AssertionError, match="not found more often"):
        checked(monkeypatch, {True: result(wrong), False: result(NONE)})


def test_a_probe_that_finds_its_places_by_a_chance_as_high_does_not(monkeypatch):
    with pytest.raises(AssertionError, match="not found more often"):
        checked(monkeypatch, {True: result(HOLDS), False: result(NONE)}, chance=0.9)


def test_a_probe_that_claims_of_random_weights_does_not(monkeypatch):
    with pytest.raises(AssertionError, match=r"2 false claims of 2 \(random weights\)"):
        checked(monkeypatch, {True: result(HOLDS), False: result(HOLDS)})


def test_a_claim_of_what_is_not_so_on_the_organism_itself_counts(monkeypatch):
    wrong = {"never": claims("point of no return")}
    with pytest.raises(AssertionError, match="the organism itself"):
        checked(monkeypatch, {True: result(HOLDS), False: result(NONE)}, **wrong)


def test_an_able_organism_may_bear_other_claims(monkeypatch):
    other = Finding("harm of switching, step", "", True, 0.5)
    fake(monkeypatch, {True: result(other)})
    assert not claims_falsely(hunts("switch")[0], "does the task otherwise", 0)
    fake(monkeypatch, {True: result(HOLDS)})
    assert claims_falsely(hunts("switch")[0], "does the task otherwise", 0)
