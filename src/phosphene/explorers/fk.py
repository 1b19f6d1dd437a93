"""Feynman-Kac steering: particles that multiply and die out while they are made."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.branching import branched, by_group, check_shares, looks, require_branching
from phosphene.exploring.merit import best
from phosphene.exploring.mutation import redrawn

POTENTIALS = ("max", "diff", "sum")


@dataclass
class _Particle:
    """A sample on its way, with the rewards of its line, oldest first."""

    preview: Candidate
    rewards: list[float]


@dataclass
class _Group:
    """The particles of one prompt.

    Attributes:
        looks: steps after which to look.
        passed: how many of the looks are behind.
        particles: those that go on, in order of place; empty before the first look, and of a group
            that has come to its end.
        asked: the rewards so far of those that were asked for last.
    """

    looks: list[int]
    passed: int = 0
    particles: list[_Particle] = field(default_factory=list)
    asked: list[list[float]] = field(default_factory=list)


@dataclass
class FK(Explorer):
    """Feynman-Kac particle steering, `particles` of one prompt at a time.

        x^1 .. x^k ~ p(x | prompt), denoised to the next look;  r^i = quality of the preview
        G^i = exp(lam max_s r_s) | exp(lam (r_t - r_t-1)) | exp(lam sum_s r_s)
        resample k of them in proportion to G;  go on, and look again, to the end

    Resampling is systematic. A deterministic sampler keeps copies alike for ever, so all copies of
    a particle but the first exchange a share b of their noise for a fresh draw before they go on;
    the steps behind them are not made again.

    Args:
        particles: k, of each prompt, at least 2.
        lam: how strongly the potentials prefer; qualities lie in 0..1.
        potential: `max` of the rewards so far, `diff` to the last one, or their `sum`.
        shares: when to look, shares of the steps, rising.
        b: share of the noise that copies exchange, 0..1.

    Attributes:
        winners: ids of the best of each group, in the order in which they were found.

    Raises:
        PhospheneError: a setting out of its range; when asked, a backbone without previews or
            steering.

    References:
        A General Framework for Inference-time Scaling and Steering of Diffusion Models (Singhal et
        al., 2025), algorithm 1, https://arxiv.org/abs/2501.06848
    """

    name = "fk"

    particles: int = 4
    lam: float = 10.0
    potential: str = "max"
    shares: Sequence[float] = (0.2, 0.4, 0.6, 0.8)
    b: float = 0.7
    winners: list[str] = field(default_factory=list, init=False)
    _groups: list[_Group] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        self.shares = check_shares(self.shares, self.name)
        if self.particles < 2 or not 0 <= self.lam <= 1000:
            raise PhospheneError(
                f"fk: particles must be at least 2 and lam lie in 0..1000; got {self.particles}, "
                f"{self.lam}"
            )
        if self.potential not in POTENTIALS:
            raise PhospheneError(
                f"fk: potential is one of {', '.join(POTENTIALS)}; got {self.potential!r}"
            )
        if not 0 < self.b <= 1:
            raise PhospheneError(f"fk: b lies in 0..1; got {self.b}")

    def ask(self, count: int, view: View) -> list[Proposal]:
        require_branching(view.space, self.name)
        self._groups = [g for g in self._groups if g.particles]
        if self._groups:
            return [p for i, g in enumerate(self._groups) for p in self._onward(i, g, view)]
        groups = max(1, count // self.particles)
        return [p for place in range(groups) for p in self._start(place, view)]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        told = by_group(candidates)
        for place, group in enumerate(self._groups):
            self._take(group, told.get(place, []), view)

    def _start(self, place: int, view: View) -> list[Proposal]:
        first = view.space.random(view.rng)
        stops = looks(self.shares, view.space.steps_of(first), self.name)
        self._groups.append(_Group(stops, asked=[[] for _ in range(self.particles)]))
        others = self.particles - 1
        genomes = [first, *(redrawn(first, view.space, view.rng) for _ in range(others))]
        return [
            Proposal(g, "fresh", stop=stops[0], note={"group": place, "particle": i})
            for i, g in enumerate(genomes)
        ]

    def _onward(self, place: int, group: _Group, view: View) -> list[Proposal]:
        weights = potentials([p.rewards for p in group.particles], self.lam, self.potential)
        chosen = systematic(weights, self.particles, view.rng)
        step = group.looks[group.passed - 1]
        stop = group.looks[group.passed] if group.passed < len(group.looks) else None
        group.asked, proposals = [], []
        for number, index in enumerate(chosen):
            particle = group.particles[index]
            tip = particle.preview
            copy = number > 0 and chosen[number - 1] == index
            genome = branched(tip.genome, step, self.b, view.rng) if copy else tip.genome
            operator = "renoise" if copy else "onward"
            note = {"group": place, "particle": number}
            proposals.append(Proposal(genome, operator, (tip.id,), stop, tip.id, note))
            group.asked.append(particle.rewards)
        return proposals

    def _take(self, group: _Group, told: Sequence[Candidate], view: View) -> None:
        """Note the rewards of the previews, or name the best of the finished ones."""
        finished = [c for c in told if c.finished]
        if finished:
            self.winners.append(best(finished, view.archive).id)
        group.passed += 1
        group.particles = [
            _Particle(c, [*group.asked[c.proposal.note["particle"]], c.quality])
            for c in told
            if c.proposal.stop is not None
        ]


def potentials(rewards: Sequence[Sequence[float]], lam: float, kind: str) -> np.ndarray:
    """Weights float64 `(k,)`, of sum 1, from the rewards of each particle's line, oldest first."""
    if kind == "max":
        logs = [max(line) for line in rewards]
    elif kind == "sum":
        logs = [sum(line) for line in rewards]
    else:
        logs = [line[-1] - (line[-2] if len(line) > 1 else 0.0) for line in rewards]
    scaled = lam * np.asarray(logs, np.float64)
    weights = np.exp(scaled - scaled.max())
    return weights / weights.sum()


def systematic(weights: np.ndarray, count: int, rng: np.random.Generator) -> list[int]:
    """Draw `count` places, rising: each one floor or ceil of `count` times its weight often."""
    positions = (rng.random() + np.arange(count)) / count
    edges = np.cumsum(weights)
    edges[-1] = 1.0
    return np.searchsorted(edges, positions, side="right").tolist()


COMPONENT = FK
