"""prontoqa: does a property that some kind has reach Tom through a chain of kinds?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.nouns import NOUNS
from phosphene.minds.task import TextProblem, TextTask
from phosphene.task import Split, held_out

PROPERTIES = ("bitter", "bright", "cold", "dull", "fast", "loud", "red", "shy", "small", "wet")
Fact = tuple[str, bool, str]


@dataclass(frozen=True)
class ProntoQA(TextTask):
    """Two chains of kinds are told, shuffled together. The kind at the end of one has the property
    asked about and the kind at the end of the other lacks it, so counting polarities tells nothing;
    further properties are told of both chains in the same way.

    Args:
        nouns: size of the vocabulary of kinds, up to 40.
        hops: most edges from Tom's kind to the one that the property is told of.
        least: fewest, 1 to hops.
        facts: further properties, each told of one kind of either chain, up to hops.

    References:
        Language Models Are Greedy Reasoners (Saparov and He, 2023),
        https://arxiv.org/abs/2210.01240: the form; what is dealt here is our own
    """

    nouns: int = 24
    hops: int = 4
    least: int = 2
    facts: int = 1
    name: ClassVar[str] = "prontoqa"
    ABOUT: ClassVar[str] = "true or false: a property passed along a chain of made-up kinds"

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.hops:
            raise PhospheneError(
                f"prontoqa needs 1 <= least <= hops; got {self.least}, {self.hops}"
            )
        if not 0 <= self.facts <= min(self.least, len(PROPERTIES) - 1):
            raise PhospheneError(
                f"prontoqa has 0 to {min(self.least, len(PROPERTIES) - 1)} further facts with "
                f"least {self.least}; got {self.facts}"
            )
        needed = 2 * (self.hops + 1)
        if not needed <= self.nouns <= len(NOUNS):
            raise PhospheneError(
                f"prontoqa with {self.hops} hops needs {needed} to {len(NOUNS)} nouns; "
                f"got {self.nouns}"
            )

    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        for attempt in range(1000):
            rng = np.random.default_rng([seed, attempt])
            size = int(rng.integers(self.least, self.hops + 1)) + 1
            names = [NOUNS[i] for i in rng.permutation(self.nouns)[: 2 * size]]
            chains = [names[:size], names[size:]]
            properties = [PROPERTIES[i] for i in rng.permutation(len(PROPERTIES))]
            facts = [*_edges(chains), *self._properties(chains, properties, rng)]
            # Tom is left out: facts that were trained on are in no test question.
            key = " ".join(sorted(_sentence(*fact) for fact in facts))
            if held_out(key, 8) is (split == "test"):
                told = [facts[i] for i in rng.permutation(len(facts))]
                return self._told(chains, told, properties[0], int(rng.integers(2)), seed, split)
        raise PhospheneError(f"prontoqa found no {split} facts for seed {seed}; ask for more nouns")

    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        """The same facts and question with Tom at the head of the other chain; there is but one,
        whatever the seed."""
        s = problem.state
        facts: list[Fact] = [(a, bool(polar), b) for a, polar, b in s["facts"]]
        at = 1 - s["at"]
        return self._told(s["chains"], facts, s["property"], at, problem.seed, problem.split)

    def words(self) -> Sequence[str]:
        return (*NOUNS[: self.nouns], *PROPERTIES, "tom", "not", ".", "?", "true", "false")

    @property
    def chance(self) -> float:
        return 0.5

    def _properties(
        self, chains: list[list[str]], properties: list[str], rng: np.random.Generator
    ) -> list[Fact]:
        """The property asked about at both ends, and the further ones on the way there."""
        last = len(chains[0]) - 1
        places = [last, *(int(i) for i in rng.permutation(last)[: self.facts])]
        facts: list[Fact] = []
        for place, quality in zip(places, properties, strict=False):
            polar = bool(rng.integers(2))
            facts += [(chains[0][place], polar, quality), (chains[1][place], not polar, quality)]
        return facts

    def _told(
        self,
        chains: list[list[str]],
        facts: list[Fact],
        asked: str,
        at: int,
        seed: int,
        split: Split,
    ) -> TextProblem:
        """The question with Tom at the head of chain `at`."""
        chain = chains[at]
        truth = next(polar for kind, polar, what in facts if (kind, what) == (chain[-1], asked))
        state: dict[str, Any] = {
            "hops": len(chain) - 1,
            "facts": [list(fact) for fact in facts],
            "chains": chains,
            "at": at,
            "root": chain[0],
            "frontiers": [[kind] for kind in chain[1:]],
            "property": asked,
        }
        words = " ".join(_sentence(*fact) for fact in facts)
        return TextProblem(
            self.name,
            seed,
            split,
            f"{words} Tom is a {chain[0]}. Is Tom {asked}?",
            (*(f"Tom is a {kind}." for kind in chain[1:]), f"Tom is {_maybe(truth)}{asked}."),
            "true" if truth else "false",
            options=("true", "false"),
            values={f"hop {i}": kind for i, kind in enumerate(chain[1:], 1)},
            state=state,
        )


def _edges(chains: list[list[str]]) -> list[Fact]:
    return [(a, True, b) for chain in chains for a, b in pairwise(chain)]


def _sentence(kind: str, polar: bool, what: str) -> str:
    article = "" if what in PROPERTIES else "a "
    return f"Every {kind} is {_maybe(polar)}{article}{what}."


def _maybe(polar: bool) -> str:
    return "" if polar else "not "


COMPONENT = ProntoQA
