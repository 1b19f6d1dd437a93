"""Candidate: what an explorer proposes, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from phosphene.genome import Genome


@dataclass(frozen=True, eq=False)
class Proposal:
    """A genome to be tried.

    Args:
        genome: the recipe.
        operator: what made it, e.g. `fresh`, `pcn`.
        parents: ids of the candidates it comes from.
        stop: denoising steps after which it is looked at as a preview (predicted x0, decoded);
            None for the finished sample.
        after: id of a preview of this round or an earlier one that shares this genome's first
            steps: those are not made again, and not charged again.
        note: the explorer's own bookkeeping, JSON-able; it comes back with the candidate.
    """

    genome: Genome
    operator: str
    parents: tuple[str, ...] = ()
    stop: int | None = None
    after: str | None = None
    note: Mapping[str, Any] = field(default_factory=dict)

    def record(self) -> dict[str, Any]:
        """JSON-able; `Proposal.of` reads it back exactly."""
        out: dict[str, Any] = {"genome": self.genome.record(), "operator": self.operator}
        if self.parents:
            out["parents"] = list(self.parents)
        for name in ("stop", "after"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        if self.note:
            out["note"] = dict(self.note)
        return out

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Proposal:
        """From its record."""
        values = dict(record)
        values["genome"] = Genome.of(values["genome"])
        values["parents"] = tuple(values.get("parents", ()))
        return cls(**values)


@dataclass(frozen=True, eq=False)
class Candidate:
    """A proposal that was made and looked at.

    Args:
        id: `ROUND-PLACE`, e.g. `0012-03`: sorts in the order of asking.
        proposal: what was asked.
        calls: denoiser evaluations that it cost.
        vectors: embedding -> unit vector, float32; embeddings that could not see it are missing.
        scores: quality -> raw score, higher is better; None where it could not be judged.
        vector: its descriptor, unit float32 `(d,)`: the embeddings that count for novelty, centred
            and joined; what archives measure distances between.
        quality: 0..1: mean rank of its scores among those of the warm-up.
        digest: of the exact clip.
        media, poster: files relative to the session; None where nothing was kept.
        failed: why nothing was made; empty where something was.
    """

    id: str
    proposal: Proposal
    calls: int = 0
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    scores: Mapping[str, float | None] = field(default_factory=dict)
    vector: np.ndarray = field(default_factory=lambda: np.zeros(0, np.float32))
    quality: float = 0.0
    digest: str = ""
    media: str | None = None
    poster: str | None = None
    failed: str = ""

    @property
    def genome(self) -> Genome:
        return self.proposal.genome

    @property
    def finished(self) -> bool:
        """Made to the end, not a preview and not failed."""
        return not self.failed and self.proposal.stop is None
