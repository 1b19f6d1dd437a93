"""Handle: a few numbers to hold a genome by, for optimisers that want numbers."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.genome import Genome
from phosphene.noise import Noise
from phosphene.operator import new_seed
from phosphene.space import Space

MOST_SEEDS = 24  # terms that noise keeps
# Optimisers solve for eigenvectors, whose last bits differ between machines; a session that moved
# has to propose the same genomes again.
_DIGITS = 4


@dataclass(frozen=True)
class Handle:
    """Noise from the sphere that a few fixed draws span, and what else of a genome is a number.

    The m coordinates of a stream, normalised, are the weights of its m draws, so noise stays white
    wherever an optimiser goes; their length means nothing. Coordinates of guidance and of LoRA
    strengths pass through the normal distribution function onto their range. Standard normal
    coordinates are thus independent draws.

    Args:
        base: what is not held: words and picture.
        seeds: stream -> its draws.
        guidance: range of the guidance; None leaves it alone.
        adapters: names of LoRA weights, of strength 0..1.
    """

    base: Genome
    seeds: Mapping[str, tuple[int, ...]]
    guidance: tuple[float, float] | None = None
    adapters: tuple[str, ...] = ()

    @classmethod
    def around(cls, base: Genome, count: int, space: Space, rng: np.random.Generator) -> Handle:
        """A handle on `base` with `count` draws a stream: the heaviest of its own, the others
        fresh."""
        seeds = {}
        for stream in space.streams:
            own = [base.noise[stream].terms[0][0]] if stream in base.noise else []
            seeds[stream] = (*own, *(new_seed(rng) for _ in range(count - len(own))))
        return cls(base, seeds, space.guidance, space.adapters)

    @property
    def size(self) -> int:
        """How many coordinates there are."""
        held = sum(len(s) for s in self.seeds.values())
        return held + (self.guidance is not None) + len(self.adapters)

    def genome(self, x: np.ndarray) -> Genome:
        """The genome at coordinates `(size,)`."""
        rest = [round(float(value), _DIGITS) for value in x]
        noise = {}
        for stream, seeds in self.seeds.items():
            noise[stream] = _weighted(seeds, rest[: len(seeds)])
            rest = rest[len(seeds) :]
        found = replace(self.base, noise=noise)
        if self.guidance is not None:
            low, high = self.guidance
            found = replace(found, guidance=round(low + (high - low) * _share(rest.pop(0)), 3))
        if self.adapters:
            strengths = {n: round(_share(v), 3) for n, v in zip(self.adapters, rest, strict=True)}
            others = tuple(s for s in found.steering if s.get("op") != "adapters")
            found = replace(found, steering=others).steered("adapters", weights=strengths)
        return found


def check_seeds(count: int, name: str) -> None:
    """Refuse numbers of draws that noise can't hold.

    Raises:
        PhospheneError: fewer than 2, or more than noise keeps.
    """
    if not 2 <= count <= MOST_SEEDS:
        raise PhospheneError(f"{name}: seeds must lie in 2..{MOST_SEEDS}; got {count}")


def _weighted(seeds: Sequence[int], x: Sequence[float]) -> Noise:
    length = math.sqrt(math.fsum(v * v for v in x))
    if length == 0:
        return Noise.fresh(seeds[0])
    return Noise(tuple((s, v / length, v / length) for s, v in zip(seeds, x, strict=True)))


def _share(x: float) -> float:
    """The normal distribution function, 0..1."""
    return 0.5 * (1 + math.erf(x / math.sqrt(2)))
