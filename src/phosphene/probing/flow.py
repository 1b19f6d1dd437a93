"""Flow: what maps between frames say of the way information takes through time.

A token that looks at another takes from it: attention from later frames to earlier ones carries
information forward.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from itertools import permutations
from math import factorial

import numpy as np
from scipy import stats

BESIDE = 3  # groups ahead of the frames in a `FrameMass`: text, sound, others
FEWEST = 5  # drawn frames before their order can be told from chance: 2 / 5! < 0.05
ORDERS = 2000  # orders that are drawn where there are more than 7! of them

Measure = Callable[[np.ndarray], np.ndarray]
Arrays = Mapping[str, np.ndarray]


def drawn(mass: np.ndarray) -> np.ndarray:
    """Mass between the frames after the first, `(..., n, n)`."""
    return mass[..., BESIDE + 1 :, BESIDE + 1 :]


def forward(frames: np.ndarray) -> np.ndarray:
    """What a frame gives to earlier ones less what it gives to later ones, on average.

    Args:
        frames: `(..., n, n)`, rows look at columns.
    """
    earlier = np.tril(frames, -1).sum((-2, -1))
    return (earlier - np.triu(frames, 1).sum((-2, -1))) / frames.shape[-1]


def chain(frames: np.ndarray) -> np.ndarray:
    """What a frame gives to the one just before it less what it gives to the one just after, over
    frames that have both."""
    before = np.diagonal(frames, -1, -2, -1)[..., :-1]
    after = np.diagonal(frames, 1, -2, -1)[..., 1:]
    return (before - after).mean(-1)


# What the order of frames alone decides; its null is nought.
ORDERED: Mapping[str, Measure] = {"forward": forward, "chain": chain}


def to_first(mass: np.ndarray) -> np.ndarray:
    """What later frames give to the first one, less what they give to another frame."""
    frames = drawn(mass)
    n = frames.shape[-1]
    others = frames.sum(-1) - np.diagonal(frames, 0, -2, -1)
    first = mass[..., BESIDE + 1 :, BESIDE].mean(-1)
    return first - others.mean(-1) / max(n - 1, 1)


def beside(part: int) -> Measure:
    """What later frames give to a group ahead of the frames."""
    return lambda mass: mass[..., BESIDE + 1 :, part].mean(-1)


def measures(mass: np.ndarray) -> Mapping[str, Measure]:
    """Those that a mass `(..., 3 + frames, 3 + frames)` has."""
    frames = mass.shape[-1] - BESIDE
    there = ~np.isnan(mass.reshape(-1, *mass.shape[-2:])[0]).all(-1)
    out: dict[str, Measure] = {}
    if frames > 2:
        out["forward"] = lambda mass: forward(drawn(mass))
        out["first frame"] = to_first
    if frames > 3:
        out["chain"] = lambda mass: chain(drawn(mass))
    if frames > 1:
        out |= {n: beside(i) for i, n in enumerate(("text", "sound")) if there[i]}
    return out


def by_order(measure: Measure, mean: np.ndarray, seed: int = 0) -> float:
    """Two-sided p-value that the order of the drawn frames means nothing: the measure with frames
    in any other order comes out as large.

    Args:
        measure: of frames `(..., n, n)`.
        mean: the mean mass between frames over everything, `(n, n)`.
    """
    n = len(mean)
    if factorial(n) <= 5040:
        orders = np.array(list(permutations(range(n))))
    else:
        rng = np.random.default_rng(seed)
        orders = rng.permuted(np.tile(np.arange(n), (ORDERS + 1, 1)), axis=1)
        orders[0] = np.arange(n)
    found = np.abs(measure(mean[orders[:, :, None], orders[:, None]]))
    return float((found >= abs(float(measure(mean))) - 1e-9).mean())


def among_twins(value: float, twins: np.ndarray) -> float:
    """Two-sided p-value that a figure is one more draw from its twins' distribution, taken to be
    normal: t = (x - m) / (s sqrt(1 + 1/k)) with k - 1 degrees of freedom."""
    k = len(twins)
    spread = float(twins.std(ddof=1)) * (1 + 1 / k) ** 0.5
    if spread == 0:
        return 1.0
    return float(2 * stats.t.sf(abs(value - twins.mean()) / spread, k - 1))


def interval(values: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean over items `(items, ...)` and Student's 95 % interval."""
    n = len(values)
    mean = values.mean(0)
    if n < 2:
        return mean, np.full_like(mean, np.nan), np.full_like(mean, np.nan)
    half = stats.t.ppf(0.975, n - 1) * values.std(0, ddof=1) / n**0.5
    return mean, mean - half, mean + half
