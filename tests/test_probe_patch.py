"""Patch: pairs, token groups and the judgement of places, against truths that are planted."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probes.patch import Patch
from phosphene.probing.ability import Ability
from phosphene.probing.carriers import findings
from phosphene.probing.effect import against, interval, projection, step_down
from phosphene.probing.groups import tokens
from phosphene.probing.pairs import Pool, changed, distinct, matched
from phosphene.probing.patching import graft, jolt
from phosphene.probing.tracing import ARMS, MEASURES, Traced, gathered
from phosphene.statistics.intervals import wilson
from phosphene.subject import Setup, Subject
from phosphene.tap import Address
from phosphene.tap.layout import grid
from phosphene.testing import organisms

AT = Address(2, "cond", 1, "residual")


def pool(pairs: int, right: int | None = None) -> Pool:
    """So many pairs of a subject that does its task (or doesn't)."""
    able = Ability(wilson(pairs if right is None else right, pairs), 0.1)
    pair: Any = SimpleNamespace(differs=("a",), twin=object())
    return Pool([pair] * pairs, able, pairs, pairs)


def traced(pairs: int = 8, right: int | None = None, **planted: dict[tuple[int, int, int], float]):
    """Noise of 0.05 in every effect, no flips, but for what is planted: `arm_measure={place: v}`;
    3 layers, 2 windows, 2 groups."""
    rng = np.random.default_rng(pairs)
    values = np.zeros((len(ARMS), len(MEASURES), pairs, 3, 2, 2))
    values[:, 0] = rng.normal(0, 0.05, values[:, 0].shape)
    values[:, 1] = 1.0  # its own answer is read
    for name, places in planted.items():
        arm, measure = name.rsplit("_", 1)
        for (layer, span, group), value in places.items():
            here = values[ARMS.index(arm.replace("_", " ")), MEASURES.index(measure)]
            here[:, layer, span, group] += value - (1.0 if measure == "own" else 0.0)
    spans, groups = [range(2), range(2, 4)], ["answer", "changed givens"]
    return Traced(pool(pairs, right), [0, 2, 4], spans, groups, values)


def test_projection_is_nought_at_the_base_and_one_at_the_donor():
    base, donor = np.array([0.0, 0, 9]), np.array([3.0, 4, 9])
    assert projection(base, base, donor) == 0
    assert projection(donor, base, donor) == 1
    assert projection(np.array([1.5, 2, -100]), base, donor) == 0.5
    assert projection(np.array([4.0, -3, 9]), base, donor) == 0  # sideways
    assert np.isnan(projection(base, base, base))


def test_the_interval_is_students():
    found = interval(np.array([1.0, 2, 3, np.nan]))
    assert (found.share, found.n) == (2, 3)
    assert found.high - found.share == pytest.approx(4.3027 / 3**0.5, rel=1e-4)
    assert np.isnan(interval(np.array([1.0])).low)


def test_step_down_is_exact_for_one_place():
    assert step_down(np.ones((5, 1)))[0] == 1 / 32
    assert step_down(-np.ones((5, 1)))[0] == 1
    assert step_down(np.full((5, 1), np.nan))[0] == 1


def test_step_down_finds_what_is_planted_and_little_else():
    rng = np.random.default_rng(0)
    false = hits = 0
    for _ in range(100):
        d = rng.normal(size=(10, 20))
        d[:, 7] += 3
        p = step_down(d)
        hits += p[7] < 0.05
        false += (np.delete(p, 7) < 0.05).any()
    assert hits >= 90
    assert false <= 12  # 5 % expected


def test_a_placebo_that_one_pair_lacks_still_counts_and_one_that_most_lack_does_not():
    effect, placebo = np.ones((8, 1)), np.zeros((8, 1))
    placebo[0] = np.nan
    assert against(effect, [placebo]).clears[0]
    strong = np.full((8, 1), np.nan)
    strong[:3] = 5.0
    assert against(effect, [placebo, strong]).clears[0]
    assert not against(effect, [placebo, np.full((8, 1), 5.0)]).clears[0]
    with pytest.raises(ValueError, match="placebo"):
        against(effect, [strong])


def test_a_graft_changes_its_tokens_alone():
    own, other = torch.zeros(2, 4, 3), torch.ones(2, 4, 3)
    where = np.array([[True, False, False, False], [False, False, True, True]])
    out = graft("residual", {AT: other}, where).apply(own, AT)
    assert np.array_equal(out[..., 0].bool().numpy(), where)


def test_a_jolt_goes_as_far_and_elsewhere():
    rng = torch.Generator().manual_seed(0)
    own, other = (torch.randn(2, 4, 64, generator=rng) for _ in range(2))
    where = np.array([[True, True, False, False]] * 2)
    change = jolt("residual", {AT: other}, where, [1, 2])
    out = change.apply(own, AT)
    moved, wanted = out - own, other - own
    assert torch.allclose(moved.norm(dim=-1)[:, :2], wanted.norm(dim=-1)[:, :2], rtol=1e-4)
    assert not moved[:, 2:].any()
    cosine = torch.cosine_similarity(moved[:, :2], wanted[:, :2], dim=-1)
    assert cosine.abs().max() < 0.6
    assert torch.equal(change.apply(own, AT), out)


def test_runs_of_another_shape_are_refused():
    edit = graft("residual", {AT: torch.ones(2, 4, 3)}, np.ones((2, 4), bool))
    with pytest.raises(PhospheneError, match="batch 1"):
        edit.apply(torch.zeros(1, 4, 3), AT)


@pytest.fixture(scope="module")
def subject() -> Subject:
    return Subject("ember", Setup("equations", {"largest": 4, "variety": 0.0}, items=30))


def test_pairs_are_disjoint_alike_and_end_differently(subject: Subject):
    problems = distinct(subject)
    asked = [(p.state["a"], p.state["operator"], p.state["b"]) for p in problems]
    assert len(set(asked)) == len(asked) < 30
    pairs = matched(subject, problems, 6)
    used = [p.seed for pair in pairs for p in (pair.base, pair.donor)]
    assert len(set(used)) == len(used) == 12
    for pair in pairs:
        assert pair.base.state["answer"] != pair.donor.state["answer"]
        assert len(pair.differs) == 1
        assert pair.apart < 0.05
        if pair.twin is not None:
            assert pair.twin.state["answer"] == pair.base.state["answer"]
            assert pair.twin.seed not in (pair.base.seed, pair.donor.seed)


def test_pairs_may_be_asked_to_differ_in_the_operator_alone(subject: Subject):
    for pair in matched(subject, distinct(subject), 6, "operator"):
        assert pair.base.state["a"] == pair.donor.state["a"]
        assert pair.base.state["operator"] != pair.donor.state["operator"]


def test_groups_part_the_tokens_and_hold_what_they_say(subject: Subject):
    pair = matched(subject, distinct(subject), 1)[0]
    layout = grid(9, 4, 4).shifted(0, 150)
    here = {g: tokens(g, subject, pair, layout) for g in ("answer", "rest", "first frame")}
    here["beside"] = tokens("beside the picture", subject, pair, layout)
    assert np.array_equal(sum(v.astype(int) for v in here.values()), np.ones(150))
    assert here["beside"].sum() == 6
    moved = tokens("changed givens", subject, pair, layout)
    kept = tokens("kept givens", subject, pair, layout)
    assert not (moved & kept).any()
    difference = changed(*(subject.first_frame(p) for p in (pair.base, pair.donor)))
    rows, columns = np.nonzero(difference)
    wanted = {(0, r // 16, c // 16) for r, c in zip(rows, columns, strict=True)}
    assert {tuple(x) for x in layout.places[moved]} == wanted
    assert np.array_equal(tokens("frame 8", subject, pair, layout), layout.places[:, 0] == 8)
    with pytest.raises(PhospheneError, match="no token group"):
        tokens("answers", subject, pair, layout)
    with pytest.raises(PhospheneError, match="no latent frame 9"):
        tokens("frame 9", subject, pair, layout)


PLACE = (1, 0, 1)


def test_the_planted_place_is_found_and_no_other():
    found = traced(donor_effect={PLACE: 1.0}, donor_other={PLACE: 1.0}, donor_own={PLACE: 0.0})
    assert [found.places[i] for i in np.flatnonzero(found.carries)] == [
        (2, range(2), "changed givens")
    ]
    assert not found.needed.any()
    by_name = {f.name: f for f in findings(found)}
    assert by_name["changed givens carries the answer"].holds
    assert not by_name["answer carries the answer"].holds
    rows = [r for r in found.table() if r["pairs differ in"] == "any" and r["carries"]]
    assert [(r["layer"], r["first step"], r["flips"]) for r in rows] == [(2, 0, 1.0)]


def test_a_decoy_that_moves_pixels_and_no_reading_is_no_carrier():
    assert not traced(donor_effect={PLACE: 1.0}).carries.any()


@pytest.mark.parametrize("placebo", ["same_answer", "random"])
def test_a_place_where_a_placebo_does_as_much_is_no_carrier(placebo: str):
    same: Any = {f"{placebo}_effect": {PLACE: 1.0}, f"{placebo}_other": {PLACE: 1.0}}
    found = traced(donor_effect={PLACE: 1.0}, donor_other={PLACE: 1.0}, **same)
    assert not found.carries.any()


def test_necessity_is_a_finding_of_its_own():
    found = traced(reverse_effect={PLACE: 1.0}, reverse_own={PLACE: 0.0})
    assert np.flatnonzero(found.needed).tolist() == [
        found.places.index((2, range(2), "changed givens"))
    ]
    assert not found.carries.any()


@pytest.mark.parametrize(("pairs", "right"), [(4, None), (8, 1)])
def test_nothing_is_claimed_of_too_few_pairs_or_of_a_subject_that_can_not(pairs, right):
    everything: Any = {"donor_effect": {PLACE: 1.0}, "donor_other": {PLACE: 1.0}}
    found = traced(pairs, right, **everything)
    assert not found.carries.any()
    assert {f.holds for f in findings(found)} == {None}


def test_false_claims_stay_rare_where_nothing_is_planted():
    assert sum(traced(8 + seed % 5).carries.any() for seed in range(10)) == 0


def test_the_handover_is_found_at_its_layer():
    effect = {(0, s, 1): 1.0 for s in (0, 1)} | {(n, s, 0): 1.0 for n in (1, 2) for s in (0, 1)}
    found = traced(donor_effect=effect, donor_other=effect)
    handover = {f.name: f for f in findings(found)}["handover from givens to answer"]
    assert handover.holds
    assert (handover.low, handover.value, handover.high) == (2, 2, 2)
    late = {f.name: f for f in findings(traced())}["handover from givens to answer"]
    assert not late.holds


def test_units_are_put_together_pair_after_pair():
    def unit(start: int) -> dict[str, Any]:
        values = {m: [start + 10 * k, start + 10 * k + 1.0] for k, m in enumerate(MEASURES)}
        return {"answer": dict.fromkeys(ARMS, values)}

    out = gathered({(a, s): [unit(100 * a), unit(100 * a + 2)] for a in (0, 1) for s in (0, 1)})
    assert out.shape == (4, 3, 4, 2, 2, 1)
    assert out[2, 1, :, 1, 0, 0].tolist() == [110, 111, 112, 113]


def test_random_weights_give_no_claim(tmp_path):
    from phosphene.testing import tiny

    setup = Setup("equations", {"largest": 4, "variety": 0.0}, 5, size=64, frames=9, steps=2)
    subject = Subject(str(tiny.save("ltx_i2v", tmp_path)), setup)
    asked = Patch(pairs=2, window=2, layers=(0,), groups=("answer", "all"))
    book = Notebook(tmp_path / "book")
    found = asked.run(subject, book)
    assert {f.holds for f in found.findings} == {None}
    whole = [r for r in found.table if r["group"] == "all" and r["pairs differ in"] == "any"]
    assert len(found.table) >= 2
    assert all(np.isfinite(r["effect"]) for r in whole)
    assert asked.run(subject, Notebook(tmp_path / "book")).table == found.table


@pytest.mark.parametrize("layer", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_the_layer_at_which_an_organism_copies_is_found(tmp_path, layer: int):
    subject = organisms.subject(organisms.Plant(layer=layer, seed=layer), tmp_path, items=24)
    groups = ("answer", "changed givens", "kept givens")
    asked = Patch(pairs=6, window=9, layers=(layer - 1, layer), groups=groups)
    found = asked.run(subject, Notebook())
    by_name = {f.name: f for f in found.findings}
    handover = by_name["handover from givens to answer"]
    assert handover.holds
    assert (handover.low, handover.value, handover.high) == (layer, layer, layer)
    # The decoy, a coloured cell that means nothing, is among the givens that are kept.
    assert not by_name["kept givens carries the answer"].holds
    claimed = {(r["layer"], r["group"]) for r in found.table if r["carries"]}
    assert claimed == {(layer - 1, "changed givens"), (layer, "answer")}


def test_an_organism_without_a_mechanism_gives_no_claim(tmp_path):
    subject = organisms.subject(organisms.random(1), tmp_path, items=16)
    found = Patch(pairs=6, window=9, layers=(2,)).run(subject, Notebook())
    assert not any(f.holds for f in found.findings)


def test_settings_are_checked():
    with pytest.raises(PhospheneError, match="pairs"):
        Patch(pairs=0)
