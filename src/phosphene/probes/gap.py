"""Gap: does the network hold the answer before its expected picture shows it?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probe import ALPHA, Finding, Lines, Probe, Result
from phosphene.probing.ability import ability
from phosphene.probing.activations import GROUPS, Activations, collect
from phosphene.probing.ridge import Target, item_scores, target
from phosphene.probing.variables import Variable, instance, named, variables
from phosphene.statistics.intervals import bootstrap
from phosphene.subject import Subject
from phosphene.tap import Read
from phosphene.task import Problem

FEWEST = 24  # items below which no probe is fitted


@dataclass(frozen=True)
class Gap(Probe):
    """Knowing less showing, by step, over the parts of the answer.

        gap(t) = mean over items and parts of ( 1[probe_t says part] - 1[lens_t shows part] )

    The probe reads the residual stream; its layer and frame are chosen by accuracy on the other
    folds, so that choosing costs nothing. The lens reads predicted x0 by the task's own scorer.

    Args:
        group: which tokens are pooled, see `grid`.
        frames: latent frames looked at.
        most: parts of the answer at most.
        permutations: of labels among instances, for the claim that anything is known.
    """

    group: str = "answer"
    frames: int = 3
    most: int = 8
    permutations: int = 100
    name: ClassVar[str] = "gap"
    ASKS: ClassVar[str] = "Is the answer known inside before the expected picture shows it?"
    CONTROLS: ClassVar[str] = (
        "probes on permuted labels, on first-frame pixels and on shuffled weights; what the lens "
        "shows at the same step"
    )

    def __post_init__(self) -> None:
        if self.group not in GROUPS or self.frames < 1 or self.most < 1 or self.permutations < 20:
            raise PhospheneError(
                f"gap wants group in {', '.join(GROUPS)}, frames and most >= 1, permutations >= "
                f"20; got {self.group!r}, {self.frames}, {self.most}, {self.permutations}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        if len(subject.problems) < FEWEST:
            raise PhospheneError(
                f"gap wants {FEWEST} items or more; got {len(subject.problems)}: give --items"
            )
        found, notes = variables(subject.problems)
        parts = [v for v in found if v.classes and _answer_names(v)][: self.most]
        held = collect(subject, book, self.frames)
        looked = self._look(subject, book)
        able = ability(subject, [[bool(item["right"])] for item in looked])
        notes.append(str(able))
        if not parts:
            why = "not asked: no part of the answer varies enough to be probed"
            return Result([], [Finding("gap", why, None)], {}, notes)
        groups = [instance(p) for p in subject.problems]
        steps = held.residual.shape[1]
        knows = np.full((steps, len(parts), len(groups)), np.nan)
        shows, pixels, twins = knows.copy(), knows.copy(), knows.copy()
        means = np.zeros((len(parts), steps, 1 + self.permutations))
        book.plan(len(parts))
        for k, part in enumerate(parts):
            kept = np.flatnonzero(part.kept)
            read = book.once(
                f"part {part.name}",
                lambda v=part, i=kept: self._read(v, held, groups, i),
                f"reading {part.name}",
            )
            knows[:, k, kept] = read["knows"]
            pixels[:, k, kept] = read["pixels"]
            twins[:, k, kept] = read["twin"]
            means[k] = read["means"]
            shows[:, k, kept] = _shown(part, looked, subject.problems, steps)[:, kept]
        trivial = {"first-frame pixels": pixels, "shuffled weights": twins}
        return self._result(knows, shows, trivial, means.mean(0), groups, able, notes)

    def _look(self, subject: Subject, book: Notebook) -> list[dict[str, Any]]:
        """What the lens reads of every item: the parts shown at each step, and how it ended."""
        out: list[dict[str, Any]] = []
        dealt = list(batches(subject.problems, subject.batch))
        book.plan(len(dealt))
        for i, part in enumerate(dealt):
            key = f"lens {part[0].seed} {len(part)}"
            out += book.once(key, lambda q=part: _lens(subject, q), f"lens {i + 1}")
        return out

    def _read(
        self, part: Variable, held: Activations, groups: list[str], kept: np.ndarray
    ) -> dict[str, Any]:
        """For each step, whether the probe says each item's part rightly: `(steps, items)`."""
        named_groups = [groups[i] for i in kept]
        aim = target(part.values[kept], named_groups, len(part.classes), self.permutations)
        truth = Target(aim.columns[:, :, :1], aim.folds, aim.groups, aim.classes)
        group = GROUPS.index(self.group)
        knows, means, twins = [], [], []
        for t in range(held.residual.shape[1]):
            chosen = _nested_scores(held.residual[kept, t, :, :, group], aim)
            twins.append(
                (_nested_scores(held.twin[kept, t, :, :, group], truth)[:, 0] > 0).tolist()
            )
            knows.append((chosen[:, 0] > 0).tolist())
            means.append(chosen.mean(0).tolist())
        plain = item_scores(held.pixels[kept].astype(float), truth)[:, 0] > 0
        return {"knows": knows, "means": means, "twin": twins, "pixels": plain.tolist()}

    def _result(
        self,
        knows: np.ndarray,
        shows: np.ndarray,
        trivial: dict[str, np.ndarray],
        means: np.ndarray,
        groups: list[str],
        able: Any,
        notes: list[str],
    ) -> Result:
        steps = len(knows)
        curves = {
            "known: probe": _curve(knows, groups),
            "shown: expected picture": _curve(shows, groups),
            **{name: _curve(v, groups) for name, v in trivial.items()},
        }
        differs = [_by_instance(knows[t] - shows[t], groups) for t in range(steps)]
        over = [
            min((_by_instance(knows[t] - v[t], groups) for v in trivial.values()), key=np.mean)
            for t in range(steps)
        ]
        # Bonferroni over steps: each is asked at alpha / steps by its own bootstrap interval.
        found = [_corrected(d, steps) for d in differs]
        best = int(np.argmax([f[0] for f in found]))
        value, low, high, n = found[best]
        lead = _corrected(over[best], steps)
        # Permutations are shared by all steps, so the highest of each counts every look.
        peaks = means[:, 1:].max(0)
        p = float((1 + (peaks >= means[best, 0]).sum()) / (1 + len(peaks)))
        holds = bool(low > 0 and lead[1] > 0 and p < ALPHA)
        table = [
            {
                "step": t,
                "known": float(curves["known: probe"][0, t]),
                "shown": float(curves["shown: expected picture"][0, t]),
                **{name: float(curves[name][0, t]) for name in trivial},
                "gap": found[t][0],
                "low": found[t][1],
                "high": found[t][2],
                "control": float(means[t, 1:].mean()),
                "n": n,
            }
            for t in range(steps)
        ]
        says = (
            f"at step {best} a probe says {table[best]['known']:.0%} of the answer's parts, "
            f"the expected picture shows {table[best]['shown']:.0%}, pixels alone give "
            f"{table[best]['first-frame pixels']:.0%}; no step has a wider gap"
        )
        finding = Finding(
            "knows before it shows", says, holds, value, low, high, 0.0, p, n, "share of parts"
        )
        if not able.does:
            says = f"not asked: the subject does not do the task ({able})"
            finding = Finding("knows before it shows", says, None)
        figure = Lines(
            "What is known and what is shown",
            "denoising step",
            "share of the answer's parts",
            list(range(steps)),
            curves,
            float(np.nanmean(trivial["first-frame pixels"])),
        )
        return Result(table, [finding], {"gap": figure}, notes)


def _answer_names(variable: Variable) -> list[str]:
    names = variable.name.split(" = ")
    return [n for n in names if n == "answer" or n.startswith("answer.")]


def _lens(subject: Subject, problems: Sequence[Problem]) -> list[dict[str, Any]]:
    requests = [subject.request(p) for p in problems]
    out = []
    for problem, request, seen in zip(
        problems, requests, subject.run(requests, [Read("x0")]), strict=True
    ):
        answers = [subject.read(problem, c).answer for c in subject.lens(request, seen)]
        right = answers[-1] is not None and subject.task.right(problem, answers[-1])
        parts = [None if a is None else named({"answer": a}) for a in answers]
        out.append({"parts": parts, "right": bool(right)})
    return out


def _shown(
    part: Variable, looked: list[dict[str, Any]], problems: Sequence[Problem], steps: int
) -> np.ndarray:
    """Whether the lens shows an item's part rightly, `(steps, items)`."""
    name = _answer_names(part)[0]
    truth = [named(p.state)[name] for p in problems]
    return np.array(
        [
            [
                (parts := item["parts"][t]) is not None and parts.get(name, _NOTHING) == wanted
                for item, wanted in zip(looked, truth, strict=True)
            ]
            for t in range(steps)
        ],
        float,
    )


_NOTHING = object()


def _nested_scores(cells: np.ndarray, aim: Target) -> np.ndarray:
    """`(items, draws)` of the best of `(items, layers, frames, width)`, see `_nested`."""
    flat = cells.astype(float).reshape(len(cells), -1, cells.shape[-1]).transpose(1, 0, 2)
    return _nested(np.stack([item_scores(x, aim) for x in flat]), aim.folds)


def _nested(scores: np.ndarray, folds: np.ndarray) -> np.ndarray:
    """Held-out scores of the cell that does best on the other folds, for each draw by itself.

    Args:
        scores: `(cells, items, draws)`.
    """
    out = np.empty(scores.shape[1:])
    for fold in np.unique(folds):
        here = folds == fold
        best = scores[:, ~here].mean(1).argmax(0)  # (draws,)
        out[here] = np.take_along_axis(scores[:, here], best[None, None], 0)[0]
    return out


def _by_instance(values: np.ndarray, groups: list[str]) -> np.ndarray:
    """Means over parts, then over the items of each instance; `(parts, items)` in, nan left out."""
    held: dict[str, list[float]] = {}
    for column, group in zip(values.T, groups, strict=True):
        there = column[np.isfinite(column)]
        if len(there):
            held.setdefault(group, []).append(float(there.mean()))
    return np.array([np.mean(held[g]) for g in sorted(held)])


def _curve(values: np.ndarray, groups: list[str]) -> np.ndarray:
    found = [bootstrap(_by_instance(v, groups)) for v in values]
    return np.array([[f.share, f.low, f.high] for f in found]).T


def _corrected(values: np.ndarray, looks: int) -> tuple[float, float, float, int]:
    """Mean and its interval at 1 - alpha / looks, by resampling instances; made-up ones at both
    ends keep it from being empty."""
    padded = np.append(values, (-1.0, 1.0))
    rng = np.random.default_rng(0)
    means = rng.choice(padded, (4000, len(padded))).mean(1)
    low, high = np.quantile(means, (ALPHA / looks / 2, 1 - ALPHA / looks / 2))
    mean = float(values.mean())
    return mean, min(float(low), mean), max(float(high), mean), len(values)


COMPONENT = Gap
