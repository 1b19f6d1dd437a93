"""Attribution: one gradient in the place of a patched run for every layer, step and token group."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probe import Probe, Result
from phosphene.probing.agreement import report
from phosphene.probing.groups import layouts, region, spread, tokens
from phosphene.probing.latents import locate
from phosphene.probing.pairs import Pair, choose, named
from phosphene.probing.patching import graft, together
from phosphene.probing.recall import Step, factors, recording, repeat
from phosphene.subject import Subject
from phosphene.tap import Address, Edit, Keep, Layout, Read, Tap
from phosphene.task import Problem


@dataclass(frozen=True)
class Attribution(Probe):
    """Estimates the effect of patching a place from the gradient there, within one denoiser call.

        E ~ (a_donor - a_base) . dM/da,   M = <x0, x0_donor - x0_base> / ||x0_donor - x0_base||^2

    over the answer's part of that call's x0: two forwards and one backward for all places of a
    step. The same calls are patched exactly as well, and the two are compared by rank: the
    estimate is poor where attention saturates and in the early residual stream.

    Args:
        pairs: at most.
        steps: at most, spread evenly.
        depth: layers at most, spread evenly.
        groups: token groups, see `phosphene.probing.groups`.
        top: how many of the places with the largest estimates are looked at by themselves.
        noise: seed of the common noise.

    References:
        Attribution Patching Outperforms Automated Circuit Discovery (Syed, Rager, Conmy, 2023),
        https://arxiv.org/abs/2310.10348
        AtP*: An efficient and scalable method for localizing LLM behaviour to components (Kramar et
        al., 2024), https://arxiv.org/abs/2403.00745
    """

    pairs: int = 8
    steps: int = 4
    depth: int = 6
    groups: tuple[str, ...] = ("answer", "changed givens", "rest", "beside the picture")
    top: int = 10
    noise: int = 0
    name: ClassVar[str] = "attribution"
    ASKS = "Which places does the gradient point to, and can it be trusted to stand for patching?"
    CONTROLS = "exact patches of the same calls; ranking by the size of the difference alone"

    def __post_init__(self) -> None:
        if min(self.pairs, self.steps, self.depth) < 1 or self.top < 3 or not self.groups:
            raise PhospheneError(
                f"attribution wants pairs, steps, depth >= 1, top >= 3 and a group; got "
                f"{self.pairs}, {self.steps}, {self.depth}, {self.top}, {self.groups}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        pool = choose(subject, book, self.pairs, self.noise)
        request = subject.request(pool.pairs[0].base, noise=self.noise)
        placed, total = layouts(subject, request)
        chosen = spread(range(total), self.steps)
        layers = {n: placed[n] for n in spread(list(placed), self.depth)}
        parts = list(batches(pool.pairs, subject.batch))
        book.plan(len(parts))
        units = [
            book.arrays(
                named(part),
                lambda part=part: self._unit(subject, part, layers, chosen),
                f"pairs {i + 1}",
            )
            for i, part in enumerate(parts)
        ]
        kept = {k: np.concatenate([u[k] for u in units]) for k in ("estimate", "exact", "size")}
        places = [(t, n, g) for t in chosen for n in layers for g in self.groups]
        return report(pool, places, kept, self.top)

    def _unit(
        self,
        subject: Subject,
        pairs: Sequence[Pair],
        layers: Mapping[int, Layout],
        chosen: Sequence[int],
    ) -> dict[str, np.ndarray]:
        """Estimate, exact effect and size of the difference, each `(pairs, places)`."""
        base, base_x0 = self._recorded(subject, [p.base for p in pairs])
        donor, donor_x0 = self._recorded(subject, [p.donor for p in pairs])
        masks = {
            (n, g): np.stack([tokens(g, subject, p, layout) for p in pairs])
            for n, layout in layers.items()
            for g in self.groups
        }
        out: dict[str, list[np.ndarray]] = {"estimate": [], "exact": [], "size": []}
        for t in chosen:
            way = _way(subject, pairs, next(iter(layers.values())), base_x0[t], donor_x0[t])
            found = _at_step(subject, base[t], donor[t], way, masks)
            for name, values in zip(out, found, strict=True):
                out[name].append(values)
        return {name: np.concatenate(values, 1) for name, values in out.items()}

    def _recorded(
        self, subject: Subject, problems: Sequence[Problem]
    ) -> tuple[list[Step], list[torch.Tensor]]:
        """The denoiser's calls at every step, and x0 `(pairs, ...)` there."""
        requests = [subject.request(p, noise=self.noise) for p in problems]
        seen = subject.run(requests, [Read("x0")])
        values = together(seen)
        with recording(subject) as (steps, edit):
            subject.run(requests, edits=[edit])
        return steps, [values[Address(t, "guided", -1, "x0")] for t in range(len(steps))]


def _way(
    subject: Subject,
    pairs: Sequence[Pair],
    layout: Layout,
    base: torch.Tensor,
    donor: torch.Tensor,
) -> torch.Tensor:
    """From base to donor in x0 of the answer's part, over its squared length: `(pairs, ...)`."""
    latents = locate(base[0], layout)
    later = latents.frames if len(latents.frames) == 1 else [f for f in latents.frames if f]
    out = []
    for i, pair in enumerate(pairs):
        part = latents.select(later, region(subject, pair.base, pair.donor))
        way = (donor[i] - base[i]).float() * part
        out.append(way / way.square().sum().clamp_min(1e-12))
    return torch.stack(out)


def _at_step(
    subject: Subject,
    base: Step,
    donor: Step,
    way: torch.Tensor,
    masks: Mapping[tuple[int, str], np.ndarray],
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Estimate, exact effect and size of the difference at one step, each `(pairs, places)`."""
    runs, pipeline = len(way), subject.pipeline
    layers = sorted({n for n, _ in masks})
    kept: list[dict[Address, torch.Tensor]] = []
    with torch.no_grad(), Tap(pipeline, [Read("residual", Keep(), layers)], runs=runs) as tap:
        for step in (donor, base):
            plain = repeat(tap, step, runs)
            kept.append(dict(tap.values))
    theirs, ours = kept
    shares = factors(base, plain)

    def moved(outputs: Sequence[torch.Tensor]) -> torch.Tensor:
        """How far along the way x0 is, `(pairs,)`, up to a constant."""
        joined = sum(c * out.float() for c, out in zip(shares, outputs, strict=True))
        return base.slope * (joined * way.to(outputs[0].device)).flatten(1).sum(1)

    leaves: dict[Address, torch.Tensor] = {}

    def open_up(value: torch.Tensor, at: Address) -> torch.Tensor:
        leaves[at] = torch.zeros_like(value, requires_grad=True)
        return value + leaves[at]

    with (
        torch.enable_grad(),
        Tap(pipeline, edits=[Edit("residual", open_up, layers)], runs=runs) as tap,
    ):
        target = moved(repeat(tap, base, runs)).sum()
        slopes = dict(zip(leaves, torch.autograd.grad(target, list(leaves.values())), strict=True))
    estimate, exact, size = [], [], []
    with torch.no_grad():
        start = moved(plain)
        for (layer, _), mask in masks.items():
            here = torch.as_tensor(mask)
            first = torch.zeros(runs)
            far = torch.zeros(runs)
            for at in (a for a in ours if a.layer == layer):
                gap = (theirs[at] - ours[at]) * here[..., None]
                first += (gap * slopes[at].float().cpu()).sum((1, 2))
                far += gap.square().sum((1, 2))
            edit = graft("residual", theirs, mask, (layer,))
            with Tap(pipeline, edits=[edit], runs=runs) as tap:
                patched = moved(repeat(tap, base, runs))
            estimate.append(first.numpy())
            exact.append((patched - start).cpu().numpy())
            size.append(far.sqrt().numpy())
    return np.stack(estimate, 1), np.stack(exact, 1), np.stack(size, 1)


COMPONENT = Attribution
