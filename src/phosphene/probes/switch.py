"""Switch: the conditions change on the way. From which step or layer on does it come too late?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from math import nan
from typing import ClassVar

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probe import Probe, Result
from phosphene.probing.endings import ARMS, report
from phosphene.probing.groups import layouts, spread
from phosphene.probing.latents import locate
from phosphene.probing.pairs import Pair, choose, named
from phosphene.probing.patching import graft, together
from phosphene.request import Request
from phosphene.subject import Subject
from phosphene.tap import Address, Edit, Keep, Layout, Read
from phosphene.task import Problem


@dataclass(frozen=True)
class Switch(Probe):
    """Two problems A and B from one noise; the run sees A first and B from a step or layer on.

    By step k: B's run goes on from A's x_t of step k, so that steps before k were A's. What B's
    pipeline holds fixed in x_t, a given first frame, stays B's. By layer l: at every step the
    tokens of frames that are being drawn enter layer l as they did in A's run; given frames, words
    and everything else that layers from l on attend to are B's. A's x_t comes along in those
    tokens: what A's earlier steps have drawn is part of what a late layer is handed.

    The point of no return is the first place at which more runs end on A's answer than on B's.

    Args:
        pairs: at most.
        steps: places along the run at most, spread evenly; 0 for every step.
        depth: switches between layers at most, spread evenly; 0 for none.
        noise: seed of the common noise.

    References:
        Prompt-Conditioned Intervention (2025), https://arxiv.org/abs/2512.08486
        On Mechanistic Knowledge Localization in Text-to-Image Generative Models (Basu et al.,
        2024), https://arxiv.org/abs/2405.01008
    """

    pairs: int = 8
    steps: int = 0
    depth: int = 6
    noise: int = 0
    name: ClassVar[str] = "switch"
    ASKS = "After which step, and above which layer, do new conditions no longer change the answer?"
    CONTROLS = (
        "switches between problems with the same answer (does switching itself do harm?) and "
        "between two wordings of one problem"
    )

    def __post_init__(self) -> None:
        if self.pairs < 1 or min(self.steps, self.depth) < 0:
            raise PhospheneError(
                f"switch wants pairs >= 1, steps and depth >= 0; got {self.pairs}, {self.steps}, "
                f"{self.depth}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        pool = choose(subject, book, self.pairs, self.noise)
        request = subject.request(pool.pairs[0].base, noise=self.noise)
        placed, total = self._places(subject, request)
        every = list(range(1, total))
        if self.steps and len(every) > self.steps:
            every = sorted({round(k) for k in np.linspace(1, total - 1, self.steps)})
        axes = {"step": every, "layer": [n + 1 for n in spread(list(placed), self.depth)]}
        axes = {axis: places for axis, places in axes.items() if places}
        parts = list(batches(pool.pairs, subject.batch))
        book.plan(len(parts) * len(ARMS) * sum(map(len, axes.values())))
        ends: dict[tuple[str, str, int], list[list[float]]] = {}
        for part in parts:
            for arm in ARMS:
                runs = _Runs(subject, part, self.noise, arm, placed)
                for axis, places in axes.items():
                    for place in places:
                        text = f"{arm}, {axis} {place}"
                        found = book.once(
                            f"{text}, {named(part)}",
                            lambda runs=runs, axis=axis, place=place: runs.switched(axis, place),
                            text,
                        )
                        ends.setdefault((arm, axis, place), []).extend(found)
        return report(pool, axes, ends)

    def _places(self, subject: Subject, request: Request) -> tuple[Mapping[int, Layout], int]:
        """Layouts of the layers, none if they aren't asked for, and the number of steps."""
        if self.depth:
            return layouts(subject, request)
        return {}, len(subject.run([request])[0].levels)


class _Runs:
    """A batch of pairs under one arm: unchanged runs, made when first needed, and switched ones."""

    def __init__(
        self,
        subject: Subject,
        pairs: Sequence[Pair],
        noise: int,
        arm: str,
        layouts: Mapping[int, Layout],
    ) -> None:
        self.subject, self.layouts = subject, layouts
        there = [p for p in pairs if arm != "same answer" or p.twin is not None]
        self.there = [arm != "same answer" or p.twin is not None for p in pairs]
        self.before: list[Problem] = [p.base for p in there]
        after = {"other answer": "donor", "same answer": "twin", "other wording": "base"}[arm]
        self.after: list[Problem] = [getattr(p, after) for p in there]
        self.asked = [subject.request(p, noise=noise) for p in self.before]
        self.then = [subject.request(p, noise=noise) for p in self.after]
        if arm == "other wording":
            self.then = [_reworded(r, p) for r, p in zip(self.then, self.after, strict=True)]

    @cached_property
    def first(self) -> dict[Address, torch.Tensor]:
        """x_t of A's runs."""
        return together(self.subject.run(self.asked, [Read("x_t")]))

    def entering(self, layer: int) -> dict[Address, torch.Tensor]:
        """What enters a layer in A's runs; one layer at a time, for the memory's sake."""
        return together(self.subject.run(self.asked, [Read("residual", Keep(), (layer - 1,))]))

    @cached_property
    def held(self) -> dict[int, torch.Tensor]:
        """Stream -> where x_t of B's runs never changes: given pictures, bool."""
        seen = together(self.subject.run(self.then, [Read("x_t")]))
        out: dict[int, torch.Tensor] = {}
        for stream in {at.stream for at in seen}:
            rows = [v for at, v in sorted(seen.items()) if at.stream == stream]
            out[stream] = torch.stack([row == rows[0] for row in rows]).all(0)
        return out

    def switched(self, axis: str, place: int) -> list[list[float]]:
        """For each pair, whether the run ends on A's answer, and whether on B's."""
        if not self.then:
            return [[nan, nan] for _ in self.there]
        edit = self._at_step(place) if axis == "step" else self._at_layer(place)
        made = iter(self.subject.run(self.then, edits=[edit]))
        ends: list[list[float]] = []
        couples = iter(zip(self.before, self.after, strict=True))
        for there in self.there:
            if not there:
                ends.append([nan, nan])
                continue
            first, second = next(couples)
            answer = self.subject.read(second, next(made).clip).answer
            right = self.subject.task.right
            ends.append([float(answer is not None and right(p, answer)) for p in (first, second)])
        return ends

    def _at_step(self, step: int) -> Edit:
        def change(value: torch.Tensor, at: Address) -> torch.Tensor:
            earlier = self.first[at].to(value)
            return torch.where(self.held[at.stream].to(value.device), value, earlier)

        # Looked up here: a run can't be made while another one is under way.
        _ = self.first, self.held
        return Edit("x_t", change, steps=(step,))

    def _at_layer(self, layer: int) -> Edit:
        values = self.entering(layer)
        layout = self.layouts[layer - 1]
        drawn = np.isin(layout.places[:, 0], self._drawn(layout))
        where = np.broadcast_to(drawn, (len(self.then), layout.tokens))
        return graft("residual", values, where.copy(), (layer - 1,))

    def _drawn(self, layout: Layout) -> list[int]:
        """Latent frames that are not wholly given."""
        held = self.held[0]
        if not held.any():
            return list(range(layout.frames))
        latents = locate(held[0], layout)
        return [f for f in latents.frames if not held[:, latents.select([f])].all()]


def _reworded(request: Request, problem: Problem) -> Request:
    """The same request in the problem's second wording, where the backbone reads any."""
    words = request.prompt.replace(problem.prompts[0], problem.prompts[1])
    return replace(request, prompt=words)


COMPONENT = Switch
