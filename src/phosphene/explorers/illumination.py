"""Illumination: a population that spreads out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.mutation import mutated


@dataclass
class Illumination(Explorer):
    """ASAL's illumination: a fixed number of candidates, as unlike each other as can be.

        P independent draws
        repeat: parents drawn evenly;  children = parents, mutated;  until P are
            left: remove the one whose mean distance to its k nearest is least

    The paper's population starts at zero and takes additive steps; noise here starts as independent
    draws and its steps keep it white. Quality plays no part.

    Args:
        population: P.
        neighbours: k, whose mean distance is the novelty.
        b: length of a step of noise, 0..1.
        words: share of children whose prompt changes instead of their noise.

    Attributes:
        members: the population, oldest first.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Automating the Search for Artificial Life with Foundation Models (Kumar et al., 2024),
        https://arxiv.org/abs/2412.17799
    """

    name = "illumination"

    population: int = 64
    neighbours: int = 2
    b: float = 0.7
    words: float = 0.2
    members: list[Candidate] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if not 1 <= self.neighbours < self.population:
            raise PhospheneError(
                f"illumination: neighbours must be at least 1 and fewer than the population; got "
                f"{self.neighbours}, {self.population}"
            )
        if not 0 < self.b <= 1 or not 0 <= self.words <= 1:
            raise PhospheneError(
                f"illumination: b and words lie in 0..1; got {self.b}, {self.words}"
            )

    def ask(self, count: int, view: View) -> list[Proposal]:
        proposals = []
        for _ in range(count):
            if len(self.members) < self.population:
                proposals.append(Proposal(view.space.random(view.rng), "fresh"))
                continue
            parent = self.members[view.rng.integers(len(self.members))]
            genome, operator = mutated(parent.genome, view.space, view.rng, self.b, self.words)
            proposals.append(Proposal(genome, operator, (parent.id,)))
        return proposals

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        crowd = [*self.members, *(c for c in candidates if c.finished)]
        if len(crowd) <= self.population:
            self.members = crowd
            return
        left = spread(np.stack([c.vector for c in crowd]), self.population, self.neighbours)
        self.members = [crowd[i] for i in left]


def spread(vectors: np.ndarray, count: int, k: int) -> list[int]:
    """Places of the `count` that are left when the least novel one goes, again and again.

    Args:
        vectors: unit float32 `(n, d)`.
        k: novelty is the mean cosine distance to the k nearest that are left; of equals the later
            one goes.
    """
    apart = 1 - vectors @ vectors.T
    np.fill_diagonal(apart, np.inf)
    left = np.arange(len(vectors))
    while len(left) > count:
        near = min(k, len(left) - 1)
        novelty = np.partition(apart, near - 1, 1)[:, :near].mean(1)
        out = len(left) - 1 - int(novelty[::-1].argmin())
        keep = np.arange(len(left)) != out
        left, apart = left[keep], apart[np.ix_(keep, keep)]
    return left.tolist()


COMPONENT = Illumination
