"""Agreement: does a cheap estimate rank places as exact patches do?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from scipy.stats import rankdata

from phosphene.probe import ALPHA, Finding, Heat, Result
from phosphene.probing.effect import interval
from phosphene.probing.pairs import Pool

DRAWS = 2000  # resamples of the pairs
FAITHFUL = 0.7  # rank correlation below which an estimate is called a poor guide
TELLING = 0.1  # of the exact effects: smaller estimates are what leaks through a saturated gate


def report(
    pool: Pool,
    places: Sequence[tuple[int, int, str]],
    kept: Mapping[str, np.ndarray],
    top: int,
) -> Result:
    """The estimates, and whether they rank places as exact patches do.

    Args:
        places: (step, layer, group).
        kept: `estimate`, `exact` and `size` of the difference, each `(pairs, places)`.
        top: how many of the largest estimates are looked at by themselves.
    """
    estimate, exact, size = kept["estimate"], kept["exact"], kept["size"]
    # Places without tokens have nothing to rank.
    full = np.flatnonzero((size > 0).any(0))
    table = []
    for n, (step, layer, group) in enumerate(places):
        told, true = interval(estimate[:, n]), interval(exact[:, n])
        table.append(
            {
                "step": step,
                "layer": layer,
                "group": group,
                "n": len(estimate),
                "estimate": told.share,
                "low": told.low,
                "high": told.high,
                "exact": true.share,
                "exact, low": true.low,
                "exact, high": true.high,
                "size of the difference": float(size[:, n].mean()),
            }
        )
    ranked = full[np.argsort(-np.abs(estimate[:, full].mean(0)), kind="stable")][:top]
    findings = [
        _agreement("estimate and patch agree", pool, kept, full, 2),
        _agreement(f"they agree on the top {len(ranked)}", pool, kept, ranked, 2),
    ]
    figures = {
        name: _heat(title, places, kept[name])
        for name, title in (
            ("estimate", "Effect by gradient, within one call"),
            ("exact", "Effect by exact patch of the same call"),
        )
    }
    overlap = len(set(ranked) & set(full[np.argsort(-np.abs(exact[:, full].mean(0)))][:top]))
    notes = [
        pool.note,
        f"{overlap} of the {len(ranked)} largest estimates are among the {len(ranked)} largest "
        f"exact effects",
    ]
    return Result(table, findings, figures, notes)


def rank_correlation(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Spearman's over the last axis; nought where one of the two is the same everywhere."""
    x, y = rankdata(a, axis=-1), rankdata(b, axis=-1)
    x, y = x - x.mean(-1, keepdims=True), y - y.mean(-1, keepdims=True)
    length = np.sqrt((x**2).sum(-1) * (y**2).sum(-1))
    return np.divide((x * y).sum(-1), length, out=np.zeros(length.shape), where=length > 0)


def _agreement(
    name: str, pool: Pool, kept: Mapping[str, np.ndarray], which: np.ndarray, looks: int
) -> Finding:
    """Rank correlation over places of the means over pairs; pairs are drawn anew."""
    if pool.reason:
        return Finding(name, f"not asked: {pool.reason}", None)
    if len(which) < 3:
        return Finding(name, f"{len(which)} places are too few to rank", None)
    count = len(kept["exact"])
    drawn = np.random.default_rng(0).multinomial(count, np.full(count, 1 / count), DRAWS) / count
    weights = np.vstack([np.full(count, 1 / count), drawn])  # the pairs as they are come first

    def ranks(by: str) -> np.ndarray:
        return rank_correlation(weights @ kept[by][:, which], weights @ kept["exact"][:, which])

    by_estimate, by_size = ranks("estimate"), ranks("size")
    rho, plain = float(by_estimate[0]), float(by_size[0])
    low, high = np.quantile(by_estimate[1:], (0.025, 0.975))
    behind = int((by_estimate[1:] <= by_size[1:]).sum())
    p = min(1.0, looks * (1 + behind) / (1 + DRAWS))
    told, true = kept["estimate"][:, which].mean(0), kept["exact"][:, which].mean(0)
    scale = float(told @ true) / max(float(true @ true), 1e-12)
    fit = low >= FAITHFUL and scale >= TELLING
    word = "stand for patching" if fit else "not be trusted: patch"
    return Finding(
        name,
        f"rank correlation {rho:.2f} over {len(which)} places ({plain:.2f} by the size of the "
        f"difference alone); estimates are {scale:.2g} of the exact effects; the gradient "
        f"may {word}",
        bool(low > 0 and p < ALPHA and scale >= TELLING),
        rho,
        float(min(low, rho)),
        float(max(high, rho)),
        plain,
        p,
        count,
        "rank correlation",
    )


def _heat(title: str, places: Sequence[tuple[int, int, str]], values: np.ndarray) -> Heat:
    steps, layers, groups = (list(dict.fromkeys(p[i] for p in places)) for i in range(3))
    shape = (len(steps), len(layers), len(groups))
    found = [interval(column) for column in values.T]

    def panels(name: str) -> np.ndarray:
        flat: Any = [getattr(f, name) for f in found]
        return np.array(flat).reshape(shape).transpose(2, 1, 0)

    return Heat(
        title,
        "denoising step",
        "layer",
        list(map(str, steps)),
        list(map(str, layers)),
        panels("share"),
        [str(g) for g in groups],
        panels("low"),
        panels("high"),
        unit="share of the way",
    )
