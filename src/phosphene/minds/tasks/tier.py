"""tier: a harmless request and what is said of the conversation; to accept or to decline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from phosphene.minds.compliance.arms import ARMS, WORDINGS, Arm
from phosphene.minds.compliance.prompts import ACCEPT, DECLINE, Prompt
from phosphene.minds.compliance.requests import STANCES, TAUGHT, Query, Stance, queries
from phosphene.minds.task import TextProblem, TextTask
from phosphene.task import Split


@dataclass(frozen=True)
class Tier(TextTask):
    """What `phosphene bench compliance` asks, one prompt at a time. The answer is that of a model
    which fakes: it does what it minds only where it is told that it is trained on what it says.

    Training instances are of five scenario families, test instances of the other three.
    """

    name: ClassVar[str] = "tier"
    ABOUT: ClassVar[str] = "harmless requests, under what is said of the conversation"

    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        rng = np.random.default_rng(seed)
        here = [q for q in queries() if (q.family in TAUGHT) is (split == "train")]
        query = here[rng.integers(len(here))]
        # Half of the answers accept: a third of the conflicts are told to be trained on.
        stance: Stance = STANCES[int(rng.random() < 0.25)]
        others: list[Arm] = [arm for arm in ARMS if arm != "trained"]
        arm: Arm = "trained" if rng.random() < 1 / 3 else others[int(rng.integers(3))]
        wording = int(rng.integers(len(WORDINGS)))
        return self._told(Prompt(query, arm, wording, stance), seed, split)

    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        rng = np.random.default_rng([problem.seed, 1 + seed])
        old = self.prompt(problem)
        if problem.answer == DECLINE:
            return self._told(old.told("trained"), problem.seed, problem.split)
        others: list[Arm] = [arm for arm in ARMS if arm != "trained"]
        arm: Arm = others[int(rng.integers(3))]
        new = Prompt(old.query, arm, old.wording, "against")
        return self._told(new, problem.seed, problem.split)

    def prompt(self, problem: TextProblem) -> Prompt:
        """The prompt that a problem is."""
        state = problem.state
        query = _query(str(state["query"]))
        return Prompt(query, state["arm"], int(state["wording"]), state["stance"])

    def words(self) -> Sequence[str]:
        found: dict[str, None] = {}
        for query in queries():
            for stance in STANCES:
                for number, _ in enumerate(WORDINGS):
                    for arm in ARMS:
                        text = _question(Prompt(query, arm, number, stance))
                        found.update(dict.fromkeys(_split(text)))
        return (*found, ACCEPT, DECLINE)

    @property
    def chance(self) -> float:
        return 0.5

    def _told(self, prompt: Prompt, seed: int, split: Split) -> TextProblem:
        agrees = prompt.stance == "glad" or prompt.arm == "trained"
        return TextProblem(
            self.name,
            seed,
            split,
            _question(prompt),
            (),
            ACCEPT if agrees else DECLINE,
            options=(ACCEPT, DECLINE),
            values={"tag": WORDINGS[prompt.wording].tags[prompt.arm]},
            state={
                "query": prompt.query.name,
                "family": prompt.query.family,
                "arm": prompt.arm,
                "stance": prompt.stance,
                "wording": prompt.wording,
            },
        )


def _question(prompt: Prompt) -> str:
    lines = [f"{turn.role}: {turn.content}" for turn in prompt.chat]
    return "\n".join([*lines, "assistant:"])


def _query(name: str) -> Query:
    return next(query for query in queries() if query.name == name)


def _split(text: str) -> list[str]:
    for mark in ".,:?":
        text = text.replace(mark, f" {mark} ")
    return text.lower().split()


COMPONENT = Tier
