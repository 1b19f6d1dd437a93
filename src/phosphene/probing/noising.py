"""Noising: the same energy of noise put into x_t at one step, in one frame, or beside the point."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from phosphene.probing.effect import shown
from phosphene.probing.groups import givens, region
from phosphene.probing.latents import Latents, locate
from phosphene.subject import Subject
from phosphene.tap import Address, Edit, Layout, Read
from phosphene.task import Problem


class Noiser:
    """A batch of problems: unchanged runs, and runs with noise of equal energy.

    Args:
        layout: of the denoiser's tokens.
        steps: of a run.
        strength: standard deviation of the noise where it covers one whole step.
    """

    def __init__(
        self,
        subject: Subject,
        problems: Sequence[Problem],
        layout: Layout,
        steps: int,
        strength: float,
    ) -> None:
        self.subject, self.problems, self.layout = subject, problems, layout
        self.steps, self.strength = steps, strength
        self.requests = [subject.request(p) for p in problems]
        self._ready = False

    def _prepare(self) -> None:
        """Run unchanged; find out where x_t is free to take noise."""
        if self._ready:
            return
        seen = self.subject.run(self.requests, [Read("x_t")])
        self.before = [
            shown(self.subject, o.clip, p) for o, p in zip(seen, self.problems, strict=True)
        ]
        self.right = [
            self.subject.right(p, o.clip) for o, p in zip(seen, self.problems, strict=True)
        ]
        rows = [torch.stack([o.values[at] for o in seen]) for at in _starts(self.steps)]
        self.free = ~torch.stack([row == rows[0] for row in rows[1:]]).all(0)
        self.latents: Latents = locate(rows[0][0], self.layout)
        self._ready = True

    def outcomes(self, kind: str, place: int) -> list[dict[str, float]]:
        """For each problem: was it right before, is its answer lost (nan if it wasn't), and how far
        did its picture go; nan where there is no place for noise."""
        self._prepare()
        parts = torch.stack([self._part(kind, place, i) for i in range(len(self.problems))])
        there = parts.flatten(1).any(1).tolist()
        if not any(there) and kind != "none":
            nothing = {"lost": float("nan"), "distance": float("nan")}
            return [{"right before": float(r), **nothing} for r in self.right]
        when = range(1, self.steps) if kind == "frame" else (max(place, 1),)
        edit = Edit("x_t", lambda value, at: self._noised(value, at, parts, kind), steps=when)
        out = []
        made = self.subject.run(self.requests, edits=[edit])
        for i, (problem, seen) in enumerate(zip(self.problems, made, strict=True)):
            gone = shown(self.subject, seen.clip, problem) - self.before[i]
            lost = float(not self.subject.right(problem, seen.clip))
            told = there[i] or kind == "none"
            out.append(
                {
                    "right before": float(self.right[i]),
                    "lost": lost if self.right[i] and told else float("nan"),
                    "distance": float(np.sqrt((gone**2).mean()) / 255) if told else float("nan"),
                }
            )
        return out

    def _part(self, kind: str, place: int, i: int) -> torch.Tensor:
        """Where the noise goes, bool, shaped like x_t of one sample."""
        free, problem = self.free[i], self.problems[i]
        if kind == "none":
            return torch.zeros_like(free)
        if kind == "frame":
            return free & self.latents.select([place])
        if kind == "step":
            return free
        used = region(self.subject, problem) | givens(self.subject, problem)
        return free & ~_touching(self.latents, used)

    def _noised(
        self, value: torch.Tensor, at: Address, parts: torch.Tensor, kind: str
    ) -> torch.Tensor:
        if at.stream or kind == "none":
            return value + 0 * value
        times = self.steps - 1 if kind == "frame" else 1
        out = []
        for i, problem in enumerate(self.problems):
            energy = self.strength**2 * float(self.free[i].sum()) / times
            out.append(noise((problem.seed % 2**31, at.step), parts[i], energy))
        return value + torch.stack(out).to(value)


def noise(seed: tuple[int, ...], where: torch.Tensor, energy: float) -> torch.Tensor:
    """Normal noise within a part, scaled to an exact energy: the sum of its squares.

    Args:
        where: bool, of the sample's shape; nought elsewhere, and everywhere if it is empty.
    """
    draw = np.random.default_rng(seed).standard_normal(tuple(where.shape), dtype=np.float32)
    out = torch.from_numpy(draw) * where
    size = float(out.square().sum()) ** 0.5
    return out * (energy**0.5 / size) if size else out


def _touching(latents: Latents, mask: np.ndarray) -> torch.Tensor:
    """Latents that a mask reaches at all: all but those within its complement to the full."""
    height, width = mask.shape
    if latents.packed is not None:
        rows, columns = latents.packed.rows, latents.packed.columns
    else:
        rows, columns = latents.shape[-2:]
    # A cell is free of the mask where not one of its pixels is in it.
    ys = np.minimum(np.arange(height) * rows // height, rows - 1)
    xs = np.minimum(np.arange(width) * columns // width, columns - 1)
    cells = np.zeros((rows, columns), bool)
    np.logical_or.at(cells, (ys[:, None], xs[None]), mask)
    return (
        latents.select(None, cells) if cells.any() else torch.zeros(latents.shape, dtype=torch.bool)
    )


def _starts(steps: int) -> list[Address]:
    return [Address(t, "guided", -1, "x_t") for t in range(steps)]
