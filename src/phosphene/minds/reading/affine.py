"""Affine: the best linear map from states to what is asked of them, in closed form."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

PENALTIES = np.logspace(-5, 1, 7)  # of the mean squared singular value


@dataclass(frozen=True, eq=False)
class Affine:
    """y = x weight + bias.

    Args:
        weight: `(d, outputs)`.
        bias: `(outputs,)`.
    """

    weight: np.ndarray
    bias: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weight + self.bias


def fit_affine(x: np.ndarray, y: np.ndarray) -> Affine:
    """Ridge; the penalty has the least leave-one-out error, which is known without refitting.

        error_i = (y_i - f(x_i)) / (1 - H_ii),   H = 1/n + U diag(s^2 / (s^2 + penalty)) U^T

    Args:
        x: `(n, d)`.
        y: `(n, outputs)`.

    References:
        Ridge Regression: Biased Estimation for Nonorthogonal Problems (Hoerl, Kennard, 1970).
    """
    x, y = np.asarray(x, float), np.asarray(y, float)
    at, middle = x.mean(0), y.mean(0)
    u, s, v = np.linalg.svd(x - at, full_matrices=False)
    turned = u.T @ (y - middle)
    best, least = np.zeros_like(s), np.inf
    for penalty in PENALTIES * max(float((s**2).mean()), 1e-12):
        shrink = s**2 / (s**2 + penalty)
        lever = 1 / len(x) + (u**2) @ shrink
        left = (y - middle - u @ (shrink[:, None] * turned)) / np.maximum(1 - lever, 1e-6)[:, None]
        if (error := float((left**2).mean())) < least:
            least, best = error, s / (s**2 + penalty)
    weight = v.T @ (best[:, None] * turned)
    return Affine(weight, middle - at @ weight)
