"""influence: which thought acts on which, and which of them does the answer read itself?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.minds.causal.chain import even, thinks
from phosphene.minds.causal.edges import ARMS, WAYS, edges
from phosphene.minds.probe import MindProbe
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Figure, Finding, Heat, Result
from phosphene.probing.effect import interval, rate, step_down


@dataclass(frozen=True)
class Influence(MindProbe):
    """Puts the twin's thought i in place of the own one and looks at every later thought j and at
    the answer:

        W_ij = mean KL(next words at j, undisturbed || after do(h_i := twin's h_i))

    in all, with the thoughts between running on, and directly, with these fed as they were and only
    the keys and values of thought i changed for the one reader. A divergence is never nought, so an
    edge is claimed by what it takes from the intermediate that thought j was taught to stand for
    (from the answer, in the last column), beyond what a random change as large takes.

    References:
        Dynamics within latent chain-of-thought, https://arxiv.org/abs/2602.08783: influence edges
        Interpretability in the Wild (Wang et al., 2022), https://arxiv.org/abs/2211.00593: path
        patching
    """

    name: ClassVar[str] = "influence"
    ASKS = "Which thought acts on which later one, and which does the answer read directly?"
    CONTROLS = "random changes of a thought as large as the twin's, every edge counted"

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        count = thinks(subject)
        parts = list(even(subject.problems, subject.setup.batch))
        book.plan(len(parts))
        units = [
            book.arrays(
                f"edges, problems {p[0].seed} to {p[-1].seed}",
                lambda p=p: edges(subject, p),
                f"edges, {n}",
            )
            for n, p in enumerate(parts, 1)
        ]
        found = {k: np.concatenate([u[k] for u in units]) for k in units[0]}
        right = rate(found["right"])
        why = (
            None if right.low > subject.task.chance else f"the mind does not do the task ({right})"
        )
        return _Edges(found["kl"], found["lost"], count, why).result()


class _Edges:
    """Claims over all edges.

    Args:
        kl, lost: `(items, arms, ways, thoughts, thoughts + 1)`.
        count: thoughts.
        why: nothing can be claimed; None if it can.
    """

    def __init__(self, kl: np.ndarray, lost: np.ndarray, count: int, why: str | None) -> None:
        self.kl, self.lost, self.count, self.why = kl, lost, count, why
        gap = lost[:, 0] - lost[:, 1]
        self.gap = gap
        flat = gap.reshape(len(gap), -1)
        self.p = step_down(flat).reshape(gap.shape[1:])
        low = np.array([interval(c).low for c in flat.T]).reshape(self.p.shape)
        self.stands = (np.nan_to_num(low, nan=-1.0) > 0) & (self.p < ALPHA) & (why is None)

    def result(self) -> Result:
        notes = [
            "columns are what is made of thought i: the state that thought j is taken from, and "
            "the answer",
        ]
        return Result(self._table(), self._findings(), self._figures(), notes)

    def _table(self) -> list[dict[str, Any]]:
        rows = []
        for w, way in enumerate(WAYS):
            for i in range(self.count):
                for j in range(i + 1, self.count + 1):
                    at = (slice(None), w, i, j)
                    kl = [interval(self.kl[:, a][at]) for a in range(len(ARMS))]
                    lost = [interval(self.lost[:, a][at]) for a in range(len(ARMS))]
                    rows.append(
                        {
                            "from thought": i + 1,
                            "to": self._to(j),
                            "way": way,
                            "n": lost[0].n,
                            "kl": kl[0].share,
                            "kl, low": kl[0].low,
                            "kl, high": kl[0].high,
                            "kl, random": kl[1].share,
                            "lead lost": lost[0].share,
                            "low": lost[0].low,
                            "high": lost[0].high,
                            "lead lost, random": lost[1].share,
                            "p": float(self.p[w, i, j]),
                            "claimed": bool(self.stands[w, i, j]),
                        }
                    )
        return rows

    def _findings(self) -> list[Finding]:
        every = [(i, j) for i in range(self.count) for j in range(i + 1, self.count + 1)]
        inner = [(i, j) for i, j in every if j < self.count]
        answer = [(i, self.count) for i in range(self.count)]
        skip = [(i, j) for i, j in inner if j > i + 1]
        early = [(i, j) for i, j in answer if i < self.count - 1]
        return [
            self._claim("a thought acts on later thoughts", 0, inner),
            self._claim("a thought acts on the answer", 0, answer),
            self._claim("the answer reads a thought directly", 1, answer),
            self._claim("the answer reads past the last thought", 1, early),
            self._claim("thoughts read past the one before", 1, skip),
        ]

    def _claim(self, name: str, way: int, pairs: list[tuple[int, int]]) -> Finding:
        if self.why:
            return Finding(name, f"not asked: {self.why}", None)
        asked = [(i, j) for i, j in pairs if np.isfinite(self.gap[:, way, i, j]).any()]
        if not asked:
            return Finding(name, "not asked: there is no such pair with a known intermediate", None)
        claims = [(i, j) for i, j in asked if self.stands[way, i, j]]
        means = {at: float(np.nanmean(self.gap[:, way, at[0], at[1]])) for at in claims or asked}
        i, j = max(means, key=lambda at: means[at])
        lost = interval(self.lost[:, 0, way, i, j])
        push = float(np.nanmean(self.lost[:, 1, way, i, j]))
        told = ", ".join(f"{a + 1} > {self._to(b)}" for a, b in claims) or "none"
        return Finding(
            name,
            f"{told} of {len(asked)} edges; strongest: {i + 1} > {self._to(j)}, the twin's thought "
            f"takes {lost.share:.2f} of its lead, a random change as large {push:.2f}; divergence "
            f"{np.nanmean(self.kl[:, 0, way, i, j]):.2g} against "
            f"{np.nanmean(self.kl[:, 1, way, i, j]):.2g} nats",
            bool(claims),
            lost.share,
            lost.low,
            lost.high,
            push,
            float(self.p[way, i, j]),
            lost.n,
            "logit",
        )

    def _to(self, j: int) -> str:
        return "answer" if j == self.count else str(j + 1)

    def _figures(self) -> Mapping[str, Figure]:
        panels = [(w, a) for w in range(len(WAYS)) for a in range(len(ARMS))]
        names = [f"{ARMS[a]}, {WAYS[w]}" for w, a in panels]
        stands = np.stack([self.stands[w] & (a == 0) for w, a in panels])
        return {
            "divergence": self._heat("Divergence of next words", self.kl, panels, names, "nats"),
            "lead": self._heat(
                "Lead taken from intermediate and answer", self.lost, panels, names, "logit", stands
            ),
        }

    def _heat(
        self,
        title: str,
        values: np.ndarray,
        panels: list[tuple[int, int]],
        names: list[str],
        unit: str,
        marks: np.ndarray | None = None,
    ) -> Heat:
        found = [
            [
                [interval(values[:, a, w, i, j]) for j in range(1, self.count + 1)]
                for i in range(self.count)
            ]
            for w, a in panels
        ]

        def grid(name: str) -> np.ndarray:
            return np.array([[[getattr(c, name) for c in row] for row in panel] for panel in found])

        return Heat(
            title,
            "read at",
            "thought changed",
            [self._to(j) for j in range(1, self.count + 1)],
            [str(i + 1) for i in range(self.count)],
            grid("share"),
            names,
            grid("low"),
            grid("high"),
            None if marks is None else marks[:, :, 1:],
            unit=unit,
        )


COMPONENT = Influence
