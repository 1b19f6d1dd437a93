"""bad_step: which thought broke the answer?"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.causal import blame, needs
from phosphene.minds.causal.arms import Arms
from phosphene.minds.causal.chain import even, thinks
from phosphene.minds.probe import MindProbe
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import Result


@dataclass(frozen=True)
class BadStep(MindProbe):
    """Intervenes on each continuous thought: what the answer needs, what is enough for it, whom it
    follows; then puts errors into known thoughts and has a finder, which doesn't know where, name
    them; then does the same to the errors that the mind makes by itself.

    The measure is the answer's lead, its logit less the mean of the other options': centred at
    nought whatever is done to a mind that knows nothing.

    Args:
        planted: problems that errors are planted in, at most; 0 for none.
        errors: of the mind's own errors, how many are looked into at most.
        tries: other orders of the facts in which a problem is told, at most, until it is answered
            right: where a good thought comes from.

    References:
        Dynamics within latent chain-of-thought, https://arxiv.org/abs/2602.08783: do-interventions
        on thoughts, early exit, influence between steps
        Towards Best Practices of Activation Patching (Zhang, Nanda, 2023), https://arxiv.org/abs/2309.16042
    """

    planted: int = 64
    errors: int = 64
    tries: int = 6
    name: ClassVar[str] = "bad_step"
    ASKS = "Which thought does the answer need, whom does it follow, and which thought broke it?"
    CONTROLS = (
        "random changes as large as each intervention, the mean chain, errors planted in known "
        "thoughts against one guess in T, all thoughts counted"
    )

    def __post_init__(self) -> None:
        if min(self.planted, self.errors) < 0 or self.tries < 1:
            raise PhospheneError(
                f"bad_step wants planted and errors >= 0 and tries >= 1; got {self.planted}, "
                f"{self.errors}, {self.tries}"
            )

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        thoughts = thinks(subject)
        parts = list(even(subject.problems, subject.setup.batch))
        book.plan(2 * len(parts))
        told: list[Mapping[str, np.ndarray]] = []
        for number, part in enumerate(parts, 1):
            arms = Arms(subject, part)
            key = f"problems {part[0].seed} to {part[-1].seed}"
            one = book.arrays(f"changed, {key}", arms.disturbed, f"thoughts changed, {number}")
            two = book.arrays(f"spared, {key}", arms.spared, f"what is enough, {number}")
            told.append({**one, **two})
        found = needs.Needs(_joined(told), thoughts, subject.task.chance)
        planted = self._planted(subject, book)
        own = self._own(subject, book, found.values["clean right"].astype(bool))
        marks = [] if planted is None else blame.planted_findings(planted, found.able)
        claims = [*found.findings(), *marks, blame.own_finding(own, thoughts, found.able)]
        figures = {**found.figures(), **blame.figures(planted)}
        return Result(found.table(), claims, figures, [*found.notes(), *blame.notes(planted)])

    def _planted(self, subject: MindSubject, book: Notebook) -> np.ndarray | None:
        """Blamed thoughts `(items, plants, thoughts, methods)`; None where none was asked for."""
        if self.planted < 2:
            return None
        parts = list(even(subject.problems[: self.planted], subject.setup.batch))
        book.plan(len(parts))
        units = [
            book.arrays(
                f"planted, problems {p[0].seed} to {p[-1].seed}",
                lambda p=p: Arms(subject, p).planted(self.tries),
                f"errors planted, {n}",
            )
            for n, p in enumerate(parts, 1)
        ]
        return np.concatenate([u["named"] for u in units])

    def _own(
        self, subject: MindSubject, book: Notebook, right: np.ndarray
    ) -> Mapping[str, np.ndarray] | None:
        """What repairs do to problems answered wrong; None where there are too few."""
        wrong = [p for p, r in zip(subject.problems, right, strict=True) if not r][: self.errors]
        if len(wrong) < 2:
            return None
        parts = list(even(wrong, subject.setup.batch))
        book.plan(len(parts))
        units = [
            book.arrays(
                f"own errors, problems {p[0].seed} to {p[-1].seed}, {len(p)}",
                lambda p=p: Arms(subject, p).mended(self.tries),
                f"own errors, {n}",
            )
            for n, p in enumerate(parts, 1)
        ]
        return _joined(units)


def _joined(units: list[Mapping[str, np.ndarray]]) -> dict[str, np.ndarray]:
    return {k: np.concatenate([u[k] for u in units]) for k in units[0]}


COMPONENT = BadStep
