"""Superposition: which nodes of the graph does a thought hold, and how many at a time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.probe import MindProbe
from phosphene.minds.reading.auroc import area
from phosphene.minds.reading.candidates import Candidates, candidates
from phosphene.minds.reading.readers import READERS, Reader, by_head, by_probe, shares
from phosphene.minds.reading.record import elsewhere, record
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Heat, Lines, Result
from phosphene.probing.effect import interval, step_down
from phosphene.statistics import Interval


@dataclass(frozen=True)
class Superposition(MindProbe):
    """Scores every node of the question's graph by its inner product with each thought. Frontier d
    is what d edges lead to from where the question starts, all branches of it.

    Three questions of each frontier and place: does it score above the other nodes of the question
    (AUROC); above those of the same tree at other depths; above the twin's frontier of the same
    depth, which is as often mentioned and in the same roles. And of its side branches, which don't
    lead to the answer: do they score above the twin's?

    Args:
        reader: head, the node's row of the head; probe, a direction fitted on other problems.
        fit: problems of the other split on which those are fitted.

    References:
        Reasoning by Superposition: A Theoretical Perspective on Chain of Continuous Thought
        (Zhu et al., 2025), https://arxiv.org/abs/2505.12514
    """

    reader: Reader = "head"
    fit: int = 512
    name: ClassVar[str] = "superposition"
    ASKS = "Which nodes of the graph does a thought hold, and how many at a time?"
    CONTROLS = (
        "the other nodes of the question, other depths of the same tree, the same depth of the "
        "question's twin; every depth and thought counted"
    )

    def __post_init__(self) -> None:
        if self.reader not in READERS or self.fit < 16:
            raise PhospheneError(
                f"superposition takes reader {' or '.join(READERS)} and fit >= 16; got "
                f"{self.reader!r}, {self.fit}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        if not all("frontiers" in p.state and "edges" in p.state for p in subject.problems):
            raise PhospheneError(
                f"{subject.task.name} has no graph with frontiers; choose --task prosqa"
            )
        seen = record(subject, book)
        depths = max(len(p.state["frontiers"]) for p in seen.problems)
        if self.reader == "head":
            among = candidates(subject.mind, seen.problems)
            scores = by_head(subject.mind, seen.thoughts, among)[:, None]
        else:
            fitted = record(elsewhere(subject, self.fit), book)
            among = candidates(subject.mind, [*seen.problems, *fitted.problems])
            scores = by_probe(seen, fitted, _marked(fitted.problems, depths, among))
        twins = [subject.task.twin(p) for p in seen.problems]
        nodes = [_Nodes.of(p, t, depths, among) for p, t in zip(seen.problems, twins, strict=True)]
        held = _Held(seen.places, depths, scores, nodes)
        notes = [
            f"read by {self.reader}",
            "masses are softmax shares over the nodes of the question",
            *([among.note] if among.note else []),
        ]
        return Result(held.table(), held.findings(), held.figures(), notes)


@dataclass(frozen=True, eq=False)
class _Nodes:
    """One question's nodes by role, as places among the candidates.

    Args:
        all: every node.
        own, twin: for each depth, the frontier; empty where the tree ends before.
        side, twin_side: the same without the node on the way to the answer.
    """

    all: list[int]
    own: list[list[int]]
    twin: list[list[int]]
    side: list[list[int]]
    twin_side: list[list[int]]

    @classmethod
    def of(cls, problem: TextProblem, twin: TextProblem, depths: int, among: Candidates) -> _Nodes:
        everything = {word for edge in problem.state["edges"] for word in edge}
        found = []
        for one in (problem, twin):
            frontiers = [set(f) for f in one.state["frontiers"]]
            frontiers += [set()] * (depths - len(frontiers))
            way = set(one.values.values())
            found.append([among.numbers(sorted(f)) for f in frontiers])
            found.append([among.numbers(sorted(f - way)) for f in frontiers])
        own, side, other, other_side = found
        return cls(among.numbers(sorted(everything)), own, other, side, other_side)


def _marked(problems: Sequence[TextProblem], depths: int, among: Candidates) -> np.ndarray:
    """`(items, depths, candidates)`: 1 on the frontier; nan where the tree ends before."""
    out = np.full((len(problems), depths, len(among.words)), np.nan)
    for i, problem in enumerate(problems):
        for d, frontier in enumerate(problem.state["frontiers"]):
            out[i, d] = 0.0
            out[i, d, among.numbers(frontier)] = 1.0
    return out


class _Held:
    """What every thought holds; all arrays `(items, depths, places)`, nan where there is nothing.

    Attributes:
        area, within, against, side: AUROC of the frontier against all other nodes, those of the
            same tree, the twin's frontier; of its side branches against the twin's.
        mass, twin: softmax mass on the frontier, and on the twin's.
        even: what an even spread would put there.
        count: `(items, places)`, exp of the entropy: nodes held together.
    """

    def __init__(
        self, places: Sequence[str], depths: int, scores: np.ndarray, nodes: Sequence[_Nodes]
    ) -> None:
        self.places, self.depths = places, depths
        shape = len(nodes), depths, len(places)
        self.area, self.within, self.against, self.side, self.mass, self.twin, self.even = (
            np.full(shape, np.nan) for _ in range(7)
        )
        self.count = np.full((shape[0], shape[2]), np.nan)
        for i, d, p in np.ndindex(*shape):
            self._look(scores[i, d % scores.shape[1], p], nodes[i], (i, d, p))

    def _look(self, row: np.ndarray, nodes: _Nodes, at: tuple[int, int, int]) -> None:
        item, depth, place = at
        own, twin = nodes.own[depth], nodes.twin[depth]
        part = shares(row[nodes.all])
        mass = dict(zip(nodes.all, part.tolist(), strict=True))
        if depth == min(place, self.depths - 1):
            self.count[item, place] = float(np.exp(-(part * np.log(np.maximum(part, 1e-12))).sum()))
        if not own or not twin:
            return
        tree = {n for frontier in nodes.own for n in frontier}
        rest = [n for n in nodes.all if n not in own]
        self.area[at] = _above(row, own, rest)
        self.within[at] = _above(row, own, [n for n in rest if n in tree])
        self.against[at] = _above(row, own, twin)
        self.side[at] = _above(row, nodes.side[depth], nodes.twin_side[depth])
        self.mass[at], self.twin[at] = (sum(mass[n] for n in which) for which in (own, twin))
        self.even[at] = len(own) / len(nodes.all)

    def findings(self) -> list[Finding]:
        found = [self._frontier(d) for d in range(self.depths)]
        sides = [self._sides(d) for d in range(self.depths)]
        return [*found, *sides, self._in_order()]

    def _frontier(self, depth: int) -> Finding:
        """Where a frontier stands out most from the twin's, and by how much from the rest."""
        name = f"frontier {depth + 1}"
        there = np.isfinite(self.against[:, depth]).all(1)
        if there.sum() < 8:
            return Finding(name, f"not asked: {there.sum()} problems have it", None)
        place = int(self.against[there, depth].mean(0).argmax())
        found = _crossed(self.against[there, depth])
        p = self._tested[0][depth, place]
        rest, tree = (
            float(np.nanmean(a[:, depth, place])) if np.isfinite(a[:, depth, place]).any() else 0.5
            for a in (self.area, self.within)
        )
        return Finding(
            name,
            f"stands out most in {self.places[place]}: AUROC {found.share:.2f} against the twin's "
            f"frontier, {rest:.2f} against all other nodes, {tree:.2f} against other depths of its "
            f"tree; it has {np.nanmean(self.mass[:, depth, place]):.0%} of the mass, the twin's "
            f"{np.nanmean(self.twin[:, depth, place]):.0%}",
            bool(found.low > 0.5 and p < ALPHA),
            found.share,
            found.low,
            min(found.high, 1.0),
            0.5,
            float(p),
            found.n,
            "AUROC against the twin's frontier of the same depth",
        )

    def _sides(self, depth: int) -> Finding:
        """Does a thought hold branches that don't lead to the answer?"""
        name = f"side branches of frontier {depth + 1}"
        place = min(depth, len(self.places) - 1)
        found = interval(self.side[:, depth, place])
        if found.n < 8:
            return Finding(name, f"not asked: {found.n} problems have any", None)
        p = self._tested[1][depth, place]
        return Finding(
            name,
            f"in {self.places[place]}, nodes beside the way to the answer score above the "
            f"twin's in {found.share:.0%} of pairs",
            bool(found.low > 0.5 and p < ALPHA),
            found.share,
            max(found.low, 0.0),
            min(found.high, 1.0),
            0.5,
            float(p),
            found.n,
            "AUROC against the twin's side branches",
        )

    def _in_order(self) -> Finding:
        """Is frontier k in thought k, rather than frontiers of other depths?"""
        name = "one frontier a thought"
        gaps = self._gaps()
        found = interval(gaps)
        if found.n < 8:
            return Finding(name, f"not asked: {found.n} problems have several frontiers", None)
        p = float(self._tested[2])
        return Finding(
            name,
            f"in thought k the AUROC of frontier k is {found.share:+.2f} from that of the others",
            bool(found.low > 0 and p < ALPHA),
            found.share,
            found.low,
            found.high,
            0.0,
            p,
            found.n,
            "AUROC of its own depth less mean of others",
        )

    def _gaps(self) -> np.ndarray:
        """AUROC of the frontier that is due less the mean of others, `(items,)`, over thoughts."""
        own, other = [], []
        for place in range(min(self.depths, len(self.places))):
            at = self.against[:, :, place]
            own.append(at[:, place])
            other.append(_mean(np.delete(at, place, 1), 1))
        return _mean(np.stack(own, 1) - np.stack(other, 1), 1)

    @cached_property
    def _tested(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """p-values of frontiers and of side branches `(depths, places)`, and of their order, all
        corrected together."""
        shape = self.against.shape[1:]
        areas = np.stack([self.against, self.side], 1).reshape(len(self.against), -1) - 0.5
        p = step_down(np.concatenate([areas, self._gaps()[:, None]], 1))
        first, second = p[:-1].reshape(2, *shape)
        return first, second, p[-1]

    def table(self) -> list[dict[str, Any]]:
        """A row a frontier and place."""
        p, p_side, _ = self._tested
        rows = []
        for d, place in np.ndindex(self.depths, len(self.places)):
            found = interval(self.against[:, d, place])
            rows.append(
                {
                    "frontier": d + 1,
                    "place": self.places[place],
                    "n": found.n,
                    "AUROC, twin": found.share,
                    "low": found.low,
                    "high": found.high,
                    "p": float(p[d, place]),
                    "AUROC, all others": interval(self.area[:, d, place]).share,
                    "AUROC, other depths": interval(self.within[:, d, place]).share,
                    "AUROC, side branches": interval(self.side[:, d, place]).share,
                    "p, side branches": float(p_side[d, place]),
                    "mass": interval(self.mass[:, d, place]).share,
                    "mass, twin": interval(self.twin[:, d, place]).share,
                    "mass, even spread": interval(self.even[:, d, place]).share,
                    "nodes held": interval(self.count[:, place]).share,
                }
            )
        return rows

    def figures(self) -> dict[str, Heat | Lines]:
        found = [
            [interval(self.against[:, d, p]) for p in range(len(self.places))]
            for d in range(self.depths)
        ]
        value, low, high = (np.array([[f[i] for f in row] for row in found]) for i in range(3))
        stands = (low > 0.5) & (self._tested[0] < ALPHA)
        counts = [interval(column) for column in self.count.T]
        return {
            "frontiers": Heat(
                "Which frontier each thought holds",
                "place",
                "frontier",
                self.places,
                [str(d + 1) for d in range(self.depths)],
                value[None],
                ("",),
                low[None],
                high[None],
                stands[None],
                0.5,
                "AUROC against the twin's frontier of the same depth",
            ),
            "nodes-held": Lines(
                "Nodes held together",
                "place",
                "nodes, exp of the entropy",
                list(range(1, len(self.places) + 1)),
                {"all problems": np.array([[c[i] for c in counts] for i in range(3)])},
            ),
        }


def _above(row: np.ndarray, own: Sequence[int], other: Sequence[int]) -> float:
    """AUROC of some nodes' scores against others'; nan where either are missing."""
    if not own or not other:
        return float("nan")
    scores = row[[*own, *other]]
    return area(scores, np.arange(len(scores)) < len(own))


def _crossed(areas: np.ndarray) -> Interval:
    """Mean at the best place, each half of the problems measured where the other half is best.

    Args:
        areas: `(items, places)`.
    """
    halves = areas[::2], areas[1::2]
    found = [half[:, int(other.mean(0).argmax())] for half, other in (halves, halves[::-1])]
    return interval(np.concatenate(found))


def _mean(values: np.ndarray, axis: int) -> np.ndarray:
    there = np.isfinite(values)
    total = np.where(there, values, 0.0).sum(axis)
    return np.where(there.any(axis), total / np.maximum(there.sum(axis), 1), np.nan)


COMPONENT = Superposition
