"""Repulsion: fresh draws that are kept away, while they are made, from what was made before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.archive import Archive
from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View
from phosphene.genome import Genome

_POOL = 256  # candidates looked at for a round's points
_NEAR = 3  # neighbours that say how crowded it is around one


@dataclass
class Repulsion(Explorer):
    """Independent draws with sparse repulsion from archived latents z_i (SPELL).

        x0' = x0 + sum_i relu(r / |x0 - z_i| - 1) (x0 - z_i)      in the first `share` of the steps

    The paper looks at every reference; a request names up to `points` latents here. They are those
    of candidates that share the most atoms with the new prompt, since words decide most of where a
    sample lands, and among these of the ones in the most crowded places.

    Args:
        radius: r, root mean square over the elements of a latent: 1 is the distance at which two
            latents differ by 1 in every element.
        share: share of the steps in which it acts, 0..1.
        points: latents that a sample is kept away from, at least 1.

    Raises:
        PhospheneError: a setting out of its range; when asked, a backbone that can't be steered or
            whose latents aren't kept.

    References:
        Shielded Diffusion: Generating Novel and Diverse Images using Sparse Repellency (Kirchhof et
        al., 2024), https://arxiv.org/abs/2410.06025
    """

    name = "repulsion"
    wants_latents = True

    radius: float = 0.5
    share: float = 0.6
    points: int = 8

    def __post_init__(self) -> None:
        if not self.radius > 0 or not 0 < self.share <= 1 or self.points < 1:
            raise PhospheneError(
                f"repulsion: radius must be above 0, share lie in 0..1 and points be at least 1; "
                f"got {self.radius}, {self.share}, {self.points}"
            )

    def ask(self, count: int, view: View) -> list[Proposal]:
        if "steering" not in view.space.accepts:
            raise PhospheneError(
                "explorer repulsion steers samples while they are made, which this backbone can't "
                "take; use novelty"
            )
        kept = [i for i, c in enumerate(view.archive) if c.id in view.latents]
        if len(view.archive) and not kept:
            raise PhospheneError(
                "explorer repulsion needs the final latents of what was made, and this session "
                "holds none; begin a new one with --explorer repulsion"
            )
        if len(kept) > _POOL:
            kept = sorted(view.rng.choice(kept, _POOL, replace=False).tolist())
        crowded = _by_crowding(view.archive, kept)
        return [self._proposal(view.space.random(view.rng), crowded, view) for _ in range(count)]

    def tell(self, candidates: Sequence[Candidate], view: View) -> None:
        """What was made is in the archive, and that is all it goes by."""

    def _proposal(self, genome: Genome, crowded: Sequence[Candidate], view: View) -> Proposal:
        if not crowded:
            return Proposal(genome, "fresh")
        alike = sorted(crowded, key=lambda c: -_common(genome, c.genome))[: self.points]
        digests = [view.latents[c.id] for c in alike]
        steered = genome.steered("repel", radius=self.radius, share=self.share, points=digests)
        return Proposal(steered, "repel")


def _by_crowding(archive: Archive, places: Sequence[int]) -> list[Candidate]:
    """The candidates at some places of the archive, those in the most crowded spots first."""
    if not places:
        return []
    novelty = archive.novelty(archive.vectors[list(places)], _NEAR, itself=True)
    return [archive.candidates[places[i]] for i in np.argsort(novelty, kind="stable")]


def _common(one: Genome, other: Genome) -> int:
    """How much of what was asked for two genomes share: atoms, and the picture."""
    atoms = sum(other.atoms.get(slot) == choice for slot, choice in one.atoms.items())
    return atoms + (one.prompt == other.prompt) + (one.frame == other.frame)


COMPONENT = Repulsion
