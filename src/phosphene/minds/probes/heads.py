"""heads: which attention heads look from decisions to the facts that decide, and do they matter?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.causal.attending import Attending
from phosphene.minds.causal.chain import even
from phosphene.minds.causal.places import QUESTION
from phosphene.minds.probe import MindProbe
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Figure, Finding, Heat, Result
from phosphene.probing.effect import interval, rate, step_down

NOTICEABLE = 0.01  # of a head's attention: leaks smaller than that are no look


@dataclass(frozen=True)
class Heads(MindProbe):
    """Attention mass, head by head, from where something is decided (begin mark, thoughts, answer
    mark) to the facts on the way to the answer, against the mass on where another problem of the
    same layout has its facts. What a head looks at is no proof that it matters: each head is then
    silenced behind the question, and held against the other heads.

    Args:
        silence: heads at most that are silenced one by one, those that look most first; the rest
            are the control.

    References:
        Attention is not Explanation (Jain, Wallace, 2019), https://arxiv.org/abs/1902.10186
        Are Sixteen Heads Really Better than One? (Michel et al., 2019), https://arxiv.org/abs/1905.10650
    """

    silence: int = 64
    name: ClassVar[str] = "heads"
    ASKS = "Which heads look from thoughts and answer to the facts that decide, and do they matter?"
    CONTROLS = "other problems' facts in the same layout, other heads silenced, every head counted"

    def __post_init__(self) -> None:
        if self.silence < 2:
            raise PhospheneError(f"heads wants silence >= 2; got {self.silence}")

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        parts = list(even(subject.problems, subject.setup.batch))
        runs = [Attending(subject, p) for p in parts]
        book.plan(2 * len(parts))
        units = [
            book.arrays(f"attention, {_named(r)}", r.masses, f"attention, {n}")
            for n, r in enumerate(runs, 1)
        ]
        seen = {k: np.concatenate(_even([u[k] for u in units])) for k in units[0]}
        looks = _Looks(seen, runs[0].decisions())
        chosen = looks.order[: self.silence]
        told = [
            book.arrays(
                f"silenced {len(chosen)}, {_named(r)}",
                lambda r=r: _silenced(r, chosen),
                f"heads silenced, {n}",
            )
            for n, r in enumerate(runs, 1)
        ]
        lost = {k: np.concatenate([t[k] for t in told]) for k in told[0]}
        matter = _Matter(lost, chosen, subject.task.chance)
        findings = [looks.finding(), matter.finding(), matter.both(looks)]
        notes = ["silenced: nought in the place of a head's output, from the begin mark on"]
        return Result(_table(looks, matter), findings, looks.figures(matter), notes)


def _named(run: Attending) -> str:
    return f"problems {run.problems[0].seed} to {run.problems[-1].seed}"


def _even(arrays: list[np.ndarray]) -> list[np.ndarray]:
    """Batches may have different longest ways: nan for the steps that one lacks."""
    most = max(a.shape[1] for a in arrays)
    blank = [np.full((len(a), most - a.shape[1], *a.shape[2:]), np.nan) for a in arrays]
    return [np.concatenate([a, b], 1) for a, b in zip(arrays, blank, strict=True)]


def _silenced(run: Attending, heads: list[tuple[int, int]]) -> Mapping[str, np.ndarray]:
    """Lead lost `(b, heads)`, and right answers before `(b,)` and after."""
    plain = run.without([])
    after = [run.without([h]) for h in heads]
    return {
        "lost": np.stack([plain["lead"] - a["lead"] for a in after], 1),
        "right": np.stack([a["right"] for a in after], 1),
        "before": plain["right"],
    }


class _Looks:
    """Mass on the path facts beyond what other problems' facts get.

    Args:
        seen: of `Attending.masses`, for all problems.
        decisions: their names.
    """

    def __init__(self, seen: Mapping[str, np.ndarray], decisions: list[str]) -> None:
        self.seen, self.names = seen, decisions
        self.path = seen["own"][:, QUESTION.index("path facts")]
        self.gap = self.path - seen["other"]
        flat = self.gap.reshape(len(self.gap), -1)
        self.p = step_down(flat).reshape(self.gap.shape[1:])
        low = np.array([interval(c).low for c in flat.T]).reshape(self.p.shape)
        self.stands = (np.nan_to_num(low, nan=-1.0) > NOTICEABLE) & (self.p < ALPHA)
        self.mean = np.nan_to_num(np.array([interval(c).share for c in flat.T])).reshape(
            self.p.shape
        )

    @property
    def order(self) -> list[tuple[int, int]]:
        """(layer, head), the one that looks most from any decision first."""
        best = self.mean.max(0)
        ranked = np.argsort(-best, axis=None, kind="stable")
        return [(int(n) // best.shape[1], int(n) % best.shape[1]) for n in ranked]

    def finding(self) -> Finding:
        name = "heads look at the facts that decide"
        if not np.isfinite(self.gap).any():
            says = (
                "not asked: no worked step is stated in the questions, or no two are laid out alike"
            )
            return Finding(name, says, None)
        ranked = np.where(self.stands if self.stands.any() else True, self.mean, -np.inf)
        d, a, h = np.unravel_index(int(ranked.argmax()), self.mean.shape)
        found = interval(self.path[:, d, a, h])
        null = interval(self.seen["other"][:, d, a, h]).share
        return Finding(
            name,
            f"{int(self.stands.any(0).sum())} of {self.stands[0].size} heads; most: layer {a}, "
            f"head {h} from {self.names[d]}: {found.share:.0%} of its attention, {null:.0%} on "
            f"where other problems have theirs",
            bool(self.stands.any()),
            found.share,
            found.low,
            found.high,
            null,
            float(self.p[d, a, h]),
            found.n,
            "share of attention",
        )

    def figures(self, matter: _Matter) -> dict[str, Figure]:
        layers, heads = (int(n) for n in self.mean.shape[1:])
        names = [str(h) for h in range(heads)]
        look = Heat(
            "Attention on the facts that decide, less that on other problems' facts",
            "head",
            "layer",
            names,
            [str(a) for a in range(layers)],
            self.mean,
            self.names,
            marks=self.stands,
            unit="share of attention",
        )
        (a, h), *_ = self.order
        steps = self.seen["step"][..., a, h]
        rest = self.seen["own"][:, 1:, :, a, h]
        rows = np.concatenate([steps, rest], 1)
        found = [
            [interval(rows[:, g, d]) for g in range(rows.shape[1])] for d in range(rows.shape[2])
        ]

        def grid(name: str) -> np.ndarray:
            return np.array([[[getattr(c, name) for c in row] for row in found]])

        reads = Heat(
            f"What layer {a}, head {h} looks at",
            "fact",
            "from",
            [*(f"step {k + 1}" for k in range(steps.shape[1])), *QUESTION[1:]],
            self.names,
            grid("share"),
            low=grid("low"),
            high=grid("high"),
            unit="share of attention",
        )
        return {"attention": look, "reads": reads, "silenced": matter.figure(layers, heads)}


class _Matter:
    """Lead lost when a head is silenced, against the mean of all other heads.

    Args:
        lost: of `_silenced`.
        heads: the (layer, head) it was asked of.
        chance: share of right answers among guesses.
    """

    def __init__(
        self, lost: Mapping[str, np.ndarray], heads: list[tuple[int, int]], chance: float
    ) -> None:
        self.right = rate(lost["before"])
        self.able = self.right.low > chance
        self.lost, self.heads, self.values = lost["lost"], heads, lost
        count = len(heads)
        rest = (self.lost.sum(1, keepdims=True) - self.lost) / max(1, count - 1)
        self.rest = rest
        self.p = step_down(self.lost - rest)
        low = np.array([interval(c).low for c in (self.lost - rest).T])
        alone = np.array([interval(c).low for c in self.lost.T])
        self.stands = (low > 0) & (alone > 0) & (self.p < ALPHA) & self.able

    def finding(self) -> Finding:
        name = "a head matters more than others do"
        if not self.able:
            says = f"not asked: the mind does not do the task ({self.right})"
            return Finding(name, says, None)
        if len(self.heads) < 2:
            return Finding(name, "not asked: there is one head alone", None)
        claims = [self.heads[i] for i in np.flatnonzero(self.stands)]
        mean = self.lost.mean(0)
        best = int(np.where(self.stands if claims else True, mean, -np.inf).argmax())
        a, h = self.heads[best]
        found, rest = interval(self.lost[:, best]), float(self.rest[:, best].mean())
        was = self.values["before"].astype(bool)
        flips = rate(1.0 - self.values["right"][was, best])
        turned = f", and turns {flips.brief()} of right answers" if was.any() else ""
        return Finding(
            name,
            f"{len(claims)} of {len(self.heads)} heads; most: layer {a}, head {h}, which costs "
            f"{found.share:.2f} of lead when silenced ({rest:.2f} for the others on average)"
            f"{turned}",
            bool(claims),
            found.share,
            found.low,
            found.high,
            rest,
            float(self.p[best]),
            found.n,
            "logit",
        )

    def both(self, looks: _Looks) -> Finding:
        """Of the head that looks most: does it matter too?"""
        name = "the head that looks most matters"
        if not self.able:
            says = f"not asked: the mind does not do the task ({self.right})"
            return Finding(name, says, None)
        if not looks.stands.any():
            return Finding(name, "not asked: no head looks at the facts that decide", None)
        a, h = self.heads[0]
        found, rest = interval(self.lost[:, 0]), float(self.rest[:, 0].mean())
        return Finding(
            name,
            f"layer {a}, head {h} costs {found.share:.2f} of lead when silenced, the others "
            f"{rest:.2f} on average",
            bool(self.stands[0]),
            found.share,
            found.low,
            found.high,
            rest,
            float(self.p[0]),
            found.n,
            "logit",
        )

    def figure(self, layers: int, heads: int) -> Heat:
        values = np.full((1, layers, heads), np.nan)
        marks = np.zeros(values.shape, bool)
        for i, (a, h) in enumerate(self.heads):
            values[0, a, h], marks[0, a, h] = self.lost[:, i].mean(), self.stands[i]
        return Heat(
            "Lead lost when a head is silenced",
            "head",
            "layer",
            [str(h) for h in range(heads)],
            [str(a) for a in range(layers)],
            values,
            marks=marks,
            unit="logit",
        )


def _table(looks: _Looks, matter: _Matter) -> list[dict[str, Any]]:
    rows = []
    for d, decision in enumerate(looks.names):
        for i, (a, h) in enumerate(matter.heads):
            path = interval(looks.path[:, d, a, h])
            lost = interval(matter.lost[:, i])
            rows.append(
                {
                    "layer": a,
                    "head": h,
                    "from": decision,
                    "n": path.n,
                    "path facts": path.share,
                    "low": path.low,
                    "high": path.high,
                    "other problems' facts": interval(looks.seen["other"][:, d, a, h]).share,
                    "query": interval(looks.seen["own"][:, 2, d, a, h]).share,
                    "p": float(looks.p[d, a, h]),
                    "looks": bool(looks.stands[d, a, h]),
                    "lead lost, silenced": lost.share,
                    "lead lost, low": lost.low,
                    "lead lost, high": lost.high,
                    "p, silenced": float(matter.p[i]),
                    "matters": bool(matter.stands[i]),
                }
            )
    return rows


COMPONENT = Heads
