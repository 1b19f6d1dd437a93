"""prosqa: which of two kinds does a chain of made-up kinds lead to?"""

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


@dataclass(frozen=True)
class ProsQA(TextTask):
    """Two trees of one shape are told, their edges shuffled together; Tom stands at the root of one
    and the candidates are the ends of both long branches. Only reachability tells them apart: they
    are equally deep, and every noun of one tree has its like in the other.

    Args:
        nouns: size of the vocabulary of kinds, up to 40.
        hops: most edges from Tom's kind to the answer.
        least: fewest, 1 to hops.
        branches: side edges of a tree that leave the long branch, one node deep.

    References:
        Training Large Language Models to Reason in a Continuous Latent Space (Hao et al., 2024),
        https://arxiv.org/abs/2412.06769, section 5.1: graphs of this kind, there not of one shape
    """

    nouns: int = 24
    hops: int = 4
    least: int = 2
    branches: int = 2
    name: ClassVar[str] = "prosqa"
    ABOUT: ClassVar[str] = "reachability in a freshly dealt graph of made-up kinds"

    def __post_init__(self) -> None:
        if not 1 <= self.least <= self.hops or self.branches < 0:
            raise PhospheneError(
                f"prosqa needs 1 <= least <= hops and branches >= 0; got {self.least}, "
                f"{self.hops}, {self.branches}"
            )
        needed = 2 * (self.hops + 1 + self.branches)
        if not needed <= self.nouns <= len(NOUNS):
            raise PhospheneError(
                f"prosqa with {self.hops} hops and {self.branches} branches needs {needed} to "
                f"{len(NOUNS)} nouns; got {self.nouns}"
            )

    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        for attempt in range(1000):
            rng = np.random.default_rng([seed, attempt])
            hops = int(rng.integers(self.least, self.hops + 1))
            trees = self._trees(hops, rng)
            edges = [edge for _, tree in trees for edge in tree]
            # Tom and the order are left out: a graph that was trained on is in no test question.
            if held_out(" ".join(sorted("-".join(e) for e in edges)), 8) is (split == "test"):
                told = [list(edges[i]) for i in rng.permutation(len(edges))]
                chains = [list(chain) for chain, _ in trees]
                ends = [chains[i][-1] for i in rng.permutation(2)]
                return self._told(chains, told, ends, int(rng.integers(2)), seed, split)
        raise PhospheneError(f"prosqa found no {split} graph for seed {seed}; ask for more nouns")

    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        """The same graph and candidates with Tom at the other root; there is but one, whatever the
        seed."""
        s = problem.state
        other = 1 - s["at"]
        return self._told(
            s["chains"], s["edges"], list(problem.options), other, problem.seed, problem.split
        )

    def words(self) -> Sequence[str]:
        return (*NOUNS[: self.nouns], "tom", "or", ".", "?")

    @property
    def chance(self) -> float:
        return 0.5

    def _trees(
        self, hops: int, rng: np.random.Generator
    ) -> list[tuple[list[str], list[tuple[str, str]]]]:
        """Two times the long branch, root first, and all edges."""
        size = hops + 1 + self.branches
        names = [NOUNS[i] for i in rng.permutation(self.nouns)[: 2 * size]]
        # Side edges leave at as many different depths as can be.
        places = [int(p) for _ in range(self.branches) for p in rng.permutation(hops)]
        trees = []
        for own in (names[:size], names[size:]):
            chain, side = own[: hops + 1], own[hops + 1 :]
            leaves = [(chain[at], leaf) for at, leaf in zip(places, side, strict=False)]
            trees.append((chain, [*pairwise(chain), *leaves]))
        return trees

    def _told(
        self,
        chains: list[list[str]],
        edges: list[list[str]],
        ends: list[str],
        at: int,
        seed: int,
        split: Split,
    ) -> TextProblem:
        """The question with Tom at the root of tree `at`."""
        chain = chains[at]
        facts = " ".join(f"Every {a} is a {b}." for a, b in edges)
        state: dict[str, Any] = {
            "hops": len(chain) - 1,
            "edges": edges,
            "chains": chains,
            "at": at,
            "root": chain[0],
            "frontiers": _frontiers(chain[0], edges),
            "rival": chains[1 - at][-1],
        }
        return TextProblem(
            self.name,
            seed,
            split,
            f"{facts} Tom is a {chain[0]}. Is Tom a {ends[0]} or a {ends[1]}?",
            tuple(f"{a.capitalize()} is a {b}." for a, b in pairwise(chain)),
            chain[-1],
            options=tuple(ends),
            values={f"hop {i}": noun for i, noun in enumerate(chain[1:], 1)},
            state=state,
        )


def _frontiers(root: str, edges: Sequence[Sequence[str]]) -> list[list[str]]:
    """For depth 1, 2, ... the nouns that so many edges lead to, in order of the alphabet."""
    frontiers, here = [], {root}
    while here := {b for a, b in edges if a in here}:
        frontiers.append(sorted(here))
    return frontiers


COMPONENT = ProsQA
