"""tracing: which layer and which tokens carry what decides the answer?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.causal.chain import even
from phosphene.minds.causal.patches import KINDS, Patched
from phosphene.minds.causal.paths import edges_of, report_edges
from phosphene.minds.causal.traced import Traced
from phosphene.minds.probe import MindProbe
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import Result
from phosphene.probing.groups import spread


@dataclass(frozen=True)
class Tracing(MindProbe):
    """Patches the residual stream and what attention and MLP add, place by place, between a problem
    and its twin: the same tokens but for what decides. Every place is patched both ways and against
    two placebos, and estimated by one gradient; from the strongest parts, edges are followed into
    every later part with all else frozen.

    Args:
        pairs: problems at most.
        depth: layers at most, spread evenly.
        senders: attention or MLP outputs whose edges are followed, the strongest first; 0 for none.
        top: how many of the largest estimates are compared with exact patches.

    References:
        Locating and Editing Factual Associations in GPT (Meng et al., 2022), https://arxiv.org/abs/2202.05262
        Towards Best Practices of Activation Patching (Zhang, Nanda, 2023), https://arxiv.org/abs/2309.16042
        AtP* (Kramar et al., 2024), https://arxiv.org/abs/2403.00745
        Localizing Model Behavior with Path Patching (Goldowsky-Dill et al., 2023), https://arxiv.org/abs/2304.05969
    """

    pairs: int = 48
    depth: int = 6
    senders: int = 2
    top: int = 20
    name: ClassVar[str] = "tracing"
    ASKS = "Which layers and tokens carry what decides the answer, and along which edges?"
    CONTROLS = (
        "another problem's values, random changes as large, both directions, every place counted; "
        "exact patches of what the gradient points to"
    )

    def __post_init__(self) -> None:
        if self.pairs < 2 or self.depth < 1 or self.senders < 0 or self.top < 3:
            raise PhospheneError(
                f"tracing wants pairs >= 2, depth >= 1, senders >= 0, top >= 3; got {self.pairs}, "
                f"{self.depth}, {self.senders}, {self.top}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        layers = spread(sorted({s.layer for s in subject.wires.sites(*KINDS)}), self.depth)
        problems = subject.problems[: self.pairs]
        # Every place is one run of five times the batch.
        parts = list(even(problems, max(2, subject.setup.batch // 2)))
        book.plan(len(parts))
        patched = [Patched(subject, part, layers) for part in parts]
        groups = [g for g in patched[0].spots if all(g in p.spots for p in patched)]
        for one in patched:
            one.spots = {g: one.spots[g] for g in groups}
        units = [
            book.arrays(
                f"places, {_named(p)}",
                lambda p=p: {**p.exact(), **p.estimated()},
                f"places patched, {n}",
            )
            for n, p in enumerate(patched, 1)
        ]
        values = {k: np.concatenate([u[k] for u in units]) for k in units[0]}
        traced = Traced(patched[0].places, values)
        findings, figures = traced.findings(self.top), traced.figures()
        notes = [
            f"{len(problems)} pairs, layers {', '.join(map(str, layers))}; path facts are those of "
            f"the problem and of its twin",
        ]
        if self.senders and traced.tells:
            chosen = traced.strongest(self.senders)
            book.plan(len(parts))
            found = [
                book.arrays(
                    f"edges from {'; '.join(f'{s}, {g}' for s, g in chosen)}, {_named(p)}",
                    lambda p=p: edges_of(p, chosen),
                    f"edges, {n}",
                )
                for n, p in enumerate(patched, 1)
            ]
            lost = {k: np.concatenate([f[k] for f in found]) for k in found[0]}
            more, heat = report_edges(patched[0], chosen, lost, traced.scale)
            findings += more
            figures |= heat
        return Result(traced.table(), findings, figures, notes)


def _named(patched: Patched) -> str:
    return f"problems {patched.problems[0].seed} to {patched.problems[-1].seed}"


COMPONENT = Tracing
