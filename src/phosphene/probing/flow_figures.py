"""Pictures of attention between frames."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from phosphene.probe import Heat, Lines
from phosphene.probing.flow import BESIDE, ORDERED, Arrays, interval

SHOWN = 6  # heads whose maps are drawn


def _names(groups: int) -> list[str]:
    return ["text", "sound", "other", *(f"frame {f}" for f in range(groups - BESIDE))]


def _there(mass: np.ndarray) -> np.ndarray:
    """Numbers of the groups that hold tokens."""
    return np.flatnonzero(~np.isnan(mass.reshape(-1, *mass.shape[-2:])).all((0, 2)))


def frames_heat(mass: np.ndarray, title: str) -> Heat:
    """A map for each layer, mean over items, steps and heads."""
    here = _there(mass)
    names = [_names(mass.shape[-1])[g] for g in here]
    values, low, high = interval(mass.mean(1)[..., here[:, None], here])
    panels = [f"layer {n}" for n in range(len(values))]
    return Heat(
        f"{title}, mean over steps and heads",
        "looked at",
        "who looks",
        names,
        names,
        values,
        panels,
        low,
        high,
        unit="share of attention",
    )


def heads_heat(name: str, ours: Arrays, theirs: Sequence[Arrays]) -> Heat:
    """A measure by layer and head, mean over steps."""
    values, low, high = interval(ours[name].mean(1))
    twins = np.stack([t[name].mean((0, 1)) for t in theirs])
    null = 0.0 if name.removeprefix("answer ") in ORDERED else float(twins.mean())
    beyond = np.abs(values - null) > np.abs(twins - null).max()
    return Heat(
        f"{name}, by layer and head, mean over steps",
        "head",
        "layer",
        [str(h) for h in range(values.shape[1])],
        [str(n) for n in range(values.shape[0])],
        values[None],
        low=low[None],
        high=high[None],
        marks=beyond[None],
        null=null,
        unit="share of attention",
    )


def strongest_heads(name: str, ours: Arrays) -> Heat:
    """Maps of the heads in which a measure is largest."""
    size = np.abs(ours[name].mean((0, 1)))
    order = np.argsort(size, axis=None)[::-1][:SHOWN]
    places = list(zip(*(i.tolist() for i in np.unravel_index(order, size.shape)), strict=True))
    held = ours["answer heads" if name.startswith("answer") else "heads"]
    here = _there(held)
    names = [_names(held.shape[-1])[g] for g in here]
    maps = np.stack([held[:, n, h].mean(0) for n, h in places])
    return Heat(
        f"Heads in which {name} is largest, mean over steps",
        "looked at",
        "who looks",
        names,
        names,
        maps[..., here[:, None], here],
        [f"layer {n}, head {h}" for n, h in places],
        unit="share of attention",
    )


def by_step(names: Sequence[str], ours: Arrays) -> Lines:
    series = {name: np.stack(interval(ours[name].mean((2, 3)))) for name in names}
    steps = range(ours[names[0]].shape[1])
    return Lines(
        "Attention of drawn frames",
        "denoising step",
        "share of attention",
        list(steps),
        series,
        0.0,
    )
