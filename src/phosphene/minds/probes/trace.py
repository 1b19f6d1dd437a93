"""Trace: do the thoughts hold a chain that follows from the question, and does that tell whether
the answer is right?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.probe import MindProbe
from phosphene.minds.reading.auroc import Auroc, auroc, lead
from phosphene.minds.reading.candidates import Candidates, candidates, truths, value_names
from phosphene.minds.reading.follows import Facts, facts
from phosphene.minds.reading.judging import orders
from phosphene.minds.reading.readers import READERS, Reader, by_head, by_probe, one_hot, shares
from phosphene.minds.reading.record import Record, elsewhere, record
from phosphene.minds.reading.search import Trace as Found
from phosphene.minds.reading.search import search
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Result
from phosphene.statistics import apart, mcnemar, wilson

FEWEST = 8  # right answers, and wrong ones, that an AUROC asks for


@dataclass(frozen=True)
class Trace(MindProbe):
    """Searches the likeliest readings of the thoughts, in order, for a chain in which each value
    follows from the one before by a fact of the question. Neither the true answer nor the one that
    was said is looked at: a chain that keeps to the facts and ends in what was said would be right
    by construction, and the flag would judge the answer instead of the thoughts.

    Args:
        top: a value counts as held by a thought among so many of its likeliest readings.
        reader: head, as if thoughts were spoken; probe, by linear probes fitted on other problems.
        fit: problems of the other split on which those are fitted.
        permutations: pairings with other problems' facts.

    References:
        Are Latent Reasoning Models Easily Interpretable? (2026), https://arxiv.org/abs/2604.04902
    """

    top: int = 2
    reader: Reader = "head"
    fit: int = 512
    permutations: int = 100
    name: ClassVar[str] = "trace"
    ASKS = "Do the thoughts hold a chain that follows from the question, and is it an error signal?"
    CONTROLS = (
        "the facts of other questions of the same length and of the question's twin, shuffled "
        "answers, and the model's own confidence in what it says"
    )

    def __post_init__(self) -> None:
        if self.reader not in READERS:
            raise PhospheneError(f"reader takes {', '.join(READERS)}; got {self.reader!r}")
        if self.top < 1 or self.fit < 16 or self.permutations < 39:
            raise PhospheneError(
                f"trace wants top >= 1, fit >= 16 and permutations >= 39; got {self.top}, "
                f"{self.fit}, {self.permutations}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        facts(subject.problems[0])  # before any work: whether the task says what follows from what
        seen, among, weights = self._read(subject, book)
        told = [facts(p) for p in seen.problems]
        twins = [facts(subject.task.twin(p)) for p in seen.problems]
        found = self._found(weights, told, among)
        twin = self._found(weights, twins, among)
        truth = truths(seen.problems, value_names(seen.problems), among)
        mixed = [
            np.mean([t.verified for t in self._found(weights, [told[i] for i in order], among)])
            for order in orders(truth, self.permutations, 0)
        ]
        flags = np.array([t.verified for t in found])
        scores = np.array([t.score for t in found])
        findings = [
            _verified(flags, np.array([t.verified for t in twin]), np.array(mixed)),
            _between(flags, seen.right),
            _area("verified flag", flags.astype(float), seen.right),
            _area("trace score", scores, seen.right),
            _area("confidence", seen.confidence, seen.right),
            _beyond(scores, seen.confidence, seen.right),
        ]
        rows = [
            _row(seen, n, trace, other)
            for n, (trace, other) in enumerate(zip(found, twin, strict=True))
        ]
        notes = [
            f"read by {self.reader}; a value is held where it is among the {self.top} likeliest of "
            f"{len(among.words)}",
            "the score is the mean log-probability of the best chain that the question allows",
            *([among.note] if among.note else []),
        ]
        return Result(rows, findings, {}, notes)

    def _read(self, subject: MindSubject, book: Notebook) -> tuple[Record, Candidates, np.ndarray]:
        """Probabilities `(items, places, candidates)`."""
        seen = record(subject, book)
        if self.reader == "head":
            among = candidates(subject.mind, seen.problems)
            return seen, among, shares(by_head(subject.mind, seen.thoughts, among))
        fitted = record(elsewhere(subject, self.fit), book)
        among = candidates(subject.mind, [*seen.problems, *fitted.problems])
        truth = truths(fitted.problems, value_names(fitted.problems), among)
        scores = by_probe(seen, fitted, one_hot(truth, len(among.words)))
        # Thought k is read by the probe of value k; those behind by the last value's.
        places, values = scores.shape[2], scores.shape[1]
        own = [scores[:, min(p, values - 1), p] for p in range(places)]
        # Outputs of a regression on 0 and 1 are shares already, but for their noise.
        clear = np.maximum(np.stack(own, 1), 1e-3)
        return seen, among, clear / clear.sum(-1, keepdims=True)

    def _found(self, weights: np.ndarray, told: Sequence[Facts], among: Candidates) -> list[Found]:
        return [search(w, f, among, self.top) for w, f in zip(weights, told, strict=True)]


def _verified(flags: np.ndarray, twin: np.ndarray, mixed: np.ndarray) -> Finding:
    """Are there more verified traces than by accident?"""
    share = wilson(int(flags.sum()), len(flags))
    null = max(float(twin.mean()), float(mixed.mean()))
    luck = (1 + int((mixed >= flags.mean() - 1e-12).sum())) / (1 + len(mixed))
    p = max(luck, mcnemar(int((flags & ~twin).sum()), int((twin & ~flags).sum())))
    return Finding(
        "verified traces",
        f"a chain that follows from the question is held by {share.share:.0%} of the thoughts; by "
        f"other questions' facts {mixed.mean():.0%}, by the twin's {twin.mean():.0%}",
        bool(share.low > null and p < ALPHA),
        *share[:3],
        null,
        p,
        share.n,
        "share of problems with a verified trace",
    )


def _between(flags: np.ndarray, right: np.ndarray) -> Finding:
    """Are traces found oftener where the answer is right?"""
    from scipy.stats import fisher_exact

    name = "traces of right and wrong answers"
    if (missing := _too_few(right)) is not None:
        return Finding(name, missing, None)
    a, b = (wilson(int(flags[m].sum()), int(m.sum())) for m in (right, ~right))
    gap = apart(a, b)
    counts = [[int(flags[m].sum()), int((~flags[m]).sum())] for m in (right, ~right)]
    p = float(fisher_exact(counts)[1])  # type: ignore[index]
    return Finding(
        name,
        f"verified for {a} of right answers, and {b} of wrong ones",
        bool(gap.low > 0 and p < ALPHA),
        *gap[:3],
        0.0,
        p,
        len(right),
        "difference of shares, right less wrong",
    )


def _area(what: str, scores: np.ndarray, right: np.ndarray) -> Finding:
    name = f"AUROC of the {what}"
    if (missing := _too_few(right)) is not None:
        return Finding(name, missing, None)
    found = auroc(scores, right)
    says = f"the {what} puts a right answer before a wrong one in {found.area:.0%} of pairs"
    return _finding(name, says, found, 0.5, right, "AUROC for correctness of the answer")


def _beyond(scores: np.ndarray, confidence: np.ndarray, right: np.ndarray) -> Finding:
    """Does the trace know more of the answer's correctness than the model's confidence does?"""
    name = "trace score beyond confidence"
    if (missing := _too_few(right)) is not None:
        return Finding(name, missing, None)
    gap = lead(scores, confidence, right)
    says = f"the AUROC of the trace score is {gap.area:+.2f} from that of the model's confidence"
    return _finding(name, says, gap, 0.0, right, "difference of AUROCs")


def _finding(
    name: str, says: str, found: Auroc, null: float, right: np.ndarray, unit: str
) -> Finding:
    holds = bool(found.low > null and found.p < ALPHA)
    return Finding(name, says, holds, *found[:3], null, found.p, len(right), unit)


def _too_few(right: np.ndarray) -> str | None:
    good, bad = int(right.sum()), int((~right).sum())
    if min(good, bad) >= FEWEST:
        return None
    return (
        f"not asked: {good} right and {bad} wrong answers; {FEWEST} of each are needed, so take "
        f"more --items, or fewer --thoughts"
    )


def _row(seen: Record, item: int, found: Found, twin: Found) -> dict[str, Any]:
    return {
        "seed": seen.problems[item].seed,
        "right": bool(seen.right[item]),
        "said": seen.said[item],
        "wanted": seen.problems[item].answer,
        "confidence": float(seen.confidence[item]),
        "chain": " ".join(found.words),
        "gold": " ".join(seen.problems[item].values.values()),
        "verified": found.verified,
        "score": found.score,
        "verified, twin": twin.verified,
        "score, twin": twin.score,
    }


COMPONENT = Trace
