"""Which of several candidates is the best one."""

from __future__ import annotations

from collections.abc import Iterable

from phosphene.archive import Archive
from phosphene.candidate import Candidate


def merit(candidate: Candidate, archive: Archive) -> float:
    """What the archive holds it for, people's taste taken in; its quality where it isn't there:
    previews, and twins of what is."""
    if candidate.id in archive:
        return float(archive.fitness[archive.place(candidate.id)])
    return candidate.quality


def best(candidates: Iterable[Candidate], archive: Archive) -> Candidate:
    """The one of most merit, the earliest of several; there must be one."""
    return min(candidates, key=lambda c: (-merit(c, archive), c.id))
