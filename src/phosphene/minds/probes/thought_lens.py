"""Thought lens: behind which layer, at which thought, can each value on the way be read?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.probe import MindProbe
from phosphene.minds.reading.candidates import candidates, truths, value_names
from phosphene.minds.reading.judging import Judged, crossed, judge, taken
from phosphene.minds.reading.lenses import LENSES, Ranked, bias, lenses, ranked
from phosphene.minds.reading.record import elsewhere, record
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Heat, Lines, Result
from phosphene.statistics import bootstrap


@dataclass(frozen=True)
class ThoughtLens(MindProbe):
    """Logit lens, tuned lens and nearest embeddings over layer x thought.

    A value is read in a cell where its word comes first in the whole vocabulary. Columns are the
    places that thoughts come from: the last row of column `thought t` is that thought itself.

    Args:
        fit: problems of the other split on which tuned lenses are fitted.
        top: also counted: among the first so many words.
        permutations: orders of shuffled instances.

    References:
        Can we interpret latent reasoning using current mechanistic interpretability tools?
        (Cywinski et al., 2025); Eliciting Latent Predictions from Transformers with the Tuned Lens
        (Belrose et al., 2023), https://arxiv.org/abs/2303.08112
    """

    fit: int = 256
    top: int = 3
    permutations: int = 400
    name: ClassVar[str] = "thought_lens"
    ASKS = "Behind which layer, at which thought, can each value on the way be read?"
    CONTROLS = (
        "values of other problems of the same length, values of the question's own twin, every "
        "layer, thought, value and lens counted; lenses are fitted on the other split"
    )

    def __post_init__(self) -> None:
        if self.fit < 16 or self.top < 1 or self.permutations < 39:
            raise PhospheneError(
                f"thought_lens wants fit >= 16, top >= 1 and permutations >= 39; got {self.fit}, "
                f"{self.top}, {self.permutations}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        others = elsewhere(subject, self.fit)
        seen, fitted = record(subject, book), record(others, book)
        among = candidates(subject.mind, [*seen.problems, *fitted.problems])
        names = value_names(seen.problems)
        truth = truths(seen.problems, names, among)
        twin = truths([subject.task.twin(p) for p in seen.problems], names, among)
        found = lenses(subject.mind, fitted)
        read = {n: ranked(found[n], seen.layers, among.ids, n == "neighbours") for n in LENSES}
        ranks = np.concatenate([read[n].ranks for n in LENSES], 1)[:, None]
        first, within = (
            judge(ranks <= k, truth, twin, self.permutations) for k in (1, max(2, self.top))
        )
        grid = _Grid(names, seen.places, seen.layers.shape[2], first, within, truth)
        bent = {n: bias(subject.mind, found[n], seen) for n in ("logit", "tuned")}
        findings = [grid.finding(ranks, lens, v) for lens in LENSES for v in range(len(names))]
        notes = [
            f"tuned lenses are fitted on {self.fit} problems of the other split, to the states "
            f"that the head is given there; no value of any problem is used for them",
            "the place shown for a value is picked, and its share measured, on separate halves",
            "bias behind the last layer, KL from the model's own output: "
            + ", ".join(f"{lens} {held[:, -1].mean():.3g} nats" for lens, held in bent.items()),
        ]
        return Result(
            grid.table(read),
            findings,
            {**grid.figures(), "bias": _bias_curves(bent)},
            [*notes, *([among.note] if among.note else [])],
        )


@dataclass(frozen=True, eq=False)
class _Grid:
    """Cells run over lenses, layers, places."""

    names: Sequence[str]
    places: Sequence[str]
    layers: int
    first: Judged
    within: Judged
    truth: np.ndarray

    @property
    def size(self) -> int:
        return self.layers * len(self.places)

    def cells(self, lens: str) -> slice:
        at = LENSES.index(lens) * self.size
        return slice(at, at + self.size)

    def called(self, cell: int) -> str:
        layer, place = divmod(cell % self.size, len(self.places))
        return f"layer {layer}, {self.places[place]}"

    def finding(self, ranks: np.ndarray, lens: str, value: int) -> Finding:
        """Where one value is read best, and where first."""
        name, here = f"{self.names[value]}, {lens} lens", self.cells(lens)
        if self.first.n[value, 0] < 8:
            return Finding(name, f"not asked: {self.first.n[value, 0]} problems have it", None)
        own = taken(ranks[:, :, here] <= 1, self.truth[:, [value]])[:, 0]
        best, share = crossed(own)
        at = here.start + best
        stands = self.first.stands[value, here]
        control = max(self.first.null[value, at], self.first.twin[value, at])
        where = f"read best behind {self.called(best)}: {share.share:.0%}, controls {control:.0%}"
        # In the order of the computation: all layers at one place, then those at the next.
        early = np.argwhere(stands.reshape(self.layers, len(self.places)).T)
        first = int(early[0][1] * len(self.places) + early[0][0]) if len(early) else 0
        said = f"{where}; first readable behind {self.called(first)}"
        p = float(self.first.p[value, at])
        holds = bool(stands[best] and share.low > control and p < ALPHA)
        return Finding(
            name,
            said if stands.any() else f"nowhere above both controls; {where}",
            holds,
            *share[:3],
            float(control),
            p,
            share.n,
            "share of problems in which its word comes first",
        )

    def table(self, read: Mapping[str, Ranked]) -> list[dict[str, Any]]:
        """A row a lens, value, layer and place."""
        rows = []
        for lens in LENSES:
            for value, name in enumerate(self.names):
                there = np.flatnonzero(self.truth[:, value] >= 0)
                own = self.truth[there, value]
                for cell in range(self.size if len(there) else 0):
                    at = self.cells(lens).start + cell
                    layer, place = divmod(cell, len(self.places))
                    rows.append(
                        {
                            "lens": lens,
                            "value": name,
                            "layer": layer,
                            "place": self.places[place],
                            "n": len(there),
                            "first": self.first.hit[value, at],
                            "low": self.first.low[value, at],
                            "high": self.first.high[value, at],
                            "first, shuffled": self.first.null[value, at],
                            "first, twin": self.first.twin[value, at],
                            "p": self.first.p[value, at],
                            "among the top": self.within.hit[value, at],
                            "among the top, shuffled": self.within.null[value, at],
                            "among the top, twin": self.within.twin[value, at],
                            "p, among the top": self.within.p[value, at],
                            "median rank": np.median(read[lens].ranks[there, cell, own]),
                            "cosine" if lens == "neighbours" else "probability": read[lens]
                            .weights[there, cell, own]
                            .mean(),
                            "holds": bool(self.first.stands[value, at]),
                        }
                    )
        keys = dict.fromkeys(key for row in rows for key in row)
        return [{key: row.get(key) for key in keys} for row in rows]

    def figures(self) -> dict[str, Heat]:
        """A map a lens, a panel a value."""
        out = {}
        for lens in LENSES:
            here = self.cells(lens)

            def shaped(values: np.ndarray, here: slice = here) -> np.ndarray:
                return values[:, here].reshape(-1, self.layers, len(self.places))

            out[f"{lens}-lens"] = Heat(
                f"Values on the way, read by the {lens} lens",
                "place",
                "layer",
                self.places,
                [str(n) for n in range(self.layers)],
                shaped(self.first.hit),
                self.names,
                shaped(self.first.low),
                shaped(self.first.high),
                shaped(self.first.stands),
                float(np.maximum(self.first.null, self.first.twin)[:, here].mean()),
                "share of problems in which the value's word comes first",
            )
        return out


def _bias_curves(bent: Mapping[str, np.ndarray]) -> Lines:
    series = {}
    for name, held in bent.items():
        found = [bootstrap(column, 0.0, float(held.max()) or 1.0) for column in held.T]
        series[f"{name} lens"] = np.array([[f[i] for f in found] for i in range(3)])
    return Lines(
        "Bias of the lenses: KL from the model's own output",
        "layer",
        "nats, mean over places",
        list(range(next(iter(bent.values())).shape[1])),
        series,
        0.0,
    )


COMPONENT = ThoughtLens
