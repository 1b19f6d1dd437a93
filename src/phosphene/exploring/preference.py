"""Preference: what people like, learned from what they said about some of the candidates."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phosphene.exploring.diversity import principal

DIMS = 32  # principal components that taste is told in
HALF = 10  # opinions at which taste counts as much as quality
_PRIOR = 2.0  # deviation of the logit of an item of average length, before anything was said
_BIAS = 2.0  # deviation of how readily somebody likes
_SPREAD = 0.5  # of sampled tastes, of the posterior's: all of it would drown a few opinions
_LIKED = {"like": 1.0, "pin": 1.0, "more": 1.0, "dislike": 0.0, "hide": 0.0, "away": 0.0}


@dataclass(frozen=True)
class Opinion:
    """That an item was liked or not, or that it was preferred to another.

    Args:
        item: its row.
        liked: 1, or 0 for disliked.
        over: row of the one that `item` was preferred to; None for an opinion of one item.
    """

    item: int
    liked: float = 1.0
    over: int | None = None


def opinions(events: Iterable[Mapping[str, Any]], rows: Mapping[str, int]) -> list[Opinion]:
    """What people's events say about items.

    The last word of each person about an item counts; preferences all do. Asking for more like an
    item is liking it, going away from it disliking it.

    Args:
        events: as logged: `kind`, `id`, `over` where something was preferred, and `by`.
        rows: id -> row; what isn't there is passed over.
    """
    last: dict[tuple[str, str], Opinion] = {}
    compared = []
    for event in events:
        id, kind = str(event.get("id")), event["kind"]
        if id not in rows:
            continue
        if kind in _LIKED:
            last[str(event.get("by", "")), id] = Opinion(rows[id], _LIKED[kind])
        elif kind == "unpin":
            last.pop((str(event.get("by", "")), id), None)
        elif kind == "prefer" and event.get("over") in rows and event["over"] != id:
            compared.append(Opinion(rows[id], over=rows[event["over"]]))
    return [*last.values(), *compared]


@dataclass(frozen=True, eq=False)
class Taste:
    """Bayesian logistic regression on principal components, by Laplace's approximation.

        P(i is liked) = s(w f_i + b),    P(i over j) = s(w f_i - w f_j),    w ~ N(0, I p^2 / m)

    f are whitened components, m of them, so the prior says the same whatever the descriptor's
    width. Its mode is found by Newton's method; the posterior is taken to be the normal
    distribution of the curvature there.

    Args:
        mean, axes: of the components, `(d,)` and `(d, m)`.
        mode: w and b at the mode, `(m + 1,)`.
        factor: lower Cholesky factor of the curvature, `(m + 1, m + 1)`.
        count: opinions it was learned from.

    References:
        Pattern Recognition and Machine Learning (Bishop, 2006), section 4.5
        Rank Analysis of Incomplete Block Designs (Bradley, Terry, 1952),
        https://doi.org/10.2307/2334029
    """

    mean: np.ndarray
    axes: np.ndarray
    mode: np.ndarray
    factor: np.ndarray
    count: int

    @classmethod
    def fit(cls, vectors: np.ndarray, said: Sequence[Opinion]) -> Taste:
        """From items' descriptors, unit float32 `(n, d)`, and opinions about some of them."""
        mean = vectors.mean(0) if len(vectors) else np.zeros(vectors.shape[1])
        axes = principal(vectors - mean, DIMS)
        prior = np.full(axes.shape[1] + 1, max(axes.shape[1], 1) / _PRIOR**2)
        prior[-1] = 1 / _BIAS**2
        features = (vectors - mean) @ axes
        rows = np.array([_row(features, o) for o in said]).reshape(len(said), len(prior))
        liked = np.array([o.liked for o in said])
        mode = _mode(rows, liked, prior)
        factor = np.linalg.cholesky(_curvature(rows, prior, mode))
        return cls(mean, axes, mode, factor, len(said))

    @property
    def weight(self) -> float:
        """Of taste against quality, n / (n + 10): nothing until something was said."""
        return self.count / (self.count + HALF)

    def sample(self, rng: np.random.Generator) -> np.ndarray:
        """One taste that what was said allows, `(m + 1,)`: Thompson sampling with half the spread.

        References:
            An Empirical Evaluation of Thompson Sampling (Chapelle, Li, 2011), section 3 for the
            narrowed posterior, https://papers.nips.cc/paper/4321
        """
        noise = _SPREAD * rng.standard_normal(len(self.mode))
        return self.mode + np.linalg.solve(self.factor.T, noise)

    def utility(self, vectors: np.ndarray, taste: np.ndarray | None = None) -> np.ndarray:
        """How much items `(n, d)` are liked, `(n,)`, 0..1; one half without any opinion.

        Args:
            taste: from `sample`; the mode if None.
        """
        weights = self.mode if taste is None else taste
        # How readily somebody likes says nothing about one item against another.
        return _logistic((vectors - self.mean) @ self.axes @ weights[:-1])

    def fitness(
        self, vectors: np.ndarray, quality: np.ndarray, rng: np.random.Generator
    ) -> np.ndarray:
        """Quality, 0..1, with one sampled taste mixed in by `weight`: `(n,)`, 0..1."""
        if not self.count:
            return quality
        utility = self.utility(vectors, self.sample(rng))
        return (1 - self.weight) * quality + self.weight * utility


def _row(features: np.ndarray, opinion: Opinion) -> np.ndarray:
    """What w and b are multiplied with: an item, or the difference of two."""
    if opinion.over is None:
        return np.append(features[opinion.item], 1.0)
    return np.append(features[opinion.item] - features[opinion.over], 0.0)


def _mode(rows: np.ndarray, liked: np.ndarray, prior: np.ndarray) -> np.ndarray:
    """The most probable weights, by damped Newton steps: the posterior is concave."""
    w = np.zeros(len(prior))
    if not len(rows):
        return w
    for _ in range(100):
        slope = rows.T @ (liked - _logistic(rows @ w)) - prior * w
        step = np.linalg.solve(_curvature(rows, prior, w), slope)
        size, here = 1.0, _posterior(rows, liked, prior, w)
        while size > 1e-6 and _posterior(rows, liked, prior, w + size * step) < here:
            size /= 2
        w = w + size * step
        if np.abs(step).max() < 1e-9:
            break
    return w


def _posterior(rows: np.ndarray, liked: np.ndarray, prior: np.ndarray, w: np.ndarray) -> float:
    """Logarithm of the posterior, up to a constant."""
    signs = np.where(liked > 0.5, 1.0, -1.0)
    return float(-np.logaddexp(0, -signs * (rows @ w)).sum() - 0.5 * (prior * w * w).sum())


def _logistic(x: np.ndarray) -> np.ndarray:
    return 0.5 + 0.5 * np.tanh(0.5 * x)


def _curvature(rows: np.ndarray, prior: np.ndarray, w: np.ndarray) -> np.ndarray:
    """Minus the second derivative of the logarithm of the posterior."""
    p = _logistic(rows @ w)
    return (rows * (p * (1 - p))[:, None]).T @ rows + np.diag(prior)
