"""Decode: which thought holds which value on the way?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.probe import MindProbe
from phosphene.minds.reading.candidates import Candidates, candidates, truths, value_names
from phosphene.minds.reading.digits import digits
from phosphene.minds.reading.judging import Judged, crossed, judge, taken
from phosphene.minds.reading.readers import by_head, by_probe, one_hot, shares, standing
from phosphene.minds.reading.record import Record, elsewhere, record
from phosphene.minds.reading.shown import chains
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Heat, Result
from phosphene.statistics import bootstrap

DRAWS = 999  # orders of the thoughts


@dataclass(frozen=True)
class Decode(MindProbe):
    """Reads every thought in two ways: through the head, as if it were spoken, and by linear probes
    fitted on other problems, one for each value and place. Numbers of several digits are also read
    digit by digit.

    Args:
        fit: problems of the other split on which probes are fitted.
        top: also counted: among the first so many candidates.
        permutations: orders of shuffled instances.
        show: problems whose chain of thoughts the page shows.

    References:
        Are Latent Reasoning Models Easily Interpretable? (2026), https://arxiv.org/abs/2604.04902
    """

    fit: int = 512
    top: int = 3
    permutations: int = 400
    show: int = 4
    name: ClassVar[str] = "decode"
    ASKS = "Which thought holds which value on the way?"
    CONTROLS = (
        "values of other problems of the same length, values of the question's own twin, every "
        "value and thought counted; probes are fitted on the other split"
    )

    def __post_init__(self) -> None:
        if self.fit < 16 or self.top < 1 or self.permutations < 39 or self.show < 0:
            raise PhospheneError(
                f"decode wants fit >= 16, top >= 1, permutations >= 39 and show >= 0; got "
                f"{self.fit}, {self.top}, {self.permutations}, {self.show}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        seen, fitted = record(subject, book), record(elsewhere(subject, self.fit), book)
        among = candidates(subject.mind, [*seen.problems, *fitted.problems])
        names = value_names(seen.problems)
        read = self._readings(subject, seen, fitted, among, names)
        findings = [f for r in read for f in r.findings()]
        head = by_head(subject.mind, seen.thoughts, among)
        figures: dict[str, Any] = {r.key: r.figure() for r in read}
        if self.show:
            figures["thoughts"] = chains(seen, shares(head), among, self.show)
        notes = [
            f"probes are fitted on {self.fit} problems of the other split; candidates are the "
            f"{len(among.words)} words that values take",
            "the place shown for a value is picked, and its share measured, on separate halves",
            *([among.note] if among.note else []),
        ]
        return Result([row for r in read for row in r.table()], findings, figures, notes)

    def _readings(
        self,
        subject: MindSubject,
        seen: Record,
        fitted: Record,
        among: Candidates,
        names: Sequence[str],
    ) -> list[_Reading]:
        twins = [subject.task.twin(p) for p in seen.problems]
        truth, twin, other = (
            truths(problems, names, among) for problems in (seen.problems, twins, fitted.problems)
        )
        head = standing(by_head(subject.mind, seen.thoughts, among))[:, None]
        probed = standing(by_probe(seen, fitted, one_hot(other, len(among.words))))
        read = [
            self._reading("head", names, seen, head, truth, twin),
            self._reading("probe", names, seen, probed, truth, twin),
        ]
        split = [digits(problems, names) for problems in (seen.problems, twins, fitted.problems)]
        if split[0].names:
            ranks = standing(by_probe(seen, fitted, one_hot(split[2].numbers, 10)))
            parts = split[0].numbers, split[1].numbers
            read.append(self._reading("digits", split[0].names, seen, ranks, *parts))
        return read

    def _reading(
        self,
        key: str,
        names: Sequence[str],
        seen: Record,
        ranks: np.ndarray,
        truth: np.ndarray,
        twin: np.ndarray,
    ) -> _Reading:
        first, within = (
            judge(ranks <= k, truth, twin, self.permutations) for k in (1, max(2, self.top))
        )
        return _Reading(key, names, seen.places, taken(ranks <= 1, truth), first, within)


@dataclass(frozen=True, eq=False)
class _Reading:
    """One way of reading; hits are `(items, values, places)`, nan where there is no value."""

    key: str
    names: Sequence[str]
    places: Sequence[str]
    hits: np.ndarray
    first: Judged
    within: Judged

    def findings(self) -> list[Finding]:
        found = [self._held(v) for v in range(len(self.names))]
        return found if self.key == "digits" else [*found, self._in_order()]

    def _held(self, value: int) -> Finding:
        name = f"{self.names[value]}, {self.key}"
        if self.first.n[value, 0] < 8:
            return Finding(name, f"not asked: {self.first.n[value, 0]} problems have it", None)
        best, share = crossed(self.hits[:, value])
        control = float(max(self.first.null[value, best], self.first.twin[value, best]))
        p = float(self.first.p[value, best])
        holds = bool(self.first.stands[value, best] and share.low > control and p < ALPHA)
        return Finding(
            name,
            f"read best at {self.places[best]}: {share.share:.0%}, controls {control:.0%}",
            holds,
            *share[:3],
            control,
            p,
            share.n,
            "share of problems in which it comes first",
        )

    def _in_order(self) -> Finding:
        """Is value k read at place k rather than at the others?"""
        name = f"one value a thought, {self.key}"
        count = min(len(self.names), len(self.places))
        held = self.hits[:, :count]
        if len(self.places) < 2 or count < 2:
            return Finding(name, "not asked: it takes two thoughts and two values", None)
        gaps = _diagonal(held)
        rng = np.random.default_rng(0)
        places = np.arange(held.shape[2])
        turns = np.stack(
            [rng.permuted(np.tile(places, (len(held), 1)), axis=1) for _ in range(DRAWS)]
        )
        null = [_diagonal(np.take_along_axis(held, t[:, None], 2)).mean() for t in turns]
        found = bootstrap(gaps, -1.0, 1.0)
        p = (1 + sum(n >= gaps.mean() - 1e-12 for n in null)) / (1 + DRAWS)
        return Finding(
            name,
            f"the k-th value is read at the k-th thought {found.share:+.0%} oftener than at the "
            f"others",
            bool(found.low > 0 and p < ALPHA),
            *found[:3],
            0.0,
            p,
            found.n,
            "share at its own thought less mean of the others",
        )

    def table(self) -> list[dict[str, Any]]:
        """A row a value and place."""
        return [
            {
                "reader": self.key,
                "value": name,
                "place": place,
                "n": int(self.first.n[v, p]),
                "first": self.first.hit[v, p],
                "low": self.first.low[v, p],
                "high": self.first.high[v, p],
                "first, shuffled": self.first.null[v, p],
                "first, twin": self.first.twin[v, p],
                "p": self.first.p[v, p],
                "among the top": self.within.hit[v, p],
                "among the top, shuffled": self.within.null[v, p],
                "among the top, twin": self.within.twin[v, p],
                "p, among the top": self.within.p[v, p],
                "holds": bool(self.first.stands[v, p]),
            }
            for v, name in enumerate(self.names)
            for p, place in enumerate(self.places)
        ]

    def figure(self) -> Heat:
        return Heat(
            f"Which thought holds which value, by {self.key}",
            "place",
            "value",
            self.places,
            self.names,
            self.first.hit[None],
            ("",),
            self.first.low[None],
            self.first.high[None],
            self.first.stands[None],
            float(np.maximum(self.first.null, self.first.twin).mean()),
            "share of problems in which it comes first",
        )


def _diagonal(held: np.ndarray) -> np.ndarray:
    """Each problem's hits at own places less those at others, `(items,)`, over values it has."""
    values, places = held.shape[1:]
    own = held[:, np.arange(values), np.arange(values)]
    other = (held.sum(2) - own) / (places - 1)
    gaps = own - other
    there = np.isfinite(gaps)
    return np.where(there, gaps, 0.0).sum(1) / np.maximum(there.sum(1), 1)


COMPONENT = Decode
