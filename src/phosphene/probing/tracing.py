"""Tracing: what the arms of a patching experiment say of each place, all places counted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from phosphene.probing.effect import Comparison, against, interval, rate
from phosphene.probing.pairs import Pool

ARMS = ("donor", "same answer", "random", "reverse")
MEASURES = ("effect", "own", "other")
PLACEBOS = ("same answer", "random")


@dataclass(frozen=True, eq=False)
class Traced:
    """The outcome of every arm at every place.

    Args:
        pool: the pairs.
        layers, spans, groups: the places: numbers of layers, windows of steps, token groups.
        values: `(arms, measures, pairs, layers, spans, groups)` in the order of `ARMS` and
            `MEASURES`; nan where nothing could be done.
    """

    pool: Pool
    layers: Sequence[int]
    spans: Sequence[range]
    groups: Sequence[str]
    values: np.ndarray

    def of(self, arm: str, measure: str) -> np.ndarray:
        """`(pairs, places)` of one arm; places run over layers, spans, groups."""
        found = self.values[ARMS.index(arm), MEASURES.index(measure)]
        return found.reshape(len(found), -1)

    @cached_property
    def places(self) -> list[tuple[int, range, str]]:
        return [(a, b, g) for a in self.layers for b in self.spans for g in self.groups]

    @cached_property
    def sufficient(self) -> Comparison:
        """The donor's arm against both placebos."""
        return against(self.of("donor", "effect"), [self.of(a, "effect") for a in PLACEBOS])

    @cached_property
    def necessary(self) -> Comparison:
        """The reverse arm against the random change."""
        return against(self.of("reverse", "effect"), [self.of("random", "effect")])

    @cached_property
    def carries(self) -> np.ndarray:
        """Places that make the donor's answer: in pixels, and in what is read."""
        flips = np.array([rate(column).low for column in self.of("donor", "other").T])
        placebo = np.max([mean(self.of(a, "other")) for a in PLACEBOS], 0)
        return self.claimable & self.sufficient.clears & (flips > placebo)

    @cached_property
    def needed(self) -> np.ndarray:
        """Places without whose content the run loses its answer."""
        lost = np.array([rate(1 - column).low for column in self.of("reverse", "own").T])
        placebo = 1 - mean(self.of("random", "own"), 1.0)
        return self.claimable & self.necessary.clears & (lost > placebo)

    @property
    def claimable(self) -> bool:
        return self.pool.reason is None

    def table(self) -> list[dict[str, Any]]:
        """A row a place, for all pairs and for each kind of difference between them."""
        kinds = ["+".join(p.differs) for p in self.pool.pairs]
        rows = []
        for kind in ["any", *sorted({k for k in kinds if kinds.count(k) > 1})]:
            chosen = [i for i, k in enumerate(kinds) if kind in ("any", k)]
            rows += [self._row(n, kind, chosen) for n in range(len(self.places))]
        return rows

    def _row(self, place: int, kind: str, chosen: list[int]) -> dict[str, Any]:
        layer, span, group = self.places[place]

        def column(arm: str, measure: str) -> np.ndarray:
            return self.of(arm, measure)[chosen, place]

        effect, reverse = interval(column("donor", "effect")), interval(column("reverse", "effect"))
        tested = kind == "any"
        return {
            "layer": layer,
            "first step": span[0],
            "last step": span[-1],
            "group": group,
            "pairs differ in": kind,
            "n": len(chosen),
            "effect": effect.share,
            "low": effect.low,
            "high": effect.high,
            "effect, same answer": interval(column("same answer", "effect")).share,
            "effect, random": interval(column("random", "effect")).share,
            "effect, reverse": reverse.share,
            "flips": rate(column("donor", "other")).share,
            "flips, same answer": rate(column("same answer", "other")).share,
            "flips, random": rate(column("random", "other")).share,
            "lost, reverse": rate(1 - column("reverse", "own")).share,
            "lost, random": rate(1 - column("random", "own")).share,
            "p": float(self.sufficient.p[place]) if tested else None,
            "p, reverse": float(self.necessary.p[place]) if tested else None,
            "carries": bool(self.carries[place]) if tested else None,
            "needed": bool(self.needed[place]) if tested else None,
        }

    def named(self, place: int) -> str:
        layer, span, _ = self.places[place]
        return f"layer {layer}, steps {span[0]}-{span[-1]}"


def mean(values: np.ndarray, empty: float = 0.0) -> np.ndarray:
    """Mean over pairs, nan aside; `empty` where there is nothing."""
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(0)
    return np.where(there.any(0), total / np.maximum(there.sum(0), 1), empty)


def gathered(units: Mapping[tuple[int, int], Sequence[Mapping[str, Any]]]) -> np.ndarray:
    """The `values` of `Traced`.

    Args:
        units: (layer's place, window's place) -> for each batch of pairs, group -> arm -> measure
            -> a value a pair.
    """
    layers = 1 + max(a for a, _ in units)
    spans = 1 + max(s for _, s in units)
    groups = list(next(iter(units.values()))[0])
    return np.array(
        [
            [_by_pair(units, layers, spans, groups, arm, measure) for measure in MEASURES]
            for arm in ARMS
        ]
    )


def _by_pair(
    units: Mapping[tuple[int, int], Sequence[Mapping[str, Any]]],
    layers: int,
    spans: int,
    groups: Sequence[str],
    arm: str,
    measure: str,
) -> np.ndarray:
    """`(pairs, layers, spans, groups)` of one arm and measure."""
    found = [
        [
            [[v for unit in units[a, s] for v in unit[g][arm][measure]] for g in groups]
            for s in range(spans)
        ]
        for a in range(layers)
    ]
    return np.moveaxis(np.array(found, float), -1, 0)
