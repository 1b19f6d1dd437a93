"""Ladder: answers after 0, 1, 2, ... thoughts, all on the same items, and what they show."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import State, fork, hear, prepare, say, start, think
from phosphene.probe import ALPHA, Figure, Finding, Heat, Lines
from phosphene.statistics import benjamini_hochberg, compare, holm, wilson

FEWEST = 10  # right items below which nothing is said of the thoughts they needed
DRAWS = 2000
WORDS = 8  # most words of an answer that is asked for at once


def hops(problem: TextProblem) -> int:
    """How many steps lie between question and answer."""
    return int(problem.state.get("hops", len(problem.steps)))


@torch.no_grad()
def climb(subject: MindSubject, problems: Sequence[TextProblem], most: int) -> list[list[bool]]:
    """Thoughts or pauses 0 .. most x problem: whether the answer given right behind them is right.

    Raises:
        PhospheneError: pauses asked of a model that knows no mark for them.
    """
    mind = subject.mind
    mark = torch.tensor(mind.mark("pause"), dtype=torch.long, device=mind.device)
    if subject.way == "pause" and not len(mark):
        raise PhospheneError(f"{mind.id} knows no pause mark; use --way thoughts")
    state = start(mind, subject.inputs(problems))
    out = [_at_once(subject, problems, state)]
    for _ in range(most):
        if subject.way == "thoughts":
            state = think(mind, state)
        else:
            state, _ = hear(mind, state, mark.expand(len(problems), -1))
        out.append(_at_once(subject, problems, state))
    return out


def _at_once(subject: MindSubject, problems: Sequence[TextProblem], state: State) -> list[bool]:
    """Whether what is said behind the end mark and the answer mark is right; keeps the state."""
    mind = subject.mind
    here = prepare(mind, fork(state), "none", 0)
    mark = torch.tensor(mind.mark("answer"), dtype=torch.long, device=mind.device)
    if len(mark):
        here, _ = hear(mind, here, mark.expand(len(problems), -1))
    said = mind.tokenizer.batch_decode(say(mind, here, WORDS))
    return [subject.task.right(p, words) for p, words in zip(problems, said, strict=True)]


@dataclass(frozen=True, eq=False)
class Ladder:
    """What a subject's answers by number of thoughts show.

    Args:
        subject: the mind before its problems.
        right: bool `(thoughts 0 .., items)`.
        hops: `(items,)`.
    """

    subject: MindSubject
    right: np.ndarray
    hops: np.ndarray

    def _rows(self) -> list[tuple[str, np.ndarray]]:
        """Which items count for each number of hops, and for all."""
        depths = sorted(set(self.hops.tolist()))
        return [("all", self.hops > -1), *((str(h), self.hops == h) for h in depths)]

    def table(self) -> list[dict[str, Any]]:
        return [
            row(self.subject, "itself", self.subject.way, count, name, "at once", right[which])
            for name, which in self._rows()
            for count, right in enumerate(self.right)
        ]

    def findings(self, seed: int) -> list[Finding]:
        own, none = self.right[self.subject.thoughts], self.right[0]
        paired = compare([[r] for r in own.tolist()], [[r] for r in none.tolist()], seed)
        share, chance = wilson(int(own.sum()), len(own)), self.subject.task.chance
        gain, n = paired.difference, len(own)
        luck = _luck(int(own.sum()), n, chance)
        p, q = holm([paired.p, luck])
        count = self.subject.thoughts
        return [
            Finding(
                "thoughts help",
                f"with {count} {self._called} {paired.a}, without {paired.b}, on the same items",
                gain.low > 0 and p < ALPHA,
                gain.share,
                gain.low,
                gain.high,
                0.0,
                p,
                n,
                "share",
            ),
            Finding(
                "better than chance",
                f"with {count} {self._called} {share}; guessing gives {chance:.0%}",
                share.low > chance and q < ALPHA,
                *share[:3],
                chance,
                q,
                n,
                "share",
            ),
            self._need(seed),
        ]

    @property
    def _called(self) -> str:
        return "thoughts" if self.subject.way == "thoughts" else "pauses"

    def _need(self, seed: int) -> Finding:
        """Do questions of more hops need more thoughts? Rank correlation over items."""
        name = "longer chains need more thoughts"
        kept = self.right[: self.subject.thoughts + 1]
        # From this many on, up to the mind's own number, the answer is right.
        needed = np.cumprod(kept[::-1], 0)[::-1].argmax(0)
        use = kept[-1]
        x, y, n = self.hops[use], needed[use], int(use.sum())
        if n < FEWEST or len(set(x.tolist())) < 2 or len(set(y.tolist())) < 2:
            why = "too few right answers" if n < FEWEST else "all items are alike in one of the two"
            return Finding(name, f"can't be asked: {why}", None, n=n)
        rng = np.random.default_rng(seed)
        rho = float(_rank(x, y[None])[0])
        again = rng.integers(0, n, (DRAWS, n))
        draws = _rank(x[again], y[again])
        low, high = (float(v) for v in np.nanquantile(draws, (0.025, 0.975)))
        null = _rank(rng.permuted(np.tile(x, (DRAWS, 1)), axis=1), y[None])
        p = float((1 + (np.abs(null) >= abs(rho) - 1e-12).sum()) / (DRAWS + 1))
        means = ", ".join(f"{h} hops: {y[x == h].mean():.1f}" for h in sorted(set(x.tolist())))
        says = f"{self._called} from which on the answer stays right, {means}"
        return Finding(name, says, low > 0 and p < ALPHA, rho, low, high, 0.0, p, n, "rank corr.")

    def figures(self) -> dict[str, Figure]:
        rows, counts = self._rows(), range(len(self.right))
        cells = [[wilson(int(r[w].sum()), int(w.sum())) for r in self.right] for _, w in rows]
        grid = np.array([[c[:3] for c in row] for row in cells])
        chance = self.subject.task.chance
        luck = [_luck(round(c.share * c.n), c.n, chance) for row in cells for c in row]
        sure = np.array(benjamini_hochberg(luck)).reshape(grid.shape[:2]) < ALPHA
        names = [name if name == "all" else f"{name} hops" for name, _ in rows]
        heat = Heat(
            f"Right answers by hops and {self._called}",
            self._called,
            "hops",
            [str(c) for c in counts],
            names,
            grid[None, :, :, 0],
            low=grid[None, :, :, 1],
            high=grid[None, :, :, 2],
            marks=(sure & (grid[:, :, 1] > chance))[None],
            null=chance,
            unit="share",
        )
        series = {name: row.T for name, row in zip(names, grid, strict=True)}
        title = f"Accuracy against the number of {self._called}"
        lines = Lines(title, self._called, "share right", list(counts), series, chance)
        return {"hops": heat, "accuracy": lines}


def _rank(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Spearman's correlation along the last axis; nan where one side is constant."""
    from scipy.stats import rankdata

    a, b = (rankdata(v, axis=-1) - (v.shape[-1] + 1) / 2 for v in (x, y))
    size = np.sqrt((a**2).sum(-1) * (b**2).sum(-1))
    return np.divide((a * b).sum(-1), size, out=np.full_like(size, np.nan), where=size > 0)


def _luck(hits: int, n: int, chance: float) -> float:
    """Two-sided binomial p-value that guessing does as well or as badly."""
    from scipy.stats import binomtest

    return float(binomtest(hits, n, chance).pvalue)


def row(
    subject: MindSubject,
    mind: str,
    way: str,
    thoughts: int,
    depth: str,
    asked: str,
    right: np.ndarray,
    tokens: float | None = None,
) -> dict[str, Any]:
    """A line of the table; `right` is bool `(items,)`, `tokens` the mean spent on an answer."""
    found = wilson(int(right.sum()), len(right))
    return {
        "mind": mind,
        "way": way,
        "thoughts": thoughts,
        "hops": depth,
        "answered": asked,
        "accuracy": found.share,
        "low": found.low,
        "high": found.high,
        "n": found.n,
        "chance": subject.task.chance,
        "tokens": tokens,
    }
