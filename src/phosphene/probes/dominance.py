"""Dominance: steps or frames? The same energy of noise, put into one step or into one frame."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probe import Lines, Probe, Result
from phosphene.probing.ability import ability
from phosphene.probing.effect import interval, rate
from phosphene.probing.groups import layouts
from phosphene.probing.noising import Noiser
from phosphene.probing.pairs import distinct, settle
from phosphene.probing.peaks import MEASURES, dominance, elsewhere, worst
from phosphene.subject import Subject


@dataclass(frozen=True)
class Dominance(Probe):
    """Adds noise to x_t, in all frames at one step or in one frame at all steps.

        dominance = (max_t D(t) - mean_t D(t)) / (max_f D(f) - mean_f D(f))

    with means over the other places, or else the axis with more of them would win by that. D is
    what the noise does to the answer: its picture's root mean square change, and the share of right
    answers that are lost. Every run is given the same total energy, ||noise||^2 summed over steps.
    What the pipeline holds fixed in x_t (a given frame) takes no noise. The ratio is unstable where
    frames hardly differ, so what is tested is the difference of its two parts.

    Args:
        problems: at most.
        strength: standard deviation of the noise where it covers all frames of one step, in units
            of the starting noise's.
        permutations: of steps and of frames within problems, for the null of max - mean.

    References:
        Demystifying Video Reasoning (2026), https://arxiv.org/abs/2603.16870
    """

    problems: int = 10
    strength: float = 1.0
    permutations: int = 2000
    name: ClassVar[str] = "dominance"
    ASKS = "Does the answer hang on single denoising steps, or on single frames?"
    CONTROLS = (
        "the same energy outside answer and givens, no noise, steps and frames shuffled within "
        "problems"
    )

    def __post_init__(self) -> None:
        if self.problems < 1 or self.strength <= 0 or self.permutations < 100:
            raise PhospheneError(
                f"dominance wants problems >= 1, strength > 0 and permutations >= 100; got "
                f"{self.problems}, {self.strength}, {self.permutations}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        problems = distinct(subject)[: self.problems]
        settle(subject, [subject.request(p) for p in problems])
        placed, steps = layouts(subject, subject.request(problems[0]))
        layout = next(iter(placed.values()))
        if layout.frames < 2 or steps < 3:
            raise PhospheneError(
                f"{subject.backbone.id} has {layout.frames} frames and {steps} steps; two frames "
                f"and three steps are needed to compare them"
            )
        parts = list(batches(problems, subject.batch))
        kinds = [("none", 0)]
        kinds += [(kind, k) for kind in ("step", "outside") for k in range(1, steps)]
        book.plan(len(parts) * (len(kinds) + layout.frames))
        found: dict[tuple[str, int], list[dict[str, float]]] = {}
        for part in parts:
            noiser = Noiser(subject, part, layout, steps, self.strength)
            for kind, place in [*kinds, *(("frame", f) for f in range(layout.frames))]:
                unit = book.once(
                    f"{kind} {place}, problems {part[0].seed} to {part[-1].seed}",
                    lambda n=noiser, kind=kind, place=place: n.outcomes(kind, place),
                    f"{kind} {place}",
                )
                found.setdefault((kind, place), []).extend(unit)
        return self._report(subject, found)

    def _report(self, subject: Subject, found: dict[tuple[str, int], list[dict]]) -> Result:
        right = [bool(row["right before"]) for row in found["none", 0]]
        able = ability(subject, [[r] for r in right])
        table = []
        for (kind, place), rows in found.items():
            row: dict[str, Any] = {"noise in": kind, "place": place, "n": len(rows)}
            lost = rate(_column(rows, "lost"))
            row |= {"lost": lost.share, "lost, low": lost.low, "lost, high": lost.high}
            far = interval(_column(rows, "distance"))
            row |= {"distance": far.share, "distance, low": far.low, "distance, high": far.high}
            table.append(row)
        findings, figures = [], {}
        for measure in MEASURES:
            by = {
                kind: {
                    place: _column(rows, measure)
                    for (k, place), rows in found.items()
                    if k == kind and np.isfinite(_column(rows, "distance")).any()
                }
                for kind in ("step", "frame", "outside")
            }
            findings.append(dominance(measure, by, able, self.permutations))
            findings += [
                worst(kind, measure, by[kind], able, self.permutations)
                for kind in ("step", "frame")
            ]
            findings.append(elsewhere(measure, by, able))
            figures |= {
                f"{kind}-{measure}": _lines(kind, measure, by)
                for kind in ("step", "frame")
                if by[kind]
            }
        still = float(np.nanmax(_column(found["none", 0], "distance")))
        notes = [
            str(able),
            f"an edit that adds nothing changes the answer's picture by {still:.2g}",
            "frames are latent frames; given frames that the pipeline holds fixed take no noise "
            "and are left out",
            "the answer is read in the last frame, so noise there strikes what is read and not "
            "only what leads to it",
        ]
        return Result(table, findings, figures, notes)


def _column(rows: Sequence[dict[str, float]], name: str) -> np.ndarray:
    return np.array([row[name] for row in rows], float)


def _lines(kind: str, measure: str, by: dict[str, dict[int, np.ndarray]]) -> Lines:
    def curve(rows: dict[int, np.ndarray]) -> np.ndarray:
        found = [(rate if measure == "lost" else interval)(v) for v in rows.values()]
        return np.array([[f.share, f.low, f.high] for f in found]).T

    series = {f"noise in this {kind}": curve(by[kind])}
    if kind == "step" and set(by["outside"]) == set(by["step"]):
        series["same energy outside answer and givens"] = curve(by["outside"])
    return Lines(
        f"What noise of equal energy does, by {kind}",
        "denoising step" if kind == "step" else "latent frame",
        MEASURES[measure],
        list(by[kind]),
        series,
        0.0,
    )


COMPONENT = Dominance
