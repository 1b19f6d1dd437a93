"""Carriers: which places of a patching experiment are claimed to carry the answer, and pictures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from phosphene.probe import ALPHA, Finding, Heat, Result
from phosphene.probing.effect import interval, rate, step_down
from phosphene.probing.tracing import PLACEBOS, Traced, mean


def report(traced: Traced, notes: Sequence[str] = ()) -> Result:
    """Everything."""
    figures = {
        "sufficiency": heat(
            traced, "donor", traced.carries, "Donor's activations put into the base's run"
        ),
        "necessity": heat(
            traced, "reverse", traced.needed, "Base's activations put into the donor's run"
        ),
    }
    return Result(traced.table(), findings(traced), figures, [traced.pool.note, *notes])


def findings(traced: Traced) -> list[Finding]:
    """For each group its best place, both ways, and where the answer is handed over."""
    out = []
    for group in traced.groups:
        here = np.array([g == group for _, _, g in traced.places])
        if np.isfinite(traced.of("donor", "effect")[:, here]).any():
            out += [_sufficiency(traced, group, here), _necessity(traced, group, here)]
        else:
            says = "no tokens of this group in the stream that is patched"
            out.append(Finding(f"{group} carries the answer", says, None))
    return [*out, _handover(traced)]


def _sufficiency(traced: Traced, group: str, here: np.ndarray) -> Finding:
    name = f"{group} carries the answer"
    if traced.pool.reason:
        return Finding(name, f"not asked: {traced.pool.reason}", None)
    found, claims = traced.sufficient, traced.carries & here
    best = _best(np.where(claims if claims.any() else here, found.value, -np.inf))
    flips = rate(traced.of("donor", "other")[:, best])
    placebo = max(mean(traced.of(a, "other"))[best] for a in PLACEBOS)
    return Finding(
        name,
        f"at {int(claims.sum())} of {int(here.sum())} places; most at {traced.named(best)}: "
        f"the picture goes {found.value[best]:.0%} of the way to the donor's "
        f"({found.null[best]:.0%} under the stronger placebo), and {flips.brief()} of runs "
        f"read as the donor's answer ({placebo:.0%})",
        bool(claims.any()),
        float(found.value[best]),
        float(found.low[best]),
        float(found.high[best]),
        float(found.null[best]),
        float(found.p[best]),
        found.n,
        "share of the way",
    )


def _necessity(traced: Traced, group: str, here: np.ndarray) -> Finding:
    name = f"{group} is needed for the answer"
    if traced.pool.reason:
        return Finding(name, f"not asked: {traced.pool.reason}", None)
    found, claims = traced.necessary, traced.needed & here
    gone = 1 - traced.of("reverse", "own")
    share = mean(gone)
    best = _best(np.where(claims if claims.any() else here, share, -np.inf))
    lost = rate(gone[:, best])
    null = float(1 - mean(traced.of("random", "own"), 1.0)[best])
    return Finding(
        name,
        f"at {int(claims.sum())} of {int(here.sum())} places; most at {traced.named(best)}: "
        f"with the other run's activations {lost.brief()} of runs lose their answer, "
        f"{null:.0%} under random changes of the same size",
        bool(claims.any()),
        lost.share,
        lost.low,
        lost.high,
        null,
        float(found.p[best]),
        found.n,
        "share of answers lost",
    )


def _handover(traced: Traced) -> Finding:
    """Between which layers does what decides move from the givens to the answer's place?"""
    name = "handover from givens to answer"
    if not {"answer", "changed givens"} <= set(traced.groups) or len(traced.layers) < 2:
        return Finding(name, "not asked: needs both groups and two layers", None)
    if traced.pool.reason:
        return Finding(name, f"not asked: {traced.pool.reason}", None)
    shape = (len(traced.pool.pairs), len(traced.layers), len(traced.spans), len(traced.groups))
    effect = np.nan_to_num(traced.of("donor", "effect").reshape(shape))
    gap = (
        effect[..., traced.groups.index("answer")]
        - effect[..., traced.groups.index("changed givens")]
    )
    # Early the givens must win and late the answer: two tests at each window.
    p = np.max([step_down(-gap[:, 0]), step_down(gap[:, -1])], 0)
    s = int(np.minimum(-gap[:, 0].mean(0), gap[:, -1].mean(0)).argmax())
    order = np.random.default_rng(0).integers(len(gap), size=(1000, len(gap)))
    at = _crossing(gap[..., s].mean(0))
    drawn = [_crossing(gap[pairs][..., s].mean(0)) for pairs in order]
    low, high = np.quantile(drawn, (0.025, 0.975))
    said = traced.layers[at] if at < len(traced.layers) else "none"
    return Finding(
        name,
        f"the first layer where the answer's place moves the picture further than the givens "
        f"do is {said} (steps {traced.spans[s][0]}-{traced.spans[s][-1]})",
        bool(p[s] < ALPHA),
        float(traced.layers[min(at, len(traced.layers) - 1)]),
        float(traced.layers[min(int(low), len(traced.layers) - 1)]),
        float(traced.layers[min(int(np.ceil(high)), len(traced.layers) - 1)]),
        None,
        float(p[s]),
        len(gap),
        "layer",
    )


def heat(traced: Traced, arm: str, marks: np.ndarray, title: str) -> Heat:
    """One panel a group: layers upward, steps along."""
    shape = (len(traced.layers), len(traced.spans), len(traced.groups))

    def panels(flat: Any) -> np.ndarray:
        return np.moveaxis(np.asarray(flat).reshape(shape), 2, 0)

    found = [interval(column) for column in traced.of(arm, "effect").T]
    read = [rate(column) for column in traced.of(arm, "other").T]
    null = traced.sufficient.null if arm == "donor" else traced.necessary.null
    notes = [
        f"{r.share:.0%} read as the other answer; placebo moves {n:.2f}"
        for r, n in zip(read, null, strict=True)
    ]
    return Heat(
        title,
        "denoising steps",
        "layer",
        [f"{s[0]}-{s[-1]}" if len(s) > 1 else f"{s[0]}" for s in traced.spans],
        [str(n) for n in traced.layers],
        panels([f.share for f in found]),
        list(traced.groups),
        panels([f.low for f in found]),
        panels([f.high for f in found]),
        panels(marks),
        0.0,
        "share of the way",
        panels(np.array(notes, object)),
    )


def _best(values: np.ndarray) -> int:
    return int(np.nan_to_num(values, nan=-np.inf).argmax())


def _crossing(gap: np.ndarray) -> int:
    """First place from which on a curve stays above nought; its length if there is none."""
    above = np.append(gap > 0, True)
    return int(np.flatnonzero(np.minimum.accumulate(above[::-1])[::-1])[0])
