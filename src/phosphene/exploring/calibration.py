"""Calibration: what is ordinary here, measured once on the warm-up and then left alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.exploring.ensemble import Ensemble, Ranks
from phosphene.session import Made


@dataclass(frozen=True, eq=False)
class Calibration:
    """Turns raw vectors and scores into descriptors and a quality.

    Args:
        centres: embedding -> mean of the warm-up's unit vectors: what all have in common tells
            nothing apart.
        ranks: of the qualities among the warm-up's scores.
    """

    centres: Mapping[str, np.ndarray]
    ranks: Ranks

    @classmethod
    def of(
        cls, warmup: Sequence[Made], embeddings: Sequence[str], ensemble: Ensemble
    ) -> Calibration:
        """From what the warm-up made.

        Raises:
            PhospheneError: nothing came of the warm-up, or an embedding or quality saw none of it.
        """
        good = [m for m in warmup if not m.failed]
        if len(good) < 2:
            reason = next((m.failed for m in warmup if m.failed), "nothing was made")
            raise PhospheneError(f"the warm-up failed: {reason}")
        centres = {}
        for name in embeddings:
            rows = [m.vectors[name] for m in good if name in m.vectors]
            if not rows:
                raise PhospheneError(
                    f"embedding {name} could see none of the warm-up's samples; choose another"
                )
            centres[name] = np.mean(rows, 0)
        ranks = ensemble.calibrated([m.scores for m in good])
        if not any(len(ranks.held[name]) for name in ensemble.names):
            raise PhospheneError(
                f"none of the qualities {', '.join(ensemble.names)} could judge the warm-up; "
                f"choose others"
            )
        return cls(centres, ranks)

    @property
    def width(self) -> int:
        """Length of a descriptor."""
        return sum(len(c) for c in self.centres.values())

    def descriptor(self, vectors: Mapping[str, np.ndarray]) -> np.ndarray:
        """Centred, each embedding at equal weight, joined: unit float32 `(width,)`.

        An embedding that could not see the sample gives nothing.
        """
        parts = []
        for name, centre in self.centres.items():
            part = vectors[name] - centre if name in vectors else np.zeros_like(centre)
            parts.append(part / max(float(np.linalg.norm(part)), 1e-6))
        joined = np.concatenate(parts)
        return (joined / max(float(np.linalg.norm(joined)), 1e-6)).astype(np.float32)

    def candidate(self, made: Made, proposal: Proposal) -> Candidate:
        """The candidate that explorers and archives see."""
        return Candidate(
            id=made.id,
            proposal=proposal,
            calls=made.calls,
            vectors=made.vectors,
            scores=made.scores,
            vector=self.descriptor(made.vectors) if not made.failed else np.zeros(0, np.float32),
            quality=self.ranks.quality(made.scores) if not made.failed else 0.0,
            digest=made.digest,
            media=made.media,
            poster=made.poster,
            failed=made.failed,
        )
