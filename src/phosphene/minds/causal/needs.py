"""Needs: what the arms of the do-set say of each thought, all thoughts and changes counted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from phosphene.minds.causal.changes import KINDS
from phosphene.probe import ALPHA, Figure, Finding, Heat, Lines
from phosphene.probing.effect import interval, rate, step_down
from phosphene.statistics import Interval, mcnemar, wilson


@dataclass(frozen=True, eq=False)
class Needs:
    """The outcome of `Arms.disturbed` and `Arms.spared` for all problems.

    Args:
        values: as they return them.
        thoughts: how many.
        chance: share of right answers among guesses.
    """

    values: Mapping[str, np.ndarray]
    thoughts: int
    chance: float

    @cached_property
    def clean(self) -> Interval:
        """Share of right answers, undisturbed."""
        return rate(self.values["clean right"])

    @property
    def able(self) -> bool:
        """Whether the mind does the task better than guesses do."""
        return self.clean.low > self.chance

    @cached_property
    def drop(self) -> np.ndarray:
        """`(items, kinds, thoughts)`: lead lost by a change."""
        return self.values["clean lead"][:, None, None] - self.values["lead"]

    @cached_property
    def placebo(self) -> np.ndarray:
        """The same of random changes as large."""
        return self.values["clean lead"][:, None, None] - self.values["placebo lead"]

    @cached_property
    def p(self) -> np.ndarray:
        """`(kinds, thoughts)`: is more lost than by the placebo, corrected for all of them."""
        gap = self.drop - self.placebo
        return step_down(gap.reshape(len(gap), -1)).reshape(gap.shape[1:])

    @cached_property
    def needed(self) -> np.ndarray:
        """bool `(kinds, thoughts)`."""
        gap = self.drop - self.placebo
        low = [[interval(g).low for g in kind.T] for kind in np.moveaxis(gap, 1, 0)]
        return (np.array(low) > 0) & (self.p < ALPHA)

    def flips(self, arm: str, kind: int, thought: int) -> Interval:
        """Share of right answers that a change makes wrong."""
        was = self.values["clean right"].astype(bool)
        return rate(1.0 - self.values[f"{arm}right"][was, kind, thought])

    def table(self) -> list[dict[str, Any]]:
        """A row an address: a thought and what was done to it."""
        rows = []
        for t in range(self.thoughts):
            for k, kind in enumerate(KINDS):
                lost, push = interval(self.drop[:, k, t]), interval(self.placebo[:, k, t])
                flips = self.flips("", k, t)
                theirs = rate(self.values["theirs"][:, k, t])
                rows.append(
                    self._row(t, f"{kind} in its place", self.values["right"][:, k, t])
                    | {
                        "lead lost": lost.share,
                        "low": lost.low,
                        "high": lost.high,
                        "lead lost, placebo": push.share,
                        "p": float(self.p[k, t]),
                        "flips": flips.share,
                        "flips, low": flips.low,
                        "flips, high": flips.high,
                        "flips, placebo": self.flips("placebo ", k, t).share,
                        "twin's answer": theirs.share,
                        "needed": bool(self.needed[k, t]),
                    }
                )
            rows.append(self._row(t, "alone, others at mean", self.values["alone right"][:, t]))
            rows.append(self._row(t, "last of all thoughts", self.values["early right"][:, t + 1]))
        return rows

    def _row(self, thought: int, done: str, right: np.ndarray) -> dict[str, Any]:
        found = rate(right)
        blank = dict.fromkeys(
            (
                "lead lost",
                "low",
                "high",
                "lead lost, placebo",
                "p",
                "flips",
                "flips, low",
                "flips, high",
                "flips, placebo",
                "twin's answer",
                "needed",
            )
        )
        head = {"thought": thought + 1, "intervention": done, "n": found.n}
        return (
            head
            | {"right": found.share, "right, low": found.low, "right, high": found.high}
            | blank
        )

    def findings(self) -> list[Finding]:
        """None can be asked of a mind that does no better than guesses: what is lost of an answer
        that it doesn't have?"""
        asked = {
            "thoughts are needed": self._needed,
            "the answer follows the chain, not the question": self._followed,
            "the answer needs time to think": self._early,
            "one thought alone is enough": self._alone,
        }
        if self.able:
            return [make(name) for name, make in asked.items()]
        says = f"not asked: the mind does not do the task ({self.clean})"
        return [Finding(name, says, None) for name in asked]

    def _needed(self, name: str) -> Finding:
        """By the mean thought: it says nothing of the problem, and lies where thoughts lie."""
        k = KINDS.index("mean")
        claims = [t + 1 for t in range(self.thoughts) if self.needed[k, t]]
        best = int(self.drop[:, k].mean(0).argmax())
        lost, flips = interval(self.drop[:, k, best]), self.flips("", k, best)
        return Finding(
            name,
            f"{_listed(claims)} of {self.thoughts}; most: thought {best + 1}, whose place taken by "
            f"the mean thought costs {lost.share:.2f} of lead "
            f"({self.placebo[:, k, best].mean():.2f} for a random change as large) and turns "
            f"{flips.brief()} of right answers",
            bool(claims),
            lost.share,
            lost.low,
            lost.high,
            float(self.placebo[:, k, best].mean()),
            float(self.p[k, best]),
            lost.n,
            "logit",
        )

    def _followed(self, name: str) -> Finding:
        """Twins' answers before and after, pair by pair."""
        after, before = (self.values[n].astype(bool) for n in ("swapped theirs", "clean theirs"))
        push = self.values["swapped placebo theirs"].astype(bool)
        found, own = rate(after), rate(self.values["swapped right"])
        base = max(before.mean(), push.mean())
        p = max(mcnemar(int((after & ~x).sum()), int((x & ~after).sum())) for x in (before, push))
        return Finding(
            name,
            f"with the twin's chain {found.brief()} of answers are the twin's (donor-follow), "
            f"{own.brief()} the question's own (prompt-follow); the twin's answer is said "
            f"{before.mean():.0%} undisturbed, {push.mean():.0%} under random changes as large",
            bool(found.low > base and p < ALPHA),
            found.share,
            found.low,
            found.high,
            float(base),
            float(p),
            found.n,
            "share of answers",
        )

    def _early(self, name: str) -> Finding:
        """The first exit that is no worse than the last, and better than none at all."""
        right = self.values["early right"].astype(bool)
        n, last = len(right), right[:, -1]
        none = right[:, 0]
        p = mcnemar(int((last & ~none).sum()), int((none & ~last).sum()))
        better = last.mean() > none.mean() and p < ALPHA
        worse = [
            mcnemar(int((last & ~right[:, t]).sum()), int((right[:, t] & ~last).sum())) < ALPHA
            and right[:, t].mean() < last.mean()
            for t in range(self.thoughts + 1)
        ]
        first = next(t for t, w in enumerate([*worse[:-1], False]) if not w)
        found = wilson(int(right[:, first].sum()), n)
        return Finding(
            name,
            f"after {first} of {self.thoughts} thoughts it is as good as after all: "
            f"{found.brief()} right; {rate(none).brief()} without any",
            bool(better and first > 0),
            found.share,
            found.low,
            found.high,
            float(none.mean()),
            float(p),
            n,
            "share right",
        )

    def _alone(self, name: str) -> Finding:
        alone, none = self.values["alone lead"], self.values["none lead"][:, None]
        gap = alone - none
        p = step_down(gap)
        low = np.array([interval(g).low for g in gap.T])
        stand = (low > 0) & (p < ALPHA)
        best = int(np.where(stand if stand.any() else True, gap.mean(0), -np.inf).argmax())
        found = rate(self.values["alone right"][:, best])
        base = rate(self.values["none right"])
        return Finding(
            name,
            f"with all others at the mean, thought {best + 1} gives {found.brief()} right "
            f"answers, all at the mean {base.brief()}, undisturbed {self.clean.brief()}",
            bool(stand[best] and found.low > base.share and found.high >= self.clean.low),
            found.share,
            found.low,
            found.high,
            base.share,
            float(p[best]),
            found.n,
            "share right",
        )

    def figures(self) -> dict[str, Figure]:
        names = [str(t + 1) for t in range(self.thoughts)]
        found = [[interval(c) for c in kind.T] for kind in np.moveaxis(self.drop, 1, 0)]

        def grid(name: str) -> np.ndarray:
            return np.array([[[getattr(c, name) for c in kind] for kind in found]])

        push = self.placebo.mean(0)
        notes = np.array([[[f"placebo {v:.2f}" for v in kind] for kind in push]], object)
        necessity = Heat(
            "Lead lost when a thought is changed, later ones free",
            "thought",
            "in its place",
            names,
            list(KINDS),
            grid("share"),
            low=grid("low"),
            high=grid("high"),
            marks=self.needed[None],
            unit="logit",
            notes=notes,
        )
        early = [rate(c) for c in self.values["early right"].T]
        alone = [rate(self.values["none right"]), *map(rate, self.values["alone right"].T)]
        lines = Lines(
            "What is enough",
            "thoughts made, or the one that is kept (0: none)",
            "share right",
            list(range(self.thoughts + 1)),
            {
                "answered after so many": _curve(early),
                "this one alone, others at mean": _curve(alone),
            },
            self.chance,
        )
        return {"necessity": necessity, "sufficiency": lines}

    def notes(self) -> list[str]:
        text = f"undisturbed {self.clean.brief()} right, guesses {self.chance:.0%}"
        return [text if self.able else f"{text}: the mind does not do the task"]


def _curve(found: list[Interval]) -> np.ndarray:
    return np.array([[f.share for f in found], [f.low for f in found], [f.high for f in found]])


def _listed(thoughts: list[int]) -> str:
    return f"thoughts {', '.join(map(str, thoughts))}" if thoughts else "none"
