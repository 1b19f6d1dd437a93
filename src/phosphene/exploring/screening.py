"""Screening: many are looked at early, and few are finished."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from phosphene.archive import Archive
from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import View
from phosphene.space import Space

_STARTS = 8
_TRIAL = 32  # samples finished by chance, to see what previews tell here


def choose(merit: np.ndarray, distances: np.ndarray, count: int, spread: float) -> list[int]:
    """A subset that is good and diverse: maximises

        sum of merit + spread / (count - 1) * sum of pairwise distances

    greedily from several starts, then by exchanging one at a time while that helps.

    Args:
        merit: `(n,)`.
        distances: `(n, n)`.
        count: size of the subset; all of them if there are no more.
        spread: weight of a member's mean distance to the others.

    Returns:
        Places, ascending.

    References:
        Scalable group inference (Parmar et al., 2025), which solves the same objective as an
        integer program, https://arxiv.org/abs/2508.15773
    """
    if len(merit) <= count:
        return list(range(len(merit)))
    pull = spread / max(count - 1, 1) * distances
    np.fill_diagonal(pull, 0)
    found = []
    for start in np.argsort(-merit, kind="stable")[:_STARTS]:
        chosen = _exchanged(_greedy(int(start), merit, pull, count), merit, pull)
        value = merit[chosen].sum() + pull[chosen][:, chosen].sum() / 2
        found.append((-float(value), sorted(chosen)))
    return min(found)[1]


def _greedy(start: int, merit: np.ndarray, pull: np.ndarray, count: int) -> list[int]:
    chosen, gain = [start], merit + pull[start]
    for _ in range(count - 1):
        gain[chosen[-1]] = -np.inf
        chosen.append(int(gain.argmax()))
        gain = gain + pull[chosen[-1]]
    return chosen


def _exchanged(chosen: list[int], merit: np.ndarray, pull: np.ndarray) -> list[int]:
    """The best exchange of one inside for one outside, until none helps."""
    chosen = list(chosen)
    while True:
        worth = merit + pull[chosen].sum(0)
        outside = np.setdiff1d(np.arange(len(merit)), chosen)
        gains = worth[outside][None] - pull[chosen][:, outside] - worth[chosen][:, None]
        place, other = np.unravel_index(gains.argmax(), gains.shape)
        if gains[place, other] <= 1e-9:
            return chosen
        chosen[place] = int(outside[other])


@dataclass
class Screening:
    """Previews asked for, chosen from, and compared with what became of them.

    The first ones that are finished are drawn by chance: among those that were chosen, who are
    alike, previews would seem to tell less than they do.

    Args:
        times: previews a finished sample.
        share: of the steps that a preview has behind it, at most; one step at least.
        quality: weight of quality against novelty, 0..1.
        spread: weight of the chosen ones' distances among themselves.
        floor: rank correlation of previews and finished samples below which screening stops.

    Attributes:
        agreement: Spearman correlation of merit (quality and novelty, weighted) in previews and in
            what became of them; None until the trial is over.
        stopped: why it screens no more; empty while it does.

    Raises:
        PhospheneError: a setting out of its range.
    """

    times: int = 3
    share: float = 0.2
    quality: float = 0.5
    spread: float = 0.2
    floor: float = 0.3
    agreement: float | None = field(default=None, init=False)
    stopped: str = field(default="", init=False)
    _early: dict[str, tuple[float, int]] = field(default_factory=dict, init=False)
    _pairs: list[tuple[float, float]] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.times < 2 or not 0 < self.share < 1:
            raise PhospheneError(
                f"screening wants 2 previews a sample at least, and a share of the steps between "
                f"0 and 1; got {self.times}, {self.share}"
            )
        if not 0 <= self.quality <= 1 or self.spread < 0:
            raise PhospheneError(
                f"screening wants a weight of quality in 0..1 and a spread of 0 at least; got "
                f"{self.quality}, {self.spread}"
            )

    def able(self, space: Space) -> bool:
        """Whether there is anything to look at early, and whether it is worth it."""
        return space.previews and space.steps > 1 and not self.stopped

    def preview(self, proposal: Proposal, space: Space) -> Proposal:
        """The proposal stopped early; as it is where that is as much as finishing it."""
        steps = space.steps_of(proposal.genome)
        stop = max(1, int(self.share * steps))
        return replace(proposal, stop=stop) if stop < steps else proposal

    def finish(self, previews: Sequence[Candidate], count: int, view: View) -> list[Proposal]:
        """Those of the previews that are worth finishing, `count` at most."""
        seen = [c for c in previews if not c.failed]
        if not seen:
            return []
        vectors = np.stack([c.vector for c in seen])
        merit = self._merit(seen, vectors, view.archive, len(view.archive))
        if self.agreement is None:
            drawn = view.rng.permutation(len(seen))[:count]
            chosen = [int(i) for i in np.sort(drawn)]
            for i in chosen:
                self._early[seen[i].id] = (float(merit[i]), len(view.archive))
        else:
            chosen = choose(merit, 1 - vectors @ vectors.T, count, self.spread)
        return [replace(seen[i].proposal, stop=None, after=seen[i].id) for i in chosen]

    def learn(self, candidates: Sequence[Candidate], archive: Archive) -> None:
        """Compare the finished ones of the trial with their previews; stop if they tell little."""
        for candidate in candidates:
            early = self._early.pop(candidate.proposal.after or "", None)
            if early is None or not candidate.finished:
                continue
            late = self._merit([candidate], candidate.vector[None], archive, early[1])
            self._pairs.append((early[0], float(late[0])))
        if self.agreement is not None or len(self._pairs) < _TRIAL:
            return
        self.agreement = _spearman(np.array(self._pairs))
        if self.agreement < self.floor:
            self.stopped = (
                f"previews after {self.share:.0%} of the steps tell too little here: their rank "
                f"correlation with finished samples is {self.agreement:.2f}, below {self.floor:g}"
            )

    def _merit(
        self, candidates: Sequence[Candidate], vectors: np.ndarray, archive: Archive, known: int
    ) -> np.ndarray:
        """Quality and novelty against the first `known` of the archive, weighted."""
        quality = np.array([c.quality for c in candidates])
        near = archive.distances(vectors)[:, :known]
        near = np.partition(near, 2, 1)[:, :3] if known > 3 else near
        novelty = near.mean(1) if known else np.ones(len(vectors))
        return self.quality * quality + (1 - self.quality) * novelty


def _spearman(pairs: np.ndarray) -> float:
    """Rank correlation; 0 where one side does not vary."""
    from scipy.stats import rankdata

    early, late = (rankdata(column) for column in pairs.T)
    if early.std() == 0 or late.std() == 0:
        return 0.0
    return float(np.corrcoef(early, late)[0, 1])
