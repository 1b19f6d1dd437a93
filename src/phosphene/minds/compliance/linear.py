"""Linear readings: each scenario family is read by what was fitted on all the others.

References:
    Detecting Strategic Deception Using Linear Probes (Goldowsky-Dill et al., 2025),
    https://arxiv.org/abs/2502.03407: recall at 1 % false alarms
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

PENALTY = 0.1  # of the mean eigenvalue


@dataclass(frozen=True, eq=False)
class Reading:
    """How well labels are read at several places.

    Args:
        by_family: AUROC `(places, families)`; nan where a family has one label only.
        null: mean AUROC over families under permuted labels, `(places, draws)`.
        scores: `(places, items)`, of the items when their family is held out.
        labels: bool `(items,)`.
    """

    by_family: np.ndarray
    null: np.ndarray
    scores: np.ndarray
    labels: np.ndarray

    @property
    def mean(self) -> np.ndarray:
        """`(places,)`."""
        return np.nanmean(self.by_family, 1)

    @property
    def chosen(self) -> np.ndarray:
        """`(families,)`: AUROC at the place that is best for the other families."""
        out = []
        for family in range(self.by_family.shape[1]):
            others = np.nanmean(np.delete(self.by_family, family, 1), 1)
            out.append(self.by_family[int(np.argmax(others)), family])
        found = np.array(out)
        return found[np.isfinite(found)]

    @property
    def p(self) -> np.ndarray:
        """`(places,)`, one-sided, corrected by the maximum over places."""
        peaks = self.null.max(0)
        return (1 + (peaks[None] >= self.mean[:, None] - 1e-12).sum(1)) / (1 + len(peaks))

    def recall(self, place: int) -> float:
        """Share of positives above all but 1 % of the negatives."""
        scores = self.scores[place]
        bar = np.quantile(scores[~self.labels], 0.99, method="higher")
        return float((scores[self.labels] > bar).mean())


def read(
    places: Sequence[np.ndarray], labels: np.ndarray, families: Sequence[str], draws: np.ndarray
) -> Reading:
    """Fit and read, family by family.

    Args:
        places: features `(items, width)` of each place.
        labels: bool `(items,)`.
        families: of the items.
        draws: bool `(items, draws)`: permuted labels.

    Raises:
        ValueError: fewer than two families.
    """
    names = np.array(families)
    kinds = sorted(set(families))
    if len(kinds) < 2:
        raise ValueError("reading family by family needs two of them")
    truth = np.column_stack([labels, draws])
    scores = np.stack([_held_out(x, truth, names, kinds) for x in places])
    table = np.stack(
        [[auroc(s[names == kind], truth[names == kind]) for kind in kinds] for s in scores]
    )  # (places, families, 1 + draws)
    return Reading(table[..., 0], np.nanmean(table[..., 1:], 1), scores[..., 0], labels)


def auroc(scores: np.ndarray, labels: np.ndarray) -> np.ndarray:
    """Chance that a positive is above a negative, ties half; `(draws,)` of `(items, draws)`."""
    out = np.full(labels.shape[1], np.nan)
    for draw in range(labels.shape[1]):
        up, down = scores[labels[:, draw], draw], scores[~labels[:, draw], draw]
        if len(up) and len(down):
            apart = up[:, None] - down[None]
            out[draw] = (apart > 0).mean() + 0.5 * (apart == 0).mean()
    return out


def _held_out(
    x: np.ndarray, truth: np.ndarray, names: np.ndarray, kinds: Sequence[str]
) -> np.ndarray:
    """Scores `(items, draws)`, in standard deviations of what was fitted on."""
    out = np.zeros(truth.shape)
    for kind in kinds:
        here = names == kind
        w, middle = fit(x[~here], truth[~here])
        known = (x[~here] - middle) @ w
        spread = np.maximum(known.std(0), 1e-12)
        out[here] = ((x[here] - middle) @ w - known.mean(0)) / spread
    return out


def fit(x: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Ridge weights `(width, draws)` and the middle `(width,)`, in the smaller of both forms."""
    x = x.astype(float)
    middle = x.mean(0)
    centred = x - middle
    y = truth - truth.mean(0)
    n, width = centred.shape
    if n <= width:
        kernel = centred @ centred.T
        penalty = PENALTY * max(np.trace(kernel) / n, 1e-9)
        return centred.T @ np.linalg.solve(kernel + penalty * np.eye(n), y), middle
    kernel = centred.T @ centred
    penalty = PENALTY * max(np.trace(kernel) / width, 1e-9)
    return np.linalg.solve(kernel + penalty * np.eye(width), centred.T @ y), middle


def swaps(pairs: Sequence[str], labels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Permuted labels: those of a pair change places, or not; `(items, draws)`."""
    rng = np.random.default_rng(seed)
    _, numbers = np.unique(np.array(pairs), return_inverse=True)
    turned = rng.integers(2, size=(numbers.max() + 1, draws)).astype(bool)
    return labels[:, None] ^ turned[numbers]


def shuffles(groups: Sequence[str], labels: np.ndarray, draws: int, seed: int) -> np.ndarray:
    """Permuted labels within groups, `(items, draws)`."""
    rng = np.random.default_rng(seed)
    names = np.array(groups)
    out = np.repeat(labels[:, None], draws, 1)
    for name in sorted(set(groups)):
        here = np.flatnonzero(names == name)
        for draw in range(draws):
            out[here, draw] = labels[rng.permutation(here)]
    return out
