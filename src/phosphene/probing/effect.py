"""Effect: how far a change moved a run towards another, and whether that beats a placebo.

    E = <x(patched) - x(base), x(donor) - x(base)> / ||x(donor) - x(base)||^2

0: the base's picture; 1: the donor's. The measure of a picture never settles a claim alone: what is
read in it has to change too.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import nan

import numpy as np
from scipy.special import stdtrit

from phosphene.clip import Clip
from phosphene.probe import ALPHA
from phosphene.statistics.intervals import Interval, wilson
from phosphene.subject import Subject
from phosphene.task import Problem

ALL_FLIPS = 12  # pairs up to which every pattern of signs is counted
FLIPS = 4096  # patterns drawn beyond that


def shown(subject: Subject, clip: Clip, *problems: Problem) -> np.ndarray:
    """The last frame's pixels where the problems' answers are drawn, float `(pixels * 3,)`."""
    frames = subject.square(clip).frames
    assert frames is not None
    last = frames[-1]
    side = last.shape[0]
    where = np.logical_or.reduce([subject.task.region(p, side) for p in problems])
    if last.shape[1] != side:  # a clip that is not square is measured whole
        return last.astype(float).ravel()
    return last[where].astype(float).ravel()


def projection(patched: np.ndarray, base: np.ndarray, donor: np.ndarray) -> float:
    """E as above; nan where base and donor end on the same picture."""
    way = donor - base
    length = float(way @ way)
    return float((patched - base) @ way) / length if length > 0 else nan


def interval(values: np.ndarray) -> Interval:
    """Mean over pairs with Student's interval; nan pairs are left out, and one alone has no bounds.

    The clustered bootstrap of shares needs a least and a largest value, which effects have not.
    """
    values = values[np.isfinite(values)]
    n = len(values)
    if not n:
        return Interval(nan, nan, nan, 0)
    mean = float(values.mean())
    if n == 1:
        return Interval(mean, nan, nan, 1)
    half = float(stdtrit(n - 1, 0.975)) * float(values.std(ddof=1)) / n**0.5
    return Interval(mean, mean - half, mean + half, n)


def rate(flags: Sequence[bool] | np.ndarray) -> Interval:
    """Share with Wilson's interval; all nan without any."""
    flags = np.asarray(flags, float)
    flags = flags[np.isfinite(flags)]
    if not len(flags):
        return Interval(nan, nan, nan, 0)
    found = wilson(int(flags.sum()), len(flags))
    return found._replace(low=min(found.low, found.share), high=max(found.high, found.share))


def step_down(differences: np.ndarray, seed: int = 0) -> np.ndarray:
    """One-sided p-values that each place's mean difference is above nought, corrected for all.

    A pair's differences change sign together at all places; the largest statistic over the places
    not yet decided is the null. The statistic is sum(d) / sqrt(sum(d^2)), which flips leave scaled.

    Args:
        differences: `(pairs, places)`, effect less placebo; nan counts as no difference.
        seed: of the patterns of signs, where there are too many to count them all.

    Returns:
        `(places,)`.

    References:
        Resampling-Based Multiple Testing (Westfall, Young, 1993), algorithm 4.1.
    """
    d = np.nan_to_num(np.asarray(differences, float))
    n, places = d.shape
    if not n or not places:
        return np.ones(places)
    scale = np.sqrt((d**2).sum(0))
    unit = np.divide(d, scale, out=np.zeros_like(d), where=scale > 0)
    signs = _signs(n, seed)
    seen = unit.sum(0)
    null = signs @ unit
    order = np.argsort(-seen, kind="stable")
    # The largest among a place and all that follow it.
    largest = np.maximum.accumulate(null[:, order][:, ::-1], 1)[:, ::-1]
    p = (largest >= seen[order] - 1e-9).mean(0)
    out = np.empty(places)
    out[order] = np.maximum.accumulate(p)
    return out


def _signs(n: int, seed: int) -> np.ndarray:
    """Patterns of signs `(patterns, n)`, the one that was seen among them."""
    if n <= ALL_FLIPS:
        return 1.0 - 2.0 * ((np.arange(2**n)[:, None] >> np.arange(n)) & 1)
    drawn = np.random.default_rng(seed).choice([-1.0, 1.0], (FLIPS - 1, n))
    return np.vstack([np.ones(n), drawn])


@dataclass(frozen=True, eq=False)
class Comparison:
    """Effects against their placebos, at all places at once; everything is `(places,)`.

    Args:
        value, low, high: the mean effect and its interval.
        null: the mean of the strongest placebo.
        p: corrected for the places; the largest over the placebos.
        clears: the interval of effect less placebo lies above nought for each placebo, and p is
            below alpha.
        n: pairs.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    null: np.ndarray
    p: np.ndarray
    clears: np.ndarray
    n: int


def against(effect: np.ndarray, placebos: Sequence[np.ndarray]) -> Comparison:
    """Compare effects with placebos, pair by pair; each placebo has to be beaten.

    Args:
        effect: `(pairs, places)`.
        placebos: each like `effect`; pairs without a placebo are nan, and one that most pairs lack
            is left out.
    """
    places = effect.shape[1]
    moved = np.isfinite(effect).any(1)
    if not moved.any():  # all pairs end on one picture: there was nowhere to go
        blank = np.full(places, nan)
        none = np.zeros(places, bool)
        return Comparison(blank, blank, blank, blank, np.ones(places), none, len(effect))
    used = [x for x in placebos if np.isfinite(x[moved]).any(1).mean() > 0.5]
    if not used:
        raise ValueError("an effect needs a placebo that most pairs have")
    found = [interval(column) for column in effect.T]
    gaps = [[interval(column) for column in (effect - x).T] for x in used]
    p = np.max([step_down(effect - x) for x in used], 0)
    above = np.array([all(g[i].low > 0 for g in gaps) for i in range(places)])
    means = [np.nanmean(np.where(np.isfinite(x).any(0), x, 0.0), 0) for x in used]
    return Comparison(
        np.array([f.share for f in found]),
        np.array([f.low for f in found]),
        np.array([f.high for f in found]),
        np.max(means, 0),
        p,
        above & (p < ALPHA),
        len(effect),
    )
