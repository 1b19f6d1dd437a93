"""Random search: independent draws. What every other explorer has to beat."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from phosphene.candidate import Candidate, Proposal
from phosphene.explorer import Explorer, View


@dataclass
class Random(Explorer):
    """Draws from the space, and learns nothing."""

    name = "random"

    def ask(self, count: int, view: View) -> list[Proposal]:
        return [Proposal(view.space.random(view.rng), "fresh") for _ in range(count)]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        pass


COMPONENT = Random
