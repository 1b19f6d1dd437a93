"""Samples that branch while they are made: where to look at them, and how copies part."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from phosphene.candidate import Candidate
from phosphene.errors import PhospheneError
from phosphene.genome import Genome
from phosphene.operator import new_seed
from phosphene.space import Space


def require_branching(space: Space, name: str) -> None:
    """Refuse spaces whose samples can't be looked at early and parted.

    Raises:
        PhospheneError: no previews, or no steering.
    """
    if not space.previews:
        raise PhospheneError(
            f"explorer {name} looks at unfinished samples, which this backbone can't show; use "
            f"zero_order or best_of_n"
        )
    if "steering" not in space.accepts:
        raise PhospheneError(
            f"explorer {name} parts samples half-way by the steer renoise, which this backbone "
            f"can't take; use zero_order or best_of_n"
        )


def check_shares(shares: Sequence[float], name: str) -> tuple[float, ...]:
    """Shares of the steps after which samples are looked at, 0..1 exclusive, rising.

    Raises:
        PhospheneError: out of range, out of order, or none.
    """
    found = tuple(float(s) for s in shares)
    rising = all(a < b for a, b in pairwise(found))
    if not found or not rising or not all(0 < s < 1 for s in found):
        raise PhospheneError(
            f"{name}: looks are shares of the steps, rising, between 0 and 1; got {list(found)}"
        )
    return found


def looks(shares: Sequence[float], steps: int, name: str) -> list[int]:
    """Numbers of steps after which to look, each once, at least 1 and before the end.

    Raises:
        PhospheneError: too few steps to look in between.
    """
    if steps < 2:
        raise PhospheneError(
            f"explorer {name} looks at samples between their steps; {steps} step is too few, "
            f"raise --steps"
        )
    return sorted({min(max(1, round(share * steps)), steps - 1) for share in shares})


def branched(genome: Genome, step: int, b: float, rng: np.random.Generator) -> Genome:
    """The same sample up to `step`, where a share b of its noise is exchanged for a fresh draw."""
    return genome.steered("renoise", step=step, b=b, seed=new_seed(rng))


def by_group(candidates: Sequence[Candidate]) -> dict[int, list[Candidate]]:
    """Those that were made, by the `group` in their note, in order; what has none is left out."""
    told: dict[int, list[Candidate]] = {}
    for candidate in candidates:
        if not candidate.failed and "group" in candidate.proposal.note:
            told.setdefault(candidate.proposal.note["group"], []).append(candidate)
    return told
