"""Best of n: independent samples of one prompt, the best of which is kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.merit import best
from phosphene.exploring.mutation import redrawn


@dataclass
class BestOfN(Explorer):
    """The plain baseline of search at inference time ("random search" there).

        for each prompt: x_1 .. x_n ~ p(x | prompt);  keep argmax_i f(x_i)

    Args:
        n: samples of a prompt, at least 2.

    Attributes:
        winners: ids of the best of each group, in the order in which they were found.

    Raises:
        PhospheneError: n below 2.

    References:
        Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps (Ma et al.,
        2025), section 3.1, https://arxiv.org/abs/2501.09732
    """

    name = "best_of_n"

    n: int = 8
    winners: list[str] = field(default_factory=list, init=False)
    _groups: int = field(default=0, init=False)

    def __post_init__(self) -> None:
        if self.n < 2:
            raise PhospheneError(f"best_of_n: n must be at least 2; got {self.n}")

    def ask(self, count: int, view: View) -> list[Proposal]:
        proposals = []
        for _ in range(max(1, count // self.n)):
            first = view.space.random(view.rng)
            rest = [redrawn(first, view.space, view.rng) for _ in range(self.n - 1)]
            note = {"group": self._groups}
            proposals += [Proposal(g, "fresh", note=note) for g in (first, *rest)]
            self._groups += 1
        return proposals

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        groups: dict[int, list[Candidate]] = {}
        for candidate in candidates:
            if candidate.finished and "group" in candidate.proposal.note:
                groups.setdefault(candidate.proposal.note["group"], []).append(candidate)
        for members in groups.values():
            self.winners.append(best(members, view.archive).id)


COMPONENT = BestOfN
