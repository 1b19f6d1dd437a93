"""Expert effects: the gap in behaviour, how much of it each expert moves, and who stands out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.minds.contrast import Contrast
from phosphene.minds.difference import DRAWS, differences
from phosphene.minds.forcing import FEWEST, Arm, Standing, stand_out
from phosphene.probe import ALPHA, Finding

ALL = 0.995  # share of tokens that counts as all of them
NEEDED: tuple[Arm, ...] = ("out", "silence")
_NAMES: dict[Arm, str] = {
    "out": "forced out",
    "silence": "silenced",
    "in": "forced in",
}
_DOES: dict[Arm, str] = {
    "out": "lost with an expert forced out",
    "silence": "lost with an expert's output dropped",
    "in": "made by forcing an expert in, without the condition",
}


@dataclass(frozen=True, eq=False)
class Gap:
    """Difference in log-odds between the sides of pairs.

    Args:
        each: `(groups,)`, nats.
        value, low, high: mean with its 95 % interval.
        p: of swapped sides.
    """

    each: np.ndarray
    value: float
    low: float
    high: float
    p: float

    @classmethod
    def measure(cls, contrast: Contrast, odds: np.ndarray, seed: int) -> Gap:
        """From log-odds `(2, pairs)`."""
        each = contrast.grouped(odds[0] - odds[1])
        found = differences(each[:, None], seed)
        values = (found.mean, found.low, found.high, found.p)
        return cls(each, *(float(v[0]) for v in values))

    @property
    def holds(self) -> bool:
        """Whether behaviour goes with the condition, the way it is called for."""
        return self.p < ALPHA and self.low > 0

    def shares(self, moved: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
        """95 % bounds of mean moved / mean gap, pairs resampled for both alike.

        Args:
            moved: `(groups, experts)`, nats.

        Returns:
            Lower and upper bounds `(experts,)`. They mean something where the gap holds: a ratio to
            what may be nought has no bounds.
        """
        n = len(self.each)
        drawn = np.random.default_rng(seed).multinomial(n, np.full(n, 1 / n), DRAWS) / n
        ratio = (drawn @ moved) / np.maximum(drawn @ self.each, 1e-9)[:, None]
        low, high = np.quantile(ratio, (0.025, 0.975), axis=0)
        share = moved.mean(0) / self.value
        return np.minimum(low, share), np.maximum(high, share)

    def finding(self) -> Finding:
        word = "goes" if self.holds else "does not go"
        return Finding(
            "behaviour by condition",
            f"What is said {word} with the condition: log-odds of the word it calls for differ by "
            f"{self.value:+.2f} [{self.low:+.2f}, {self.high:+.2f}] nats.",
            self.holds,
            self.value,
            self.low,
            self.high,
            0.0,
            self.p,
            len(self.each),
            "nats",
        )


@dataclass(frozen=True)
class Effect:
    """What forcing one expert does.

    Args:
        layer, expert: which.
        share: of the gap, with its 95 % interval.
        p, q: of sign flips, and adjusted for all experts tried.
        took: share of tokens at which forcing succeeded.
        live: whether there was anything to change.
    """

    layer: int
    expert: int
    share: float
    low: float
    high: float
    p: float
    q: float
    took: float
    live: bool


@dataclass(frozen=True, eq=False)
class Effects:
    """One arm over all experts tried.

    Args:
        least: share of the gap below which an expert is not said to carry it, however sure.
        confirmed: bool, an expert each: those that another arm has to agree on. Forcing an expert
            out lets another one in, which may be what makes the difference; None for all.
    """

    arm: Arm
    each: Sequence[Effect]
    least: float
    confirmed: np.ndarray | None = None
    standing: Standing = field(init=False)

    def __post_init__(self) -> None:
        live = np.array([e.share for e in self.each if e.live])
        object.__setattr__(self, "standing", stand_out(live))

    @property
    def bound(self) -> float:
        """Share of the gap that an expert has to exceed."""
        return max(self.standing.high, self.least)

    @property
    def does(self) -> str:
        """What the share is of, after `share of the gap`."""
        return _DOES[self.arm]

    @property
    def marks(self) -> np.ndarray:
        """bool `(experts tried,)`: those that stand out among the others, differ from nought with
        all experts counted, and whose interval clears what the others would reach."""
        out = np.zeros(len(self.each), bool)
        live = [i for i, e in enumerate(self.each) if e.live]
        if len(self.standing.out):
            out[live] = self.standing.out
        clear = [e.q < ALPHA and e.low > self.bound for e in self.each]
        agreed = True if self.confirmed is None else self.confirmed
        return out & np.array(clear) & agreed

    def finding(self, gap: Gap) -> Finding:
        """Whether one expert carries the gap."""
        what = "needed" if self.arm in NEEDED else "sufficient"
        name = f"expert {what}, {_NAMES[self.arm]}"
        live = [e for e in self.each if e.live]
        if not gap.holds:
            says = (
                "No expert can carry what is not there: behaviour does not go with the condition."
            )
            return Finding(name, says, None, n=len(gap.each), unit="share of the gap")
        if len(live) < FEWEST:
            says = f"Only {len(live)} experts are in use: too few to tell one from the others."
            return Finding(name, says, None, n=len(gap.each), unit="share of the gap")
        best = max(live, key=lambda e: e.share)
        marks = self.marks
        holds = bool(marks[self.each.index(best)])
        others = int(marks.sum()) - 1
        bound = self.bound
        says = (
            f"layer {best.layer} expert {best.expert}: {best.share:.0%} [{best.low:.0%}, "
            f"{best.high:.0%}] of the gap is {self.does}; an expert at random stays below "
            f"{self.standing.high:.0%}"
        )
        if best.took < ALL:
            says += (
                f"; forcing took at {best.took:.0%} of tokens, the router overruled it elsewhere"
            )
        if holds and others:
            says += f"; {others} more stand out"
        if not holds:
            says = f"no expert stands out; the most is {says}"
        p = max(self.standing.p, best.q)
        return Finding(
            name,
            f"{says[0].upper()}{says[1:]}.",
            holds,
            best.share,
            best.low,
            best.high,
            bound,
            p,
            len(gap.each),
            "share of the gap",
        )
