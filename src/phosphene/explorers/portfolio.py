"""Portfolio: every operator that is able, each as much as it earns. The default."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.bandit import Bandit
from phosphene.exploring.breeding import FRESH, bred, fresh, stepping
from phosphene.exploring.credit import Credit
from phosphene.exploring.dominated import Elite
from phosphene.exploring.screening import Screening
from phosphene.operator import Operator

_LIKED = 0.03  # fitness above quality: people's doing


@dataclass
class Portfolio(Explorer):
    """Discounted UCB1 over operators, on an elite of dominated novelty, with previews screened.

        arms     the operators that are able here, pcn once for each of `b`
        credit   of a child: by how much it raises the QD score about it, over its denoiser calls
        parents  win a tournament on dominated novelty; some by chance, some because people like
                 them

    Args:
        b: lengths of steps of noise, each an arm.
        gamma, floor, reach: see `Bandit`.
        fresh: share of independent draws beside the bandit's own.
        capacity, tournament, neighbours: see `Dominated`.
        uniform: share of parents drawn evenly from the elite.
        liked: share of parents drawn from what people like, once they like something.
        radius: see `Credit`.
        screen: whether previews are screened, where the backbone can show any.
        times, share, quality, spread: see `Screening`.

    Attributes:
        screening: what is known of previews here, among it why screening stopped.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Adaptive Operator Selection with Dynamic Multi-Armed Bandits (DaCosta et al., 2008),
        https://doi.org/10.1145/1389095.1389272
    """

    name = "portfolio"

    b: tuple[float, ...] = (0.3, 0.5, 0.7, 0.9)
    gamma: float = 0.95
    floor: float = 0.05
    reach: float = 1.0
    fresh: float = 0.1
    capacity: int = 96
    tournament: int = 4
    neighbours: int = 3
    uniform: float = 0.1
    liked: float = 0.1
    radius: float = 1.3
    screen: bool = True
    times: int = 3
    share: float = 0.2
    quality: float = 0.5
    spread: float = 0.2
    screening: Screening = field(init=False)
    _bandit: Bandit = field(init=False)
    _elite: Elite = field(init=False)
    _gains: Credit = field(init=False)
    _previews: list[Candidate] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        shares = (self.fresh, self.uniform, self.liked)
        if (
            not all(0 <= s <= 1 for s in shares)
            or not self.b
            or not all(0 < b <= 1 for b in self.b)
        ):
            raise PhospheneError(
                f"portfolio: fresh, uniform, liked and each of b lie in 0..1, b not at 0; got "
                f"{shares}, {self.b}"
            )
        counts = (self.capacity, self.tournament, self.neighbours)
        if min(counts) < 1 or not self.radius > 0:
            raise PhospheneError(
                f"portfolio: capacity, tournament and neighbours must be at least 1, radius above "
                f"0; got {counts}, {self.radius}"
            )
        self.screening = Screening(self.times, self.share, self.quality, self.spread)
        self._bandit = Bandit(self.gamma, self.floor, self.reach)
        self._elite = Elite(self.capacity, self.neighbours)
        self._gains = Credit(self.radius)

    def ask(self, count: int, view: View) -> list[Proposal]:
        chosen = self.screening.finish(self._previews, count, view)
        self._previews = []
        if chosen:
            return chosen
        self._elite.update(view.archive)
        if not self.screen or not self.screening.able(view.space):
            return self._proposals(count, view)
        wide = self._proposals(self.times * count, view)
        return [self.screening.preview(p, view.space) for p in wide]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        self.screening.learn(candidates, view.archive)
        self._previews = [c for c in candidates if c.proposal.stop is not None and not c.failed]
        self._credit(candidates, view)
        self._elite.update(view.archive, candidates)

    def _proposals(self, count: int, view: View) -> list[Proposal]:
        arms = self._arms(view)
        drawn = int(view.rng.binomial(count, self.fresh)) if self._elite.ids else count
        picks = self._bandit.pick([*arms], count - drawn, view.rng)
        liked = self._liked(view)
        parent = lambda: self._parent(liked, view.rng)  # noqa: E731
        out = []
        for arm in [FRESH] * (count - len(picks)) + picks:
            child = fresh(view) if arm == FRESH else bred(arms[arm], parent, view)
            out.append(replace(child, note={"arm": arm}))
        return out

    def _arms(self, view: View) -> dict[str, Operator]:
        """Arm -> operator."""
        arms: dict[str, Operator] = {}
        for name, operator in view.operators.items():
            if operator.name == "pcn":
                arms |= {f"{name} {b:g}": stepping(operator, b) for b in self.b}
            else:
                arms[name] = operator
        return arms

    def _parent(self, liked: Sequence[str], rng: np.random.Generator) -> str:
        draw = rng.random()
        if draw < self.liked and liked:
            return liked[int(rng.integers(len(liked)))]
        if draw > 1 - self.uniform:
            return self._elite.any(rng)
        return self._elite.tournament(rng, self.tournament)

    def _liked(self, view: View) -> list[str]:
        """Those of the elite whom people's taste has raised most."""
        raised = [
            (float(view.archive.fitness[view.archive.place(id)]) - view.archive[id].quality, id)
            for id in self._elite.ids
        ]
        return [id for gain, id in sorted(raised, reverse=True)[:8] if gain > _LIKED]

    def _credit(self, candidates: Sequence[Candidate], view: View) -> None:
        """Tell the bandit what each child earned and cost; previews cost, too."""
        if not self._gains.ready:
            self._gains.calibrate(view.archive)
            return
        self._bandit.fade()
        gains = self._gains.gains(candidates, view.archive)
        for candidate, gain in zip(candidates, gains, strict=True):
            arm = candidate.proposal.note.get("arm")
            if arm is not None:
                cost = candidate.calls / view.space.steps
                self._bandit.earn(str(arm), gain, cost, bool(candidate.failed))


COMPONENT = Portfolio
