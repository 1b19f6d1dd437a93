"""Bandit: which operator earns most for what it costs, by what it earned of late."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.errors import PhospheneError

_PRIOR = 3.0  # samples' worth of an average arm that each is credited with


@dataclass
class _Arm:
    """Discounted sums.

    Attributes:
        cost: in samples' worth of denoiser calls.
        credit: earned for it.
        tried, failed: children told of, and how many of them failed; not discounted.
    """

    cost: float = 0.0
    credit: float = 0.0
    tried: int = 0
    failed: int = 0


@dataclass
class Bandit:
    """Discounted UCB1 over arms, with shares that every arm is given whatever it earns.

        index = (credit + 3 m) / (cost + 3) + reach * m * sqrt(log(total cost) / (cost + 3))

    where m is the rate of all arms together: what little is known of an arm counts little. A
    round's later picks count the earlier ones as paid for and not yet earned, which spreads them.

    Args:
        gamma: what a round leaves of all sums of the rounds before.
        floor: share of picks that each arm is given; together no more than half of all.
        reach: weight of doubt.
        patience: an arm whose first so many children all failed is given up.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        On Upper-Confidence Bound Policies for Switching Bandit Problems (Garivier and Moulines,
        2011), section 2.1, https://arxiv.org/abs/0805.3415
    """

    gamma: float = 0.95
    floor: float = 0.05
    reach: float = 1.0
    patience: int = 4
    arms: dict[str, _Arm] = field(default_factory=dict, init=False)

    def __post_init__(self) -> None:
        if not 0 < self.gamma <= 1 or not 0 <= self.floor <= 1 or self.reach < 0:
            raise PhospheneError(
                f"the bandit wants gamma and floor in 0..1, gamma not 0, and a reach of 0 at "
                f"least; got {self.gamma}, {self.floor}, {self.reach}"
            )

    def pick(self, names: Sequence[str], count: int, rng: np.random.Generator) -> list[str]:
        """An arm for each of `count` proposals, out of `names`; fewer than asked for where all
        of them have been given up."""
        known = {n: self.arms.setdefault(n, _Arm()) for n in names}
        able = [n for n, arm in known.items() if not self._hopeless(arm)]
        if not able:
            return []
        cost = {n: known[n].cost for n in able}
        given = min(self.floor * len(able), 0.5)
        picks = []
        for _ in range(count):
            by_chance = rng.random() < given
            arm = able[rng.integers(len(able))] if by_chance else self._best(cost)
            cost[arm] += 1
            picks.append(arm)
        return picks

    def _best(self, cost: Mapping[str, float]) -> str:
        """The arm of the highest index; the first of several."""
        paid = sum(self.arms[n].cost for n in cost)
        mean = sum(self.arms[n].credit for n in cost) / paid if paid else 1.0
        doubt = self.reach * mean * math.sqrt(math.log(max(sum(cost.values()), math.e)))

        def index(name: str) -> float:
            weight = cost[name] + _PRIOR
            return (self.arms[name].credit + _PRIOR * mean) / weight + doubt / math.sqrt(weight)

        return max(cost, key=index)

    def _hopeless(self, arm: _Arm) -> bool:
        return arm.failed == arm.tried >= self.patience

    def fade(self) -> None:
        """A round has passed."""
        for arm in self.arms.values():
            arm.cost *= self.gamma
            arm.credit *= self.gamma

    def earn(self, name: str, credit: float, cost: float, failed: bool = False) -> None:
        """What came of a child: credit 0 or more, cost in samples' worth of calls."""
        arm = self.arms.setdefault(name, _Arm())
        arm.credit += credit
        arm.cost += cost
        arm.tried += 1
        arm.failed += failed
