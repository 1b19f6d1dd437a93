"""Ridge probes with grouped splits, a permutation null and one number an item.

Everything is linear in per-item scores, so that intervals, differences between cells and the
correction for the number of cells all come from one matrix `(cells, items)`.

References:
    Designing and Interpreting Probes with Control Tasks (Hewitt, Liang, 2019),
    https://arxiv.org/abs/1909.03368
    Permutation tests with max statistics (Westfall, Young, 1993).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.probing.effect import step_down

PENALTIES = np.logspace(-1, 4, 6)


@dataclass(frozen=True, eq=False)
class Target:
    """What is to be read: columns to regress on, for the truth and for each permutation of it.

    Args:
        columns: `(items, outputs, 1 + permutations)`; the truth first. One-hot for classes.
        folds: `(items,)`: which fold holds an item out; groups are never split.
        groups: `(items,)`: numbers of the instances.
        classes: how many; 0 for a continuous quantity.
    """

    columns: np.ndarray
    folds: np.ndarray
    groups: np.ndarray
    classes: int


def target(
    values: np.ndarray,
    groups: Sequence[str],
    classes: int,
    permutations: int,
    folds: int = 5,
    seed: int = 0,
) -> Target:
    """Prepare a variable: labels are permuted among instances, never within them.

    Args:
        values: `(items,)` class numbers, or floats.
        groups: name of each item's instance; items of one instance have one value, or nearly so.
        classes: number of classes; 0 for a continuous quantity.
        permutations: how many label permutations.
        folds: splits; fewer where there are fewer instances.
    """
    rng = np.random.default_rng(seed)
    _, numbers = np.unique(np.asarray(groups), return_inverse=True)
    count = numbers.max() + 1
    firsts = np.array([np.flatnonzero(numbers == g)[0] for g in range(count)])
    by_group = np.asarray(values)[firsts]
    orders = [np.arange(count), *(rng.permutation(count) for _ in range(permutations))]
    labels = np.stack([by_group[order][numbers] for order in orders], -1)
    labels[:, 0] = values
    # At random and blind to the labels: else the truth would be split better than its permutations.
    fold_of = rng.permutation(count) % min(folds, count)
    if classes:
        columns = (labels[:, None, :] == np.arange(classes)[None, :, None]).astype(float)
    else:
        scale = float(np.std(values)) or 1.0
        columns = ((labels - np.mean(values)) / scale)[:, None, :].astype(float)
    return Target(columns, fold_of[numbers], numbers, classes)


def item_scores(features: np.ndarray, aim: Target) -> np.ndarray:
    """Held-out score of every item, for the truth and each permutation.

        classes:     s_i = n 1[argmax = y_i] / (classes n_{y_i}), whose mean is balanced accuracy
        continuous:  s_i = (y_i^2 - (y_i - f(x_i))^2) / mean y^2, whose mean is R^2

    Args:
        features: `(items, width)`.

    Returns:
        `(items, 1 + permutations)`.
    """
    n, outputs, draws = aim.columns.shape
    guess = np.zeros((n, outputs, draws))
    for fold in np.unique(aim.folds):
        out = aim.folds == fold
        guess[out] = _fit(features[~out], aim.columns[~out], features[out])
    if aim.classes:
        truth = aim.columns.argmax(1)
        hit = guess.argmax(1) == truth
        sizes = aim.columns.sum(0)  # (classes, draws)
        share = np.take_along_axis(sizes, truth, 0) if n else sizes
        return hit * n / (np.maximum(share, 1) * (sizes > 0).sum(0))
    y = aim.columns[:, 0]
    power = np.maximum((y**2).mean(0), 1e-12)
    return (y**2 - (y - guess[:, 0]) ** 2) / power


def _fit(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Ridge in its dual form; the penalty by leave-one-out error, for each draw by itself.

    Args:
        x: `(n, width)`; y: `(n, outputs, draws)`; new: `(m, width)`.

    Returns:
        `(m, outputs, draws)`.
    """
    mean, spread = x.mean(0), x.std(0)
    alive = spread > 1e-8 * (np.abs(x).max() + 1e-12)
    if not alive.any():
        return np.broadcast_to(y.mean(0), (len(new), *y.shape[1:])).copy()
    x, new = (
        (x[:, alive] - mean[alive]) / spread[alive],
        (new[:, alive] - mean[alive]) / spread[alive],
    )
    scale = np.sqrt(x.shape[1])
    x, new = x / scale, new / scale
    middle = y.mean(0)
    values, vectors = np.linalg.eigh(x @ x.T)
    values = np.maximum(values, 0)
    turned = np.tensordot(vectors.T, y - middle, 1)  # (n, outputs, draws)
    errors, weights = [], []
    for penalty in PENALTIES * values.mean():
        inverse = 1 / (values + penalty)
        alpha = np.tensordot(vectors, turned * inverse[:, None, None], 1)
        diagonal = (vectors**2 @ inverse)[:, None, None]
        errors.append(((alpha / diagonal) ** 2).sum((0, 1)))
        weights.append(alpha)
    best = np.argmin(errors, 0)  # (draws,)
    chosen = np.take_along_axis(np.stack(weights), best[None, None, None, :], 0)[0]
    return middle + np.tensordot(new @ x.T, chosen, 1)


def fit_predict(x: np.ndarray, y: np.ndarray, new: np.ndarray) -> np.ndarray:
    """Ridge of `y` `(n,)` on `x` `(n, width)`, at `new` `(m, width)`: `(m,)`."""
    return _fit(x, y[:, None, None], new)[:, 0, 0]


@dataclass(frozen=True, eq=False)
class Compared:
    """Cells against their baselines, all looks at the data counted.

    Args:
        score: `(cells,)`.
        control: mean score with permuted labels, `(cells,)`.
        p: of the score against permuted labels, corrected by the maximum over cells.
        low, high: 95 % interval of the score, each cell by itself.
        difference: score less baseline.
        floor: lower bound of the difference that holds for all cells together with 95 %.
        p_lead: that the difference is above nought, by signs flipped instance by instance,
            corrected for all cells.
    """

    score: np.ndarray
    control: np.ndarray
    p: np.ndarray
    low: np.ndarray
    high: np.ndarray
    difference: np.ndarray
    floor: np.ndarray
    p_lead: np.ndarray


def compare_cells(
    scores: np.ndarray, baselines: np.ndarray, groups: np.ndarray, draws: int = 2000, seed: int = 0
) -> Compared:
    """Intervals by resampling instances; the correction by the maximum over cells.

    Args:
        scores: `(cells, items, 1 + permutations)`.
        baselines: `(cells, items)` scores of what each cell is held against.
        groups: `(items,)`.
    """
    means = scores.mean(1)
    true, null = means[:, 0], means[:, 1:]
    # Cells differ in spread, so each is measured in its own before the maximum is taken.
    # The truth is one of the draws: measured by the others alone, it would look too far out.
    spread = np.maximum(means.std(1), 1e-9)
    centre = null.mean(1)
    peaks = ((null - means.mean(1)[:, None]) / spread[:, None]).max(0)
    z = (true - means.mean(1)) / spread
    p = (1 + (peaks[None] >= z[:, None]).sum(1)) / (1 + len(peaks))
    count = groups.max() + 1
    member = np.eye(count)[groups]  # (items, groups)
    sizes = member.sum(0)
    by_group = scores[:, :, 0] @ member
    differs = (scores[:, :, 0] - baselines) @ member
    rng = np.random.default_rng(seed)
    times = rng.multinomial(count, np.full(count, 1 / count), draws).T  # (groups, draws)
    total = np.maximum(sizes @ times, 1)
    samples = by_group @ times / total
    # Weights of rare classes may carry a resample past what any score can reach.
    low, high = np.minimum(np.quantile(samples, (0.025, 0.975), axis=1), 1.0)
    difference = true - baselines.mean(1)
    moved = differs @ times / total - difference[:, None]
    width = np.maximum(moved.std(1), 1e-9)
    reach = np.quantile((moved / width[:, None]).max(0), 0.95)
    floor = difference - reach * width
    p_lead = step_down((differs / sizes).T)
    return Compared(true, centre, p, low, high, difference, floor, p_lead)
