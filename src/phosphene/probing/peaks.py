"""Peaks: does one step, or one frame, stand out, and which axis does so more?"""

from __future__ import annotations

from collections.abc import Mapping
from math import inf, nan

import numpy as np

from phosphene.probe import ALPHA, Finding
from phosphene.probing.ability import Ability
from phosphene.probing.effect import interval
from phosphene.probing.tracing import mean
from phosphene.statistics.paired import sign_flip

DRAWS = 2000
ENOUGH = 5  # problems
MEASURES = {"lost": "answers lost", "distance": "change of the answer's picture"}

# kind of place (step, frame, outside) -> place -> a number a problem, nan where there is none
Outcomes = Mapping[str, Mapping[int, np.ndarray]]


def dominance(measure: str, by: Outcomes, able: Ability, permutations: int) -> Finding:
    name = f"steps or frames, {MEASURES[measure]}"
    if not able.does:
        return Finding(name, f"not asked: the subject does not do the task ({able})", None)
    if not by["frame"]:
        return Finding(name, "not asked: every frame is given", None)
    steps, frames = (np.stack(list(by[k].values()), 1) for k in ("step", "frame"))
    whole = np.isfinite(steps).all(1) & np.isfinite(frames).all(1)
    steps, frames = steps[whole], frames[whole]
    if len(steps) < ENOUGH or frames.shape[1] < 2:
        return Finding(
            name,
            f"not asked: {len(steps)} problems and {frames.shape[1]} frames that take noise; "
            f"{ENOUGH} and 2 are needed",
            None,
        )
    rng = np.random.default_rng(0)
    parts = float(peak(steps.mean(0))), float(peak(frames.mean(0)))
    drawn = rng.multinomial(len(steps), np.full(len(steps), 1 / len(steps)), DRAWS) / len(steps)
    tops, sides = peak(drawn @ steps), peak(drawn @ frames)
    gaps = tops - sides
    low, high = np.quantile(gaps, (0.025, 0.975))
    gap = parts[0] - parts[1]
    wins = steps if gap > 0 else frames
    luck = 2 * _luck(rng, wins, max(parts), permutations)  # two axes could have won
    p = min(1.0, max(luck, sign_flip(_standing_out(steps) - _standing_out(frames))))
    ratio = parts[0] / parts[1] if parts[1] > 0 else inf
    ratios = np.divide(tops, sides, out=np.full(DRAWS, inf), where=sides > 0)
    a, b = np.quantile(ratios, (0.025, 0.975), method="nearest")
    at = (
        list(by["step"])[int(steps.mean(0).argmax())],
        list(by["frame"])[int(frames.mean(0).argmax())],
    )
    return Finding(
        name,
        f"the worst step ({at[0]}) stands out by {parts[0]:.3f} over the others, the "
        f"worst frame ({at[1]}) by {parts[1]:.3f} over the others: dominance "
        f"{ratio:.1f} [{a:.1f}, {b:.1f}]",
        bool((low > 0 or high < 0) and p < ALPHA),
        gap,
        min(float(low), gap),
        max(float(high), gap),
        0.0,
        p,
        len(steps),
        "max - mean, steps less frames",
    )


def worst(
    kind: str,
    measure: str,
    places: Mapping[int, np.ndarray],
    able: Ability,
    permutations: int,
) -> Finding:
    """Does one step, or frame, stand out from the others?"""
    name = f"worst {kind}, {MEASURES[measure]}"
    if not able.does:
        return Finding(name, f"not asked: the subject does not do the task ({able})", None)
    told = np.stack(list(places.values()), 1) if places else np.zeros((0, 0))
    told = told[np.isfinite(told).all(1)]
    if len(told) < ENOUGH or told.shape[1] < 2:
        return Finding(name, f"not asked: {told.shape} problems and {kind}s are too few", None)
    rng = np.random.default_rng(0)
    means, names = told.mean(0), list(places)
    far, at = float(peak(means)), int(means.argmax())
    p = _luck(rng, told, far, permutations)
    drawn = rng.multinomial(len(told), np.full(len(told), 1 / len(told)), DRAWS) @ told
    low, high = np.quantile(np.array(names)[drawn.argmax(1)], (0.025, 0.975))
    return Finding(
        name,
        f"noise in {kind} {names[at]} does most: {means[at]:.3f}, {means[at] - far:.3f} in the "
        f"others on average",
        p < ALPHA,
        names[at],
        min(float(low), names[at]),
        max(float(high), names[at]),
        None,
        p,
        len(told),
        kind,
    )


def _luck(rng: np.random.Generator, told: np.ndarray, far: float, permutations: int) -> float:
    """Chance that shuffled places stand out as far."""
    shuffled = rng.permuted(np.tile(told, (permutations, 1, 1)), axis=2)
    null = peak(shuffled.mean(1))
    return (1 + int((null >= far - 1e-12).sum())) / (1 + permutations)


def peak(means: np.ndarray) -> np.ndarray:
    """The worst place less the mean of the others, over the last axis."""
    places = means.shape[-1]
    return (means.max(-1) - means.mean(-1)) * places / (places - 1)


def _standing_out(values: np.ndarray) -> np.ndarray:
    """Each problem's share in `peak`, `(problems,)`."""
    worst = int(values.mean(0).argmax())
    return values[:, worst] - np.delete(values, worst, 1).mean(1)


def elsewhere(measure: str, by: Outcomes, able: Ability) -> Finding:
    """Is it the answer's and the givens' part that counts, or noise anywhere?"""
    name = f"noise elsewhere, {MEASURES[measure]}"
    if not able.does:
        return Finding(name, f"not asked: the subject does not do the task ({able})", None)
    if not by["outside"]:
        return Finding(name, "not asked: answer and givens fill the picture", None)
    shared = [k for k in by["step"] if k in by["outside"]]
    inside = mean(np.array([by["step"][k] for k in shared]), nan)
    outside = mean(np.array([by["outside"][k] for k in shared]), nan)
    gaps = (inside - outside)[np.isfinite(inside - outside)]
    found = interval(gaps)
    if not found.n:
        return Finding(name, "not asked: no right answers to lose", None)
    p = sign_flip(gaps)
    return Finding(
        name,
        f"noise over the whole picture does {np.nanmean(inside):.3f}, the same energy outside "
        f"answer and givens {np.nanmean(outside):.3f}",
        bool(found.low > 0 and p < ALPHA),
        found.share,
        found.low,
        found.high,
        0.0,
        p,
        found.n,
        MEASURES[measure],
    )
