"""Patch: causal tracing. Which layer, step and token group carries what makes the answer?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probe import Probe, Result
from phosphene.probing.carriers import report
from phosphene.probing.effect import projection, shown
from phosphene.probing.groups import layouts, spread, tokens
from phosphene.probing.pairs import Pair, choose, named
from phosphene.probing.patching import graft, jolt, together
from phosphene.probing.tracing import ARMS, MEASURES, Traced, gathered
from phosphene.subject import Observation, Subject
from phosphene.tap import Edit, Keep, Layout, Read
from phosphene.task import Problem


@dataclass(frozen=True)
class Patch(Probe):
    """Puts a donor run's residual stream into the run of its pair, place by place.

    Four arms a place: the donor's activations in the base's run (sufficiency, "denoising"); the
    base's in the donor's run (necessity, "noising": does the donor's answer survive?); those of
    another problem with the base's answer; and a random change as large as the donor's. The last
    two are placebos. A place carries the answer where the donor's arm beats both, in pixels and in
    what is read; it is needed where the reverse arm destroys more answers than the random change.

    Args:
        pairs: at most.
        window: steps patched together. Effects add up over a window: a long one finds more and
            says less of when.
        depth: layers at most, spread evenly.
        layers: their numbers, instead of `depth`.
        groups: token groups, see `phosphene.probing.groups`.
        differs: the one entry of the task's state in which the problems of a pair may differ
            beside the answer, e.g. `a` or `operator`; empty for any.
        noise: seed of the common noise.

    References:
        Towards Best Practices of Activation Patching (Zhang, Nanda, 2023), https://arxiv.org/abs/2309.16042
        Locating and Editing Factual Associations in GPT (Meng et al., 2022), https://arxiv.org/abs/2202.05262
    """

    pairs: int = 8
    window: int = 4
    depth: int = 5
    layers: tuple[int, ...] = ()
    groups: tuple[str, ...] = ("answer", "changed givens", "beside the picture")
    differs: str = ""
    noise: int = 0
    name: ClassVar[str] = "patch"
    ASKS = "Which layers, steps and tokens carry what decides the answer?"
    CONTROLS = (
        "activations of another problem with the same answer, random changes of the same size, "
        "both directions, every place counted"
    )

    def __post_init__(self) -> None:
        if min(self.pairs, self.window, self.depth) < 1 or not self.groups:
            raise PhospheneError(
                f"patch wants pairs, window and depth >= 1 and a group; got {self.pairs}, "
                f"{self.window}, {self.depth}, {self.groups}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        pool = choose(subject, book, self.pairs, self.noise, self.differs or None)
        placed, steps = layouts(subject, subject.request(pool.pairs[0].base, noise=self.noise))
        layers = list(self.layers) or spread(list(placed), self.depth)
        missing = [n for n in layers if n not in placed]
        if missing:
            raise PhospheneError(
                f"layer {missing[0]} holds no picture; those that do: {list(placed)}"
            )
        spans = [range(k, min(k + self.window, steps)) for k in range(0, steps, self.window)]
        parts = list(batches(pool.pairs, subject.batch))
        book.plan(len(parts) * len(layers) * len(spans))
        units: dict[tuple[int, int], list[dict[str, Any]]] = {}
        for part in parts:
            for a, layer in enumerate(layers):
                runs = _Runs(subject, part, self.noise, layer)
                for s, span in enumerate(spans):
                    text = f"layer {layer}, steps {span[0]}-{span[-1]}"
                    unit = book.once(
                        f"{text}, {named(part)}",
                        lambda runs=runs, span=span: self._unit(runs, span, placed[runs.layer]),
                        text,
                    )
                    units.setdefault((a, s), []).append(unit)
        traced = Traced(pool, layers, spans, self.groups, gathered(units))
        return report(traced, [f"windows of {self.window} steps, {len(traced.places)} places"])

    def _unit(self, runs: _Runs, span: range, layout: Layout) -> dict[str, Any]:
        """Everything done to one batch of pairs at one layer in one window."""
        out: dict[str, Any] = {}
        for group in self.groups:
            where = _where(runs.subject, group, runs.pairs, layout)
            # The twin's givens are other ones than the donor's, and all of them go over.
            twins = [replace(p, donor=p.twin or p.donor) for p in runs.pairs]
            there = {"same answer": _where(runs.subject, group, twins, layout)}
            out[group] = {arm: runs.arm(arm, there.get(arm, where), span) for arm in ARMS}
        return out


def _where(subject: Subject, group: str, pairs: Sequence[Pair], layout: Layout) -> np.ndarray:
    return np.stack([tokens(group, subject, p, layout) for p in pairs])


class _Runs:
    """A batch of pairs at one layer: unchanged runs, made when first needed, and changed ones."""

    def __init__(self, subject: Subject, pairs: Sequence[Pair], noise: int, layer: int) -> None:
        self.subject, self.pairs, self.noise, self.layer = subject, pairs, noise, layer

    def _plain(self, problems: Sequence[Problem]) -> list[Observation]:
        requests = [self.subject.request(p, noise=self.noise) for p in problems]
        return self.subject.run(requests, [Read("residual", Keep(), layers=(self.layer,))])

    @cached_property
    def base(self) -> list[Observation]:
        return self._plain([p.base for p in self.pairs])

    @cached_property
    def donor(self) -> list[Observation]:
        return self._plain([p.donor for p in self.pairs])

    @cached_property
    def twin(self) -> list[Observation]:
        return self._plain([p.twin or p.base for p in self.pairs])

    def arm(self, arm: str, where: np.ndarray, span: range) -> dict[str, list[float]]:
        """Effect, and whether the run's own answer and the other one's is read, pair by pair.

        Args:
            where: bool `(pairs, tokens)`; pairs of an empty row are nan.
        """
        there = np.asarray(where.any(1))
        if arm == "same answer":
            there = there & np.array([p.twin is not None for p in self.pairs])
        if not there.any():
            return {m: [float("nan")] * len(self.pairs) for m in MEASURES}
        own, other = (self.donor, self.base) if arm == "reverse" else (self.base, self.donor)
        asked = [(p.donor, p.base) if arm == "reverse" else (p.base, p.donor) for p in self.pairs]
        requests = [self.subject.request(a, noise=self.noise) for a, _ in asked]
        made = self.subject.run(requests, edits=[self._edit(arm, where, span)])
        out: dict[str, list[float]] = {m: [] for m in MEASURES}
        for i, (mine, its) in enumerate(asked):
            pixels = [shown(self.subject, o[i].clip, mine, its) for o in (made, own, other)]
            answer = self.subject.read(mine, made[i].clip).answer
            found = (
                projection(*pixels),
                answer is not None and self.subject.task.right(mine, answer),
                answer is not None and self.subject.task.right(its, answer),
            )
            for measure, value in zip(MEASURES, found, strict=True):
                out[measure].append(float(value) if there[i] else float("nan"))
        return out

    def _edit(self, arm: str, where: np.ndarray, span: range) -> Edit:
        sources = {"reverse": "base", "same answer": "twin"}
        values = together(getattr(self, sources.get(arm, "donor")))
        if arm == "random":
            seeds = [p.base.seed % 2**31 for p in self.pairs]
            return jolt("residual", values, where, seeds, (self.layer,), span)
        return graft("residual", values, where, (self.layer,), span)


COMPONENT = Patch
