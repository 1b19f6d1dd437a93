"""Screened: another explorer, whose proposals are looked at early and the best of them finished."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View, explorers
from phosphene.exploring.screening import Screening


@dataclass
class Screened(Explorer):
    """Rounds in turn: `times` as many proposals as are wanted, as previews; then, of these, a
    subset that is good, new and diverse, finished.

    The other explorer is told of what was finished, of what people asked for and of what failed.

    Args:
        inner: name of the other explorer, which must propose finished samples only.
        settings: the other explorer's fields.
        times, share, quality, spread, floor: see `Screening`.

    Attributes:
        screening: what is known of previews here, among it why screening stopped.

    Raises:
        PhospheneError: no such explorer, one that can't be screened, or a setting out of its range.

    References:
        Scalable group inference (Parmar et al., 2025), https://arxiv.org/abs/2508.15773
    """

    name = "screened"

    inner: str = "dominated"
    settings: Mapping[str, Any] = field(default_factory=dict)
    times: int = 3
    share: float = 0.2
    quality: float = 0.5
    spread: float = 0.2
    floor: float = 0.3
    screening: Screening = field(init=False)
    _explorer: Explorer = field(init=False)
    _previews: list[Candidate] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        from phosphene.search import component

        if self.inner == self.name:
            raise PhospheneError("screened: previews can't be screened twice; choose another inner")
        self._explorer = component(explorers, {"name": self.inner, **self.settings})
        self.screening = Screening(self.times, self.share, self.quality, self.spread, self.floor)

    def ask(self, count: int, view: View) -> list[Proposal]:
        self._check(view)
        chosen = self.screening.finish(self._previews, count, view)
        self._previews = []
        if chosen:
            return chosen
        if not self.screening.able(view.space):
            return self._asked(count, view)
        return [
            self.screening.preview(p, view.space) for p in self._asked(self.times * count, view)
        ]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        self.screening.learn(candidates, view.archive)
        self._previews = [c for c in candidates if c.proposal.stop is not None and not c.failed]
        rest = [c for c in candidates if c.finished or c.failed]
        if rest:
            self._explorer.tell(rest, view)

    def _check(self, view: View) -> None:
        if not view.space.previews:
            raise PhospheneError(
                "screened: this backbone can't be looked at before a sample has finished; choose "
                f"explorer {self.inner}"
            )

    def _asked(self, count: int, view: View) -> list[Proposal]:
        proposals = self._explorer.ask(count, view)
        if any(p.stop is not None or p.after is not None for p in proposals):
            raise PhospheneError(
                f"screened: explorer {self.inner} looks at previews itself; use it as it is"
            )
        return proposals


COMPONENT = Screened
