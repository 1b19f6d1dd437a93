"""Small changes of a genome that keep its noise white."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phosphene.genome import Genome
from phosphene.operator import new_seed
from phosphene.space import Space


def moved(genome: Genome, rng: np.random.Generator, b: float) -> Genome:
    """A step of length b away from the noise of every stream, 0..1; the rest stays."""
    noise = {stream: n.moved(new_seed(rng), b) for stream, n in genome.noise.items()}
    return replace(genome, noise=noise)


def redrawn(genome: Genome, space: Space, rng: np.random.Generator) -> Genome:
    """The same words and picture with independent noise."""
    return replace(genome, noise=space.noise(rng))


def reworded(genome: Genome, space: Space, rng: np.random.Generator) -> Genome:
    """One atom of the prompt exchanged for another; the noise stays."""
    prompt, atoms = space.grammar.mutate(genome.atoms, rng)
    return replace(genome, prompt=prompt, atoms=atoms)


def rewordable(genome: Genome, space: Space) -> bool:
    """Whether the prompt was put together from atoms that have alternatives."""
    return space.speaks and bool(genome.atoms) and space.grammar.size > 1


def mutated(
    genome: Genome, space: Space, rng: np.random.Generator, b: float, words: float
) -> tuple[Genome, str]:
    """The noise moved by b or, with probability `words`, an atom exchanged; and which it was.

    Returns:
        The new genome and the name of the operator, `pcn` or `atoms`.
    """
    if rng.random() < words and rewordable(genome, space):
        return reworded(genome, space, rng), "atoms"
    return moved(genome, rng, b), "pcn"
