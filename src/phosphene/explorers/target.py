"""Target: evolve towards what was asked for in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.herd import Herd

_TEMPERATURE = 0.05  # of the soft maximum, in cosines


@dataclass
class Target(Explorer):
    """ASAL's supervised target: candidates whose embedding resembles that of the words.

        maximise  mean_j <v, w_j>   or   T log mean_j exp(<v, w_j> / T)

    over the target descriptors w_j. The mean asks for all wishes at once, the soft maximum for any
    of them. The optimiser is a genetic algorithm whose mutations keep noise white, in place of the
    evolution strategy of the paper, whose steps would not.

    Args:
        over: `mean` or `soft`, how several targets count together.
        size: candidates that breed.
        b: length of a step of noise, 0..1.
        words: share of children whose prompt changes instead of their noise.
        fresh: share of the proposals that are independent draws.

    Raises:
        PhospheneError: a setting out of its range; when asked, no targets.

    References:
        Automating the Search for Artificial Life with Foundation Models (Kumar et al., 2024),
        https://arxiv.org/abs/2412.17799
    """

    name = "target"

    over: str = "mean"
    size: int = 16
    b: float = 0.5
    words: float = 0.2
    fresh: float = 0.05
    _herd: Herd = field(init=False)

    def __post_init__(self) -> None:
        if self.over not in ("mean", "soft"):
            raise PhospheneError(f"target: over is mean or soft; got {self.over!r}")
        self._herd = Herd(self.size, self.b, self.words, self.fresh)

    def ask(self, count: int, view: View) -> list[Proposal]:
        if not len(view.targets):
            raise PhospheneError(
                "explorer target has nothing to aim at; give --target WORDS, and an embedding that "
                "knows words (--embedding ember, open_clip or pe_av)"
            )
        return self._herd.propose(count, view.space, view.rng)

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        if not len(view.targets):
            return
        made = [c for c in candidates if c.finished]
        self._herd.admit([(likeness(c.vector, view.targets, self.over), c) for c in made])


def likeness(vector: np.ndarray, targets: np.ndarray, over: str) -> float:
    """How near a descriptor `(d,)` is to targets `(n, d)`, all unit: -1..1."""
    cosines = targets.astype(np.float64) @ vector
    if over == "mean":
        return float(cosines.mean())
    top = cosines.max()
    return float(top + _TEMPERATURE * np.log(np.exp((cosines - top) / _TEMPERATURE).mean()))


COMPONENT = Target
