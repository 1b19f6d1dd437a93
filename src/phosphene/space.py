"""Space: what may vary when a backbone is explored, and what a genome asks of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.genome import Genome
from phosphene.grammar import Grammar
from phosphene.noise import Noise
from phosphene.operator import new_seed
from phosphene.request import Request


@dataclass(frozen=True, eq=False)
class Space:
    """Everything that candidates of one session have in common.

    Args:
        base: what is asked of every candidate: size, frames, fps, steps, guidance, negative.
        streams: what the backbone draws noise for, of `video` and `audio`.
        accepts: the `Request` fields it can honour.
        steps: denoising steps of a finished sample where the genome doesn't say.
        grammar: where prompts come from.
        pictures: name -> first frame, uint8 `(h, w, 3)`; candidates start without one where there
            are none.
        framed: share of fresh candidates that start from one of the pictures.
        guidance: range in which guidance may vary; None to leave it alone.
        step_range: range in which the number of steps may vary; None to leave it alone.
        adapters: names of the LoRA weights that were loaded, whose strengths may vary.
        previews: whether it can be looked at before it has finished.
        speaks: whether the backbone reads prompts.
    """

    base: Request
    streams: tuple[str, ...]
    accepts: frozenset[str]
    steps: int
    grammar: Grammar
    pictures: Mapping[str, np.ndarray] = field(default_factory=dict)
    framed: float = 0.5
    guidance: tuple[float, float] | None = None
    step_range: tuple[int, int] | None = None
    adapters: tuple[str, ...] = ()
    previews: bool = False
    speaks: bool = True

    def random(self, rng: np.random.Generator) -> Genome:
        """An independent draw: random search is nothing else."""
        prompt, atoms = self.grammar.derive(rng) if self.speaks else ("", {})
        names = list(self.pictures)
        shown = names and ("first_frame" in self.base_requires or rng.random() < self.framed)
        return Genome(
            prompt=prompt,
            atoms=atoms,
            frame=names[rng.integers(len(names))] if shown else None,
            noise=self.noise(rng),
        )

    @property
    def base_requires(self) -> frozenset[str]:
        """What every candidate must have beside a prompt."""
        return frozenset({"first_frame"}) if self.framed >= 1 else frozenset()

    def noise(self, rng: np.random.Generator) -> dict[str, Noise]:
        """Fresh noise for every stream."""
        return {stream: Noise.fresh(new_seed(rng)) for stream in self.streams}

    def request(self, genome: Genome) -> Request:
        """What is asked of the backbone.

        Raises:
            PhospheneError: the genome names a picture that the space lacks.
        """
        if genome.frame is not None and genome.frame not in self.pictures:
            raise PhospheneError(
                f"there is no picture {genome.frame!r} in this space; it has "
                f"{', '.join(list(self.pictures)[:5]) or 'none'}"
            )
        return replace(
            self.base,
            prompt=genome.prompt,
            negative=self.base.negative if genome.negative is None else genome.negative,
            first_frame=None if genome.frame is None else self.pictures[genome.frame],
            guidance=self.base.guidance if genome.guidance is None else genome.guidance,
            steps=self.base.steps if genome.steps is None else genome.steps,
            noise={k: v.record() for k, v in genome.noise.items()},
            steering=genome.steering,
        )

    def steps_of(self, genome: Genome) -> int:
        """Denoising steps that finish this genome."""
        return self.steps if genome.steps is None else genome.steps
