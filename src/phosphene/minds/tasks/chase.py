"""chase: follow a table of arrows from a given name, so many hops, and say where it ends."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.task import TextProblem, TextTask
from phosphene.task import Split, held_out

# fmt: off
NAMES = (
    "ash", "bay", "cod", "dew", "elm", "fig", "gum", "hay", "ivy", "jay", "kit", "log", "mud",
    "nut", "oak", "pea", "rye", "sod", "tea", "urn", "vat", "wax", "yam", "bow", "cup", "den",
)
# fmt: on


@dataclass(frozen=True)
class Chase(TextTask):
    """The table is a fresh random permutation without short cycles in every question, so nothing
    can be learned by heart, and hop k needs the outcome of hop k-1: what each thought must hold is
    known by construction.

    Args:
        names: most names of a table, 4 to 26.
        hops: most steps asked for, 1 to names - 1, and no more than a table has names less one.
        least: fewest steps, 1 to hops.
        fewest: fewest names of a table, above `least`; as many as `names` if 0. A model that meets
            small tables among large ones finds out sooner how to read them.
    """

    names: int = 8
    hops: int = 4
    least: int = 1
    fewest: int = 0
    name: ClassVar[str] = "chase"
    ABOUT: ClassVar[str] = "follow arrows through a fresh table, hop by hop"

    def __post_init__(self) -> None:
        if not 4 <= self.names <= len(NAMES):
            raise PhospheneError(f"chase has 4 to {len(NAMES)} names; got {self.names}")
        if not 1 <= self.least <= self.hops < self.names:
            raise PhospheneError(
                f"chase needs 1 <= least <= hops < names; got {self.least}, {self.hops}, "
                f"{self.names}"
            )
        if self.fewest and not max(3, self.least + 1) <= self.fewest <= self.names:
            raise PhospheneError(
                f"chase needs {max(3, self.least + 1)} <= fewest <= names, or 0; got {self.fewest}"
            )

    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        for attempt in range(1000):
            rng = np.random.default_rng([seed, attempt])
            size = int(rng.integers(self.fewest or self.names, self.names + 1))
            ring = [NAMES[i] for i in rng.permutation(self.names)[:size]]
            hops = int(rng.integers(self.least, min(self.hops, size - 1) + 1))
            # Where the split is decided by the table's ring, no table is in both.
            at = ring.index(min(ring))
            if held_out("".join([*ring[at:], *ring[:at]]), 8) is (split == "test"):
                return self._problem(ring, hops, rng, seed, split)
        raise PhospheneError(f"chase with {self.names} names has no {split} table; ask for more")

    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        rng = np.random.default_rng([problem.seed, 1 + seed])
        ring = [str(n) for n in problem.state["ring"]]
        other = list(ring)
        hops = int(problem.state["hops"])
        while other[hops] == ring[hops]:
            # The name asked about stays, the way from it changes.
            other = [ring[0], *(ring[1 + i] for i in rng.permutation(len(ring) - 1))]
        order = [int(i) for i in problem.state["order"]]
        return self._told(other, hops, order, problem.seed, problem.split)

    def words(self) -> Sequence[str]:
        return (*NAMES[: self.names], "from", ".", "hops", *map(str, range(1, self.hops + 1)))

    @property
    def chance(self) -> float:
        sizes = range(self.fewest or self.names, self.names + 1)
        return sum(1 / (size - 1) for size in sizes) / len(sizes)

    def _problem(
        self, ring: list[str], hops: int, rng: np.random.Generator, seed: int, split: Split
    ) -> TextProblem:
        return self._told(ring, hops, [int(i) for i in rng.permutation(len(ring))], seed, split)

    def _told(
        self, ring: list[str], hops: int, order: list[int], seed: int, split: Split
    ) -> TextProblem:
        """The question of a ring whose first name is asked about; arrows named in `order`."""
        names = sorted(ring)
        after = dict(zip(ring, [*ring[1:], ring[0]], strict=True))
        arrows = " ".join(f"{names[i]} to {after[names[i]]}." for i in order)
        way = ring[: hops + 1]
        return TextProblem(
            self.name,
            seed,
            split,
            f"{arrows} from {way[0]} {hops} hops.",
            tuple(f"{a} to {b}." for a, b in pairwise(way)),
            way[-1],
            options=tuple(names),
            values={f"hop {i}": name for i, name in enumerate(way[1:], 1)},
            state={"ring": ring, "order": order, "hops": hops},
        )


COMPONENT = Chase
