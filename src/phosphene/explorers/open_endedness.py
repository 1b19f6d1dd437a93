"""Open-endedness: evolve towards clips that keep showing something new."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.herd import Herd


@dataclass
class OpenEndedness(Explorer):
    """ASAL's open-endedness, within a clip: frames unlike all earlier frames.

        maximise  mean_t (1 - max_t'<t <z_t, z_t'>)

    over the embeddings z_t of the frames, which is what the quality `drift` measures. Where it
    can't be judged (a still picture) the candidate doesn't breed.

    Args:
        size: candidates that breed.
        b: length of a step of noise, 0..1.
        words: share of children whose prompt changes instead of their noise.
        fresh: share of the proposals that are independent draws.

    Raises:
        PhospheneError: a setting out of its range; when asked, nobody measures `drift`.

    References:
        Automating the Search for Artificial Life with Foundation Models (Kumar et al., 2024),
        https://arxiv.org/abs/2412.17799
    """

    name = "open_endedness"

    size: int = 16
    b: float = 0.5
    words: float = 0.2
    fresh: float = 0.1
    _herd: Herd = field(init=False)

    def __post_init__(self) -> None:
        self._herd = Herd(self.size, self.b, self.words, self.fresh)

    def ask(self, count: int, view: View) -> list[Proposal]:
        if len(view.archive) and not any("drift" in c.scores for c in view.archive):
            raise PhospheneError(
                "explorer open_endedness evolves towards drift, which isn't measured in this "
                "session; add --quality drift"
            )
        return self._herd.propose(count, view.space, view.rng)

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        drifts = [(c.scores.get("drift"), c) for c in candidates if c.finished]
        self._herd.admit([(drift, c) for drift, c in drifts if drift is not None])


COMPONENT = OpenEndedness
