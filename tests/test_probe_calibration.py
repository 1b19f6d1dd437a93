"""Grid and verifier count every look: worlds where no cell knows more than a baseline."""

from __future__ import annotations

import numpy as np

from phosphene.probes.verifier import _dealt
from phosphene.probing.ridge import Target, compare_cells, item_scores, target

ALPHA = 0.05
INSTANCES, ITEMS, CELLS, WIDTH = 24, 48, 24, 32


def emerged(seed: int) -> bool:
    """All cells hold as much of the label as the baseline does, and noise of their own."""
    rng = np.random.default_rng(seed)
    g = np.concatenate([np.arange(INSTANCES), rng.integers(INSTANCES, size=ITEMS - INSTANCES)])
    labels = (rng.permutation(INSTANCES) % 3)[g]
    means = 0.7 * rng.normal(size=(3, 8))

    def features() -> np.ndarray:
        x = rng.normal(size=(INSTANCES, WIDTH))[g] + 0.3 * rng.normal(size=(ITEMS, WIDTH))
        x[:, :8] += means[labels]
        return x

    aim = target(labels, [f"{k:02d}" for k in g], 3, 40, seed=seed)
    truth = Target(aim.columns[:, :, :1], aim.folds, aim.groups, aim.classes)
    baselines = [item_scores(features(), truth)[:, 0] for _ in range(2)]
    best = max(baselines, key=lambda s: s.mean())
    scores = np.stack([item_scores(features(), aim) for _ in range(CELLS)])
    found = compare_cells(scores, np.broadcast_to(best, scores.shape[:2]), aim.groups)
    return bool(((found.p < ALPHA) & (found.floor > 0) & (found.p_lead < ALPHA)).any())


def test_what_a_baseline_knows_too_does_not_emerge():
    assert sum(emerged(seed) for seed in range(20)) <= 3


def test_the_corrected_p_is_exact_with_few_permutations():
    alarms = 0
    for seed in range(200):
        draws = np.random.default_rng(seed).normal(size=(20, 12, 20))
        groups = np.arange(12)
        alarms += bool((compare_cells(draws, np.zeros((20, 12)), groups, 10).p <= ALPHA).any())
    assert alarms <= 20  # 10 expected; 21 or more of 200 come by luck in 0.1 % of all cases


def test_problems_of_one_instance_are_permuted_together():
    right = np.repeat([[True, False], [False, False], [True, True]], [3, 3, 3], 0)
    members = [np.arange(3 * k, 3 * k + 3) for k in range(3)]
    rng = np.random.default_rng(0)
    for _ in range(10):
        dealt = _dealt(right, members, rng)
        kinds = [{tuple(row) for row in dealt[m].tolist()} for m in members]
        assert all(len(kind) == 1 for kind in kinds)
        assert sorted(k for kind in kinds for k in kind) == [
            (False, False),
            (True, False),
            (True, True),
        ]
