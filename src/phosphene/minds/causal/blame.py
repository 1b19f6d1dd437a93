"""Blame: how well the finder names planted errors, and what repairs do to a mind's own ones."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from scipy.stats import binomtest

from phosphene.minds.causal.arms import PLANTS, UNSCORED
from phosphene.minds.causal.finder import CEILINGS, METHODS, NONE, SAID, named
from phosphene.probe import ALPHA, Figure, Finding, Heat
from phosphene.probing.effect import interval, rate, step_down
from phosphene.statistics import bootstrap, holm

ENOUGH = 5  # problems


def planted_findings(told: np.ndarray, able: bool) -> list[Finding]:
    """One a method: top-1 hits against one guess in T; a problem's errors are kin and count as one.

    Args:
        told: `(items, plants, thoughts, methods)`, blamed thoughts.
        able: whether the mind does the task; errors of one that doesn't break nothing.
    """
    thoughts = told.shape[2]
    tests, found = [], []
    for m, method in enumerate(METHODS):
        scored = told[..., m] != UNSCORED
        hit = (told[..., m] == np.arange(thoughts)) & scored
        items = scored.any((1, 2))
        each = hit.sum((1, 2))[items] / np.maximum(scored.sum((1, 2))[items], 1)
        found.append((method, each, int(scored.sum()), int(hit.sum())))
        tests.append(_beats(each, 1 / thoughts))
    out = []
    for (method, each, total, hits), p in zip(found, holm(tests), strict=True):
        name = f"planted errors are found: {method}"
        if not able or len(each) < ENOUGH or thoughts < 2:
            why = "the mind does not do the task" if not able else f"{len(each)} problems broke"
            why = why if thoughts > 1 else "with one thought there is nothing to choose"
            out.append(Finding(name, f"not asked: {why}", None))
            continue
        share = bootstrap(each)
        ceiling = "; a ceiling, it knows the undisturbed run" if method in CEILINGS else ""
        out.append(
            Finding(
                name,
                f"{SAID[method]} names the thought in {hits} of {total} planted errors of "
                f"{len(each)} problems: {share.brief()} against {1 / thoughts:.0%}{ceiling}",
                bool(share.low > 1 / thoughts and p < ALPHA),
                share.share,
                share.low,
                share.high,
                1 / thoughts,
                float(p),
                len(each),
                "share of errors",
            )
        )
    return out


def _beats(each: np.ndarray, guess: float) -> float:
    """One-sided: are more than half of the problems found more often than guesses would be?

    A sign test over problems: their errors are kin, so that they can't be counted one by one.
    """
    above, below = int((each > guess).sum()), int((each < guess).sum())
    if not above + below:
        return 1.0
    return float(binomtest(above, above + below, 0.5, alternative="greater").pvalue)


def own_finding(own: Mapping[str, np.ndarray] | None, thoughts: int, able: bool) -> Finding:
    """Does one good thought set right what the mind itself got wrong, and which?"""
    name = "own errors: one repaired thought sets them right"
    if not able:
        return Finding(name, "not asked: the mind does not do the task", None)
    there = np.zeros(0, bool) if own is None else own["found"].astype(bool)
    if own is None or there.sum() < ENOUGH:
        return Finding(
            name,
            f"not asked: {int(there.sum())} wrong answers with a repair; {ENOUGH} are needed",
            None,
        )
    right = own["right"][there].astype(float)
    push = own["placebo right"][there].astype(float)
    p = step_down(right - push)
    low = np.array([interval(g).low for g in (right - push).T])
    stand = (low > 0) & (p < ALPHA)
    best = int(np.where(stand if stand.any() else True, right.mean(0), -1).argmax())
    share = rate(right[:, best])
    blamed = named(own["restored"][there])
    counts = ", ".join(f"{int((blamed == t).sum())} thought {t + 1}" for t in range(thoughts))
    return Finding(
        name,
        f"a repair of thought {best + 1} sets {share.brief()} of {len(right)} right, a random "
        f"change as large {push[:, best].mean():.0%}; blamed: {counts}, "
        f"{int((blamed == NONE).sum())} none",
        bool(stand[best] and share.low > push[:, best].mean()),
        share.share,
        share.low,
        share.high,
        float(push[:, best].mean()),
        float(p[best]),
        len(right),
        "share of wrong answers",
    )


def figures(told: np.ndarray | None) -> dict[str, Figure]:
    """Blamed against planted thoughts, a panel a method."""
    out: dict[str, Figure] = {}
    if told is not None:
        count = told.shape[2]
        values = np.full((len(METHODS), count, count), np.nan)
        for m in range(len(METHODS)):
            for t in range(count):
                blamed = told[:, :, t, m][told[:, :, t, m] != UNSCORED]
                if len(blamed):
                    values[m, t] = [(blamed == k).mean() for k in range(count)]
        names = [str(t + 1) for t in range(count)]
        out["planted"] = Heat(
            "Thought that is blamed for a planted error",
            "thought blamed",
            "error planted in thought",
            names,
            names,
            values,
            [SAID[m] for m in METHODS],
            null=1 / count,
            unit="share of errors",
        )
    return out


def notes(told: np.ndarray | None) -> list[str]:
    if told is None:
        return ["no errors were planted"]
    broke = (told[..., 0] != UNSCORED).mean(0)
    rows = [
        f"{plant}'s thought: " + ", ".join(f"{b:.0%}" for b in broke[k])
        for k, plant in enumerate(PLANTS)
    ]
    return [
        "share of planted errors that broke a right answer and have a repair, by thought; "
        + "; ".join(rows)
    ]
