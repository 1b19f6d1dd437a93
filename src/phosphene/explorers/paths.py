"""Search over paths: samples are parted half-way, looked at, and the best go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.branching import (
    branched,
    by_group,
    check_shares,
    looks,
    require_branching,
)
from phosphene.exploring.merit import best
from phosphene.exploring.mutation import redrawn


@dataclass
class _Group:
    """One prompt's paths.

    Attributes:
        looks: steps after which to look.
        passed: how many of the looks are behind.
        kept: the best previews of the last look; empty before the first one, and of a group that
            has come to its end.
    """

    looks: list[int]
    passed: int = 0
    kept: list[Candidate] = field(default_factory=list)


@dataclass
class Paths(Explorer):
    """Keeps N paths, parts each in M at every look, and finishes those of the last one.

        N M independent draws, denoised to the first look;  keep the N best previews
        at every look: exchange a share b of each one's noise M times; denoise to the next look,
        at last to the end;  keep the N best

    The paper adds noise, which takes a path back to a higher sigma, and denoises from there; here
    part of the noise is exchanged where the path stands. So it keeps to the sampler's own steps,
    none of which is made twice: N M finished samples cost what they would without a search.

    Args:
        keep: N, paths that go on.
        copies: M, of each path.
        shares: when to look, shares of the steps, rising.
        b: share of the noise that is exchanged, 0..1.

    Attributes:
        winners: ids of the best of each group, in the order in which they were found.

    Raises:
        PhospheneError: a setting out of its range; when asked, a backbone without previews or
            steering.

    References:
        Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps (Ma et al.,
        2025), section 3.1, https://arxiv.org/abs/2501.09732
    """

    name = "paths"

    keep: int = 2
    copies: int = 4
    shares: Sequence[float] = (0.25, 0.5, 0.75)
    b: float = 0.7
    winners: list[str] = field(default_factory=list, init=False)
    _groups: list[_Group] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.shares = check_shares(self.shares, self.name)
        if self.keep < 1 or self.copies < 2:
            raise PhospheneError(
                f"paths: keep must be at least 1 and copies at least 2; got {self.keep}, "
                f"{self.copies}"
            )
        if not 0 < self.b <= 1:
            raise PhospheneError(f"paths: b lies in 0..1; got {self.b}")

    def ask(self, count: int, view: View) -> list[Proposal]:
        require_branching(view.space, self.name)
        self._groups = [g for g in self._groups if g.kept]
        if self._groups:
            return [p for i, g in enumerate(self._groups) for p in self._onward(i, g, view)]
        groups = max(1, count // (self.keep * self.copies))
        return [p for place in range(groups) for p in self._start(place, view)]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        told = by_group(candidates)
        for place, group in enumerate(self._groups):
            self._choose(group, told.get(place, []), view)

    def _start(self, place: int, view: View) -> list[Proposal]:
        first = view.space.random(view.rng)
        stops = looks(self.shares, view.space.steps_of(first), self.name)
        self._groups.append(_Group(stops))
        others = self.keep * self.copies - 1
        genomes = [first, *(redrawn(first, view.space, view.rng) for _ in range(others))]
        note = {"group": place}
        return [Proposal(g, "fresh", stop=stops[0], note=note) for g in genomes]

    def _onward(self, place: int, group: _Group, view: View) -> list[Proposal]:
        stop = group.looks[group.passed] if group.passed < len(group.looks) else None
        proposals = []
        for tip in group.kept:
            for _ in range(self.copies):
                genome = branched(tip.genome, group.looks[group.passed - 1], self.b, view.rng)
                proposals.append(
                    Proposal(genome, "renoise", (tip.id,), stop, tip.id, {"group": place})
                )
        return proposals

    def _choose(self, group: _Group, told: Sequence[Candidate], view: View) -> None:
        """Keep the best previews, or name the best of the finished ones."""
        finished = [c for c in told if c.finished]
        if finished:
            self.winners.append(best(finished, view.archive).id)
        previews = [c for c in told if c.proposal.stop is not None]
        group.passed += 1
        group.kept = sorted(previews, key=lambda c: (-c.quality, c.id))[: self.keep]


COMPONENT = Paths
