"""Ridge probes on arrays whose truth is known."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.probes.verifier import auroc
from phosphene.probing.ridge import compare_cells, fit_predict, item_scores, target
from phosphene.probing.variables import Variable, variables
from phosphene.task import Problem

CELLS, WIDTH = 10, 32


def world(seed: int, planted: bool, decoy: bool = False):
    """40 instances seen twice, four classes; the label sits in cell 7, if anywhere."""
    rng = np.random.default_rng(seed)
    groups = [f"instance {i // 2}" for i in range(80)]
    labels = rng.integers(0, 4, 40)[np.arange(80) // 2]
    cells = rng.normal(size=(CELLS, 80, WIDTH))
    if decoy:  # what tells instances apart, but not their labels
        cells[3] += 5 * rng.normal(size=(40, WIDTH))[np.arange(80) // 2]
    if planted:
        cells[7] += 2 * np.eye(4)[labels] @ rng.normal(size=(4, WIDTH))
    return cells, labels, groups, rng


def claimed(cells, labels, groups, rng, permutations=60):
    aim = target(labels, groups, 4, permutations)
    scores = np.stack([item_scores(x, aim) for x in cells])
    base = item_scores(rng.normal(size=(80, WIDTH)), aim)[:, 0]
    found = compare_cells(scores, np.broadcast_to(base, scores.shape[:2]), aim.groups)
    return np.flatnonzero((found.p < 0.05) & (found.floor > 0)).tolist()


@pytest.mark.parametrize("seed", range(4))
def test_the_planted_cell_and_no_other_is_found(seed):
    assert claimed(*world(seed, planted=True, decoy=True)) == [7]


def test_nothing_is_found_where_nothing_is():
    alarms = sum(bool(claimed(*world(100 + s, planted=False, decoy=True))) for s in range(20))
    assert alarms <= 3  # alpha is 0.05: four or more of 20 come by luck in 1.6 % of all cases


def test_instances_are_never_split():
    _, labels, groups, _ = world(0, planted=False)
    aim = target(labels, groups, 4, 5)
    for g in range(40):
        assert len(set(aim.folds[aim.groups == g])) == 1
        # Permuted labels too are the same for all items of an instance.
        assert (aim.columns[aim.groups == g].std(0) == 0).all()


def test_a_quantity_is_scored_by_r_squared():
    rng = np.random.default_rng(0)
    x = rng.normal(size=(200, 8))
    y = x @ rng.normal(size=8)
    aim = target(y, [str(i) for i in range(200)], 0, 3)
    scores = item_scores(x, aim).mean(0)
    assert scores[0] > 0.99
    assert scores[1:].max() < 0.1
    half = item_scores(
        x, target(y + y.std() * rng.normal(size=200), [str(i) for i in range(200)], 0, 0)
    )
    assert 0.3 < half.mean() < 0.6


def test_ridge_agrees_with_the_closed_form_of_ordinary_least_squares():
    rng = np.random.default_rng(1)
    x, new = rng.normal(size=(400, 3)), rng.normal(size=(5, 3))
    y = x @ [1.0, -2.0, 0.5] + 3
    assert fit_predict(x, y, new) == pytest.approx(new @ [1.0, -2.0, 0.5] + 3, abs=0.02)


def test_auroc_counts_ties_half():
    assert auroc([0.1, 0.9], [False, True]) == 1
    assert auroc([0.9, 0.1], [False, True]) == 0
    assert auroc([0.5, 0.5, 0.5], [False, True, True]) == 0.5


def problem(**state) -> Problem:
    return Problem("x", 0, "train", ("p",) * 3, "c", state)


def test_variables_are_named_deduplicated_and_stripped_of_looks():
    dealt = [
        problem(a=i % 4, twice=2 * (i % 4), font=i, answer=str(i % 2), still=1, id=i)
        for i in range(40)
    ]
    found, notes = variables(dealt)
    names = {v.name: v for v in found}
    assert set(names) == {"answer", "a = twice", "id"}
    assert isinstance(names["answer"], Variable)
    assert names["answer"].classes == ('"0"', '"1"')
    assert names["id"].classes == ()
    assert any("still" in note for note in notes)


def test_rare_classes_do_not_count():
    dealt = [problem(answer="rare" if i == 0 else str(i % 2), id=i) for i in range(41)]
    (answer,) = [v for v in variables(dealt)[0] if v.name == "answer"]
    assert answer.kept.sum() == 40
    assert not answer.kept[0]
