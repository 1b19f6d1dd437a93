"""Explorer: decides what to try next. It asks and is told; it never calls the model."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

import numpy as np

from phosphene.candidate import Candidate, Proposal
from phosphene.registry import Registry

if TYPE_CHECKING:
    from phosphene.archive import Archive
    from phosphene.operator import Operator
    from phosphene.space import Space

explorers = Registry("explorer", "phosphene.explorers")


@dataclass(frozen=True, eq=False)
class View:
    """What an explorer sees when it is asked or told.

    Args:
        space: what may vary.
        archive: every finished candidate told so far, this round's included when told.
        operators: name -> operator, those that are able here.
        rng: the round's own; the same in a resumed session.
        targets: descriptors' worth of wishes, unit float32 `(n, d)` in the space of `vector`, one a
            target prompt; empty where nothing was wished or the embedding knows no words.
        latents: id -> digest of a candidate's final latent, for explorers that want latents.
    """

    space: Space
    archive: Archive
    operators: Mapping[str, Operator]
    rng: np.random.Generator
    targets: np.ndarray
    latents: Mapping[str, str]


class Explorer(abc.ABC):
    """A dataclass: its fields are its settings; what it learns is in fields with `init=False`.

    A session that goes on rebuilds it by asking and telling everything again, so its state must
    follow from its settings, `view` and what it is told, and from nothing else.

    Attributes:
        name: as registered.
        wants_latents: whether the final latents of what is made are to be kept.
    """

    name: ClassVar[str]
    wants_latents: ClassVar[bool] = False

    @abc.abstractmethod
    def ask(self, count: int, view: View) -> list[Proposal]:
        """What to try next: about `count` finished samples' worth, at least one proposal.

        An explorer that looks at previews first may propose more of them than `count`.
        """

    @abc.abstractmethod
    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        """What came of the proposals of one `ask`, in their order; some may have failed. What
        people asked for directly is told too, with operators `asked-...`."""
