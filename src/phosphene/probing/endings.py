"""Endings: where runs end whose conditions changed on the way, place by place."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phosphene.probe import ALPHA, Figure, Finding, Lines, Result
from phosphene.probing.effect import rate, step_down
from phosphene.probing.pairs import Pool

ARMS = ("other answer", "same answer", "other wording")
ENDINGS = ("first", "second")
DRAWS = 2000  # resamples of the pairs

Shares = Mapping[tuple[str, str], np.ndarray]  # (arm, ending) -> (pairs, places)


def report(
    pool: Pool,
    axes: Mapping[str, list[int]],
    ends: Mapping[tuple[str, str, int], list[list[float]]],
) -> Result:
    """What a switch came to.

    Args:
        axes: `step` and `layer` -> the first place under the second conditions.
        ends: (arm, axis, place) -> for each pair, whether the run ended on the first problem's
            answer and whether on the second's; nan for pairs without this arm.
    """
    table: list[dict[str, Any]] = []
    findings: list[Finding] = []
    figures: dict[str, Figure] = {}
    for axis, places in axes.items():
        shares = {
            (arm, ending): np.array([[e[j] for e in ends[arm, axis, k]] for k in places]).T
            for arm in ARMS
            for j, ending in enumerate(ENDINGS)
        }
        gaps = _gaps(shares)
        p = np.maximum(step_down(gaps[0]), step_down(gaps[1]))
        for n, place in enumerate(places):
            table.append(_row(axis, place, n, shares, float(p[n])))
        findings += [
            _no_return(pool, axis, places, shares, p),
            _harm(pool, axis, places, shares),
        ]
        figures[f"by-{axis}"] = _lines(axis, places, shares)
    notes = [
        pool.note,
        "of x_t, what the second run's pipeline holds fixed (a given first frame) is never "
        "switched back: after the switch every condition is the second one's",
        "sound that shares the stream with words is taken for a condition when layers are switched",
    ]
    return Result(table, findings, figures, notes)


def _gaps(shares: Shares) -> tuple[np.ndarray, np.ndarray]:
    """`(pairs, places)`: A's endings less B's; and A's less those that a switch from a problem
    with B's own answer, or wording, happens to give."""
    first, second = (shares["other answer", e] for e in ENDINGS)
    return first - second, first - _placebo(shares)


def _placebo(shares: Shares) -> np.ndarray:
    """How often the harm of switching alone takes B's own answer away."""
    lost = [1 - shares[arm, "second"] for arm in ("same answer", "other wording")]
    known = [np.where(np.isfinite(x), x, lost[1]) for x in lost]
    return np.maximum(*known)


def _row(axis: str, place: int, n: int, shares: Shares, p: float) -> dict[str, Any]:
    row: dict[str, Any] = {"axis": axis, "first place after the switch": place}
    for arm in ARMS:
        for ending, word in zip(ENDINGS, ("A", "B"), strict=True):
            found = rate(shares[arm, ending][:, n])
            row |= {
                f"{arm}: ends on {word}": found.share,
                f"{arm}: {word}, low": found.low,
                f"{arm}: {word}, high": found.high,
            }
    return row | {"p": p, "n": len(shares["other answer", "first"])}


def _no_return(
    pool: Pool, axis: str, places: Sequence[int], shares: Shares, p: np.ndarray
) -> Finding:
    """The first place where A's answer wins for good."""
    name = f"point of no return, {axis}"
    if pool.reason:
        return Finding(name, f"not asked: {pool.reason}", None)
    first, second = (shares["other answer", e] for e in ENDINGS)
    won = [
        rate(first[:, n]).low > rate(second[:, n]).high and p[n] < ALPHA for n in range(len(places))
    ]
    at = next((n for n, w in enumerate(won) if w), None)
    if at is None:
        a, b = rate(first[:, -1]), rate(second[:, -1])
        return Finding(
            name,
            f"none: even at {axis} {places[-1]} {a.brief()} of runs end on the first answer and "
            f"{b.brief()} on the second",
            False,
            null=float(b.share),
            p=float(p.min()),
            n=len(first),
            unit=axis,
        )
    order = np.random.default_rng(0).integers(len(first), size=(DRAWS, len(first)))
    drawn = [_first_above((first - second)[pairs].mean(0), places) for pairs in order]
    low, high = np.quantile(drawn, (0.025, 0.975))
    a, b = rate(first[:, at]), rate(second[:, at])
    return Finding(
        name,
        f"from {axis} {places[at]} on new conditions come too late: {a.brief()} of runs end on "
        f"the first answer, {b.brief()} on the second",
        True,
        float(places[at]),
        min(float(low), places[at]),
        max(float(high), places[at]),
        None,
        float(p[at]),
        len(first),
        axis,
    )


def _first_above(gap: np.ndarray, places: Sequence[int]) -> float:
    above = np.flatnonzero(gap > 0)
    return float(places[above[0]] if len(above) else places[-1] + 1)


def _harm(pool: Pool, axis: str, places: Sequence[int], shares: Shares) -> Finding:
    """Does switching between problems of one answer cost answers?"""
    name = f"harm of switching, {axis}"
    if pool.reason:
        return Finding(name, f"not asked: {pool.reason}", None)
    lost = 1 - shares["same answer", "second"]
    told = np.isfinite(lost).any(1)
    if told.sum() < 3:
        return Finding(name, f"{int(told.sum())} pairs have a problem with the same answer", None)
    mean = np.nanmean(lost[told], 0)
    worst = int(mean.argmax())
    found = rate(lost[:, worst])
    p = step_down(lost[told])[worst]
    return Finding(
        name,
        f"between problems with the same answer at most {found.brief()} of answers are lost (at "
        f"{axis} {places[worst]})",
        bool(p < ALPHA and found.low > 0),
        found.share,
        found.low,
        found.high,
        0.0,
        float(p),
        int(told.sum()),
        "share of answers lost",
    )


def _lines(axis: str, places: Sequence[int], shares: Shares) -> Lines:
    def curve(arm: str, ending: str) -> np.ndarray:
        found = [rate(column) for column in shares[arm, ending].T]
        return np.array([[f.share, f.low, f.high] for f in found]).T

    first, second = (shares["other answer", e] for e in ENDINGS)
    neither = [rate(column) for column in (1 - np.maximum(first, second)).T]
    return Lines(
        f"Where a run ends whose conditions change, by {axis}",
        f"first {axis} under the second conditions",
        "share of runs",
        list(places),
        {
            "first answer": curve("other answer", "first"),
            "second answer": curve("other answer", "second"),
            "neither": np.array([[f.share, f.low, f.high] for f in neither]).T,
            "control: right, same answer before": curve("same answer", "second"),
            "control: right, other wording before": curve("other wording", "second"),
        },
    )
