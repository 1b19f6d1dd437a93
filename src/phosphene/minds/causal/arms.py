"""Arms of the do-set: what becomes of a batch's answers when thoughts are changed."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import numpy as np
import torch

from phosphene.minds.causal.chain import (
    Chain,
    follow,
    onwards,
    opened,
    put,
)
from phosphene.minds.causal.changes import KINDS, changed, jolted, others_mean
from phosphene.minds.causal.finder import METHODS, named, scores
from phosphene.minds.causal.repair import repaired
from phosphene.minds.causal.stakes import Stakes, answer_ids, stakes
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import State, fork

PLANTS = ("other", "twin")
UNSCORED = -2  # the planted error broke nothing, or there is no repair


class Arms:
    """A batch of problems, its undisturbed run and its twins'."""

    def __init__(self, subject: MindSubject, problems: Sequence[TextProblem]) -> None:
        self.subject, self.problems = subject, problems
        twins = [subject.task.twin(p) for p in problems]
        with torch.no_grad():
            self.state: State = opened(subject, problems)
            self.clean: Chain = follow(subject, self.state)
            self.twin: Chain = follow(subject, opened(subject, twins))
        self.measure: Stakes = stakes(subject, problems)
        self.theirs = answer_ids(subject, twins)

    @torch.no_grad()
    def disturbed(self) -> dict[str, np.ndarray]:
        """One thought changed, later ones free; arrays begin with the problems' axis.

        Returns:
            `clean lead`, `clean right`, `clean theirs` `(b,)`; for each kind of change and its
            placebo `lead`, `right`, `theirs` (the twin's answer is said) `(b, kinds, thoughts)`.
        """
        count = self.subject.thoughts
        out: dict[str, list[list[dict[str, np.ndarray]]]] = {"": [], "placebo ": []}
        for salt, kind in enumerate(KINDS):
            to = changed(kind, self.clean.fed, self.twin.fed)
            jolt = jolted(self.clean.fed, to, self.problems, salt)
            for arm, values in (("", to), ("placebo ", jolt)):
                out[arm].append([self._outcome({t: values[t]}) for t in range(count)])
        found = {f"clean {k}": v for k, v in self._of(self.clean).items()}
        for arm, kinds in out.items():
            for measure in ("lead", "right", "theirs"):
                rows = [[cell[measure] for cell in line] for line in kinds]
                found[arm + measure] = np.moveaxis(np.array(rows), -1, 0)
        return found

    @torch.no_grad()
    def spared(self) -> dict[str, np.ndarray]:
        """What is enough: few thoughts, one thought, another's chain.

        Returns:
            `early right` `(b, thoughts + 1)`, answered after 0 .. T thoughts; `alone right`, `alone
            lead` `(b, thoughts)`, all others at the mean; `none right`, `none lead` `(b,)`, all at
            the mean; `swapped right`, `swapped theirs` `(b,)`, the twin's whole chain; `swapped
            placebo right`, `swapped placebo theirs`, every thought moved as far at random.
        """
        count, subject = self.subject.thoughts, self.subject
        early = [onwards(subject, fork(self.state), t) for t in range(count + 1)]
        mean = others_mean(self.clean.fed)
        blank = {t: mean[t] for t in range(count)}
        alone = [self._outcome({**blank, t: self.clean.fed[t]}) for t in range(count)]
        none = self._outcome(blank)
        swapped = self._outcome({t: self.twin.fed[t] for t in range(count)})
        jolt = jolted(self.clean.fed, self.twin.fed, self.problems, len(KINDS))
        pushed = self._outcome({t: jolt[t] for t in range(count)})
        return {
            "early right": np.stack([self._of(e)["right"] for e in early], 1),
            "alone right": np.stack([a["right"] for a in alone], 1),
            "alone lead": np.stack([a["lead"] for a in alone], 1),
            "none right": none["right"],
            "none lead": none["lead"],
            "swapped right": swapped["right"],
            "swapped theirs": swapped["theirs"],
            "swapped placebo right": pushed["right"],
            "swapped placebo theirs": pushed["theirs"],
        }

    def planted(self, tries: int) -> dict[str, np.ndarray]:
        """Which thought each method blames for an error put into each thought.

        Returns:
            `named` int `(b, plants, thoughts, methods)`: UNSCORED where the answer did not break.
        """
        subject, count = self.subject, self.subject.thoughts
        good = repaired(subject, self.problems, tries)
        right = self.measure.right(self.clean.answer).cpu().numpy() & good.found
        shape = (len(self.problems), len(PLANTS), count, len(METHODS))
        out = np.full(shape, UNSCORED)
        aids: dict[Literal["repair", "blank", "clean"], torch.Tensor] = {
            "repair": good.thoughts,
            "blank": others_mean(self.clean.fed),
            "clean": self.clean.fed,
        }
        for k, plant in enumerate(PLANTS):
            wrong = changed("twin" if plant == "twin" else "other", self.clean.fed, self.twin.fed)
            for t in range(count):
                with torch.no_grad():
                    bad = follow(subject, self.state, put({t: wrong[t]}))
                broke = right & ~self.measure.right(bad.answer).cpu().numpy()
                if not broke.any():
                    continue
                told = scores(subject, self.state, bad.fed, aids, self.measure)
                for m, method in enumerate(METHODS):
                    out[broke, k, t, m] = named(told[method])[broke]
        return {"named": out}

    @torch.no_grad()
    def mended(self, tries: int) -> dict[str, np.ndarray]:
        """Own errors of the mind: a good thought put into its own chain, thought by thought.

        Returns:
            `found` `(b,)`: there is a repair; `right`, `placebo right`, `restored`
            `(b, thoughts)`.
        """
        good = repaired(self.subject, self.problems, tries)
        jolt = jolted(self.clean.fed, good.thoughts, self.problems)
        count = self.subject.thoughts
        put_in = [self._outcome({t: good.thoughts[t]}) for t in range(count)]
        pushed = [self._outcome({t: jolt[t]}) for t in range(count)]
        own = self._of(self.clean)["lead"]
        return {
            "found": good.found,
            "right": np.stack([r["right"] for r in put_in], 1),
            "placebo right": np.stack([r["right"] for r in pushed], 1),
            "restored": np.stack([r["lead"] - own for r in put_in], 1),
        }

    def _outcome(self, values: dict[int, torch.Tensor]) -> dict[str, np.ndarray]:
        return self._of(follow(self.subject, self.state, put(values)))

    def _of(self, chain: Chain) -> dict[str, np.ndarray]:
        return {
            "lead": self.measure.lead(chain.answer).float().cpu().numpy(),
            "right": self.measure.right(chain.answer).cpu().numpy(),
            "theirs": (chain.answer.argmax(-1) == self.theirs).cpu().numpy(),
        }
