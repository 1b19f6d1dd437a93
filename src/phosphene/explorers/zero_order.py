"""Zero-order search: the best neighbour of a noise becomes the next noise."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.exploring.merit import best, merit
from phosphene.exploring.mutation import moved, redrawn


@dataclass
class _Line:
    """One prompt's search.

    Attributes:
        pivot: the best so far; None before there is one.
        tried: what came of the last round.
        fruitless: rounds since the pivot last changed.
    """

    pivot: Candidate | None = None
    tried: list[Candidate] = field(default_factory=list)
    fruitless: int = 0


@dataclass
class ZeroOrder(Explorer):
    """Local search over noise, several prompts at a time.

        pivot = the best of N independent draws
        repeat: N neighbours  sqrt(1 - b^2) pivot + b e_i;  pivot = the best of them and itself

    The paper starts at one draw; its first round of N draws costs no more here and starts higher.
    A pivot without a better neighbour for `patience` rounds is left for a fresh prompt, which the
    paper's search, stuck at its fixed point, can't do. As many lines run side by side as fill a
    batch.

    Args:
        neighbours: N, of each pivot in each round.
        b: length of a step, 0..1; the cosine between neighbours and pivot is sqrt(1 - b^2).
        patience: fruitless rounds after which a line starts afresh.

    Raises:
        PhospheneError: a setting out of its range.

    References:
        Inference-Time Scaling for Diffusion Models beyond Scaling Denoising Steps (Ma et al.,
        2025), section 3.1, https://arxiv.org/abs/2501.09732
    """

    name = "zero_order"

    neighbours: int = 8
    b: float = 0.4
    patience: int = 4
    _lines: list[_Line] = field(default_factory=list, init=False)

    def __post_init__(self) -> None:
        if self.neighbours < 1 or self.patience < 1:
            raise PhospheneError(
                f"zero_order: neighbours and patience must be at least 1; got {self.neighbours}, "
                f"{self.patience}"
            )
        if not 0 < self.b < 1:
            raise PhospheneError(f"zero_order: b lies between 0 and 1; got {self.b}")

    def ask(self, count: int, view: View) -> list[Proposal]:
        for line in self._lines:
            self._settle(line, view)
        lines = max(1, count // self.neighbours)
        self._lines += [_Line() for _ in range(lines - len(self._lines))]
        return [
            proposal
            for place, line in enumerate(self._lines[:lines])
            for proposal in self._round(place, line, min(self.neighbours, count), view)
        ]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        for candidate in candidates:
            place = candidate.proposal.note.get("line")
            if candidate.finished and place is not None:
                self._lines[place].tried.append(candidate)

    def _settle(self, line: _Line, view: View) -> None:
        """Take in what the last round brought. It waits until the next asking, when what people
        think of it is known."""
        if not line.tried:
            return
        found = best(line.tried, view.archive)
        line.tried = []
        if line.pivot is None or merit(found, view.archive) > merit(line.pivot, view.archive):
            line.pivot, line.fruitless = found, 0
            return
        line.fruitless += 1
        if line.fruitless >= self.patience:
            line.pivot, line.fruitless = None, 0

    def _round(self, place: int, line: _Line, count: int, view: View) -> list[Proposal]:
        note = {"line": place}
        if line.pivot is None:
            first = view.space.random(view.rng)
            rest = [redrawn(first, view.space, view.rng) for _ in range(count - 1)]
            return [Proposal(g, "fresh", note=note) for g in (first, *rest)]
        genomes = [moved(line.pivot.genome, view.rng, self.b) for _ in range(count)]
        return [Proposal(g, "pcn", (line.pivot.id,), note=note) for g in genomes]


COMPONENT = ZeroOrder
