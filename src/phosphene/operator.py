"""Operator: how one genome comes from others."""

from __future__ import annotations

import abc
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from phosphene.genome import Genome
from phosphene.registry import Registry

if TYPE_CHECKING:
    from phosphene.space import Space

operators = Registry("operator", "phosphene.operators")


class Operator(abc.ABC):
    """One way to vary. A frozen dataclass: its fields are its settings.

    Attributes:
        name: as registered.
        parents: how many genomes it takes: 0, 1 or 2.
    """

    name: ClassVar[str]
    parents: ClassVar[int] = 1

    @abc.abstractmethod
    def able(self, space: Space) -> bool:
        """Whether there is anything for it to vary there."""

    @abc.abstractmethod
    def breed(self, parents: Sequence[Genome], space: Space, rng: np.random.Generator) -> Genome:
        """A new genome; depends on nothing but its arguments."""


def new_seed(rng: np.random.Generator) -> int:
    """A seed for noise, 0..2^62-1: exact in JSON of every reader is not asked for, ours is."""
    return int(rng.integers(2**62))
