"""Grid: what a linear probe reads of the problem's variables, by step, layer and frame."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Heat, Probe, Result
from phosphene.probing.activations import GROUPS, Activations, collect
from phosphene.probing.ridge import Target, compare_cells, item_scores, target
from phosphene.probing.variables import Variable, instance, variables
from phosphene.subject import Subject

SHOWN = 8  # variables that get a figure
FEWEST = 24  # items below which no probe is fitted


@dataclass(frozen=True)
class Grid(Probe):
    """Ridge probes on the residual stream, held out by instance.

    A variable *emerges* at the first cell whose score clears permuted labels (corrected by the
    maximum over the grid) and whose lead over the best trivial baseline has a lower bound above
    nought that holds for all cells together. Classes are scored by balanced accuracy, quantities by
    R^2.

    Args:
        variables: names to probe; all that vary if empty.
        most: how many variables at most, the answer's first.
        group: which tokens are pooled: `answer`, where the picture may change, or `whole`.
        frames: how many latent frames are looked at.
        permutations: of labels among instances.

    References:
        Beyond Surface Statistics (Chen et al., 2023), https://arxiv.org/abs/2306.05720
        Designing and Interpreting Probes with Control Tasks (Hewitt, Liang, 2019),
        https://arxiv.org/abs/1909.03368
    """

    variables: tuple[str, ...] = ()
    most: int = 6
    group: str = "answer"
    frames: int = 3
    permutations: int = 200
    name: ClassVar[str] = "grid"
    ASKS: ClassVar[str] = "At which step, layer and frame can each variable be read first?"
    CONTROLS: ClassVar[str] = (
        "labels permuted among instances, first-frame pixels, prompt, noised sample, expected "
        "sample, and the same network with its weights shuffled"
    )

    def __post_init__(self) -> None:
        if self.group not in GROUPS:
            raise PhospheneError(f"grid.group is one of {', '.join(GROUPS)}; got {self.group!r}")
        if self.frames < 1 or self.permutations < 20 or self.most < 1:
            raise PhospheneError(
                f"grid wants frames >= 1, most >= 1 and permutations >= 20; got {self.frames}, "
                f"{self.most}, {self.permutations}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        found, notes = variables(subject.problems)
        chosen = _chosen(found, self.variables)[: self.most]
        if len(chosen) < len(found) and not self.variables:
            notes.append(f"{len(found) - len(chosen)} further variables are not probed (most)")
        if len(subject.problems) < FEWEST:
            raise PhospheneError(
                f"grid wants {FEWEST} items or more; got {len(subject.problems)}: give --items"
            )
        if (1 + self.permutations) * ALPHA < len(chosen):
            raise PhospheneError(
                f"grid.permutations {self.permutations} can't settle {len(chosen)} variables; give "
                f"{int(len(chosen) / ALPHA)} or more, or fewer variables"
            )
        held = collect(subject, book, self.frames)
        groups = [instance(p) for p in subject.problems]
        book.plan(len(chosen))
        studies = [
            book.once(
                f"variable {v.name} of {len(chosen)}",
                lambda v=v: self._study(v, held, groups, len(chosen)),
                f"reading {v.name}",
            )
            for v in chosen
        ]
        table = [row for study in studies for row in study["rows"]]
        findings = [f for study in studies for f in map(_finding, study["findings"])]
        if not chosen:
            findings = [Finding("emergence", "no variable varies enough to be read", None)]
        figures = {f"grid-{i}": self._heat(study) for i, study in enumerate(studies) if i < SHOWN}
        return Result(table, findings, figures, notes)

    def _study(
        self, variable: Variable, held: Activations, groups: list[str], looks: int
    ) -> dict[str, Any]:
        """All cells of one variable, JSON-able; `looks` variables are probed in all."""
        kept = np.flatnonzero(variable.kept)
        aim = target(
            variable.values[kept],
            [groups[i] for i in kept],
            len(variable.classes),
            self.permutations,
        )
        truth = Target(aim.columns[:, :, :1], aim.folds, aim.groups, aim.classes)
        group = GROUPS.index(self.group)
        cells = list(_cells(held))
        scores = np.stack(
            [
                item_scores(held.residual[kept, t, n, f, group].astype(float), aim)
                for t, n, f in cells
            ]
        )

        def plain(x: np.ndarray) -> np.ndarray:
            return item_scores(x[kept].astype(float), truth)[:, 0]

        fixed = {"pixels": plain(held.pixels), "prompt": plain(held.words)}
        x_t = [plain(held.x_t[:, t]) for t in range(held.x_t.shape[1])]
        x0 = [plain(held.x0[:, t]) for t in range(held.x0.shape[1])]
        twin = [plain(held.twin[:, t, n, f, group]) for t, n, f in cells]
        recurring, control = _control_task(
            aim, [held.residual[kept, t, n, f, group] for t, n, f in cells]
        )
        # Held-out instances lack their own class in training, so probes that know nothing may fall
        # below chance; to beat those is no feat.
        classes = len(variable.classes)
        chance = np.full(len(kept), 1 / classes if classes else 0.0)
        outer, shown = [], []
        for (t, _, _), other in zip(cells, twin, strict=True):
            these = {**fixed, "x_t": x_t[t], "shuffled weights": other, "chance": chance}
            outer.append(max(these.items(), key=lambda kv: kv[1].mean()))
            shown.append(max({**these, "x0": x0[t]}.items(), key=lambda kv: kv[1].mean()))
        first = compare_cells(scores, np.stack([s for _, s in outer]), aim.groups)
        second = compare_cells(scores, np.stack([s for _, s in shown]), aim.groups)
        rows = [
            {
                "variable": variable.name,
                "step": t,
                "layer": held.layers[n],
                "frame": held.frames[f],
                "score": float(first.score[i]),
                "low": float(first.low[i]),
                "high": float(first.high[i]),
                "permuted": float(first.control[i]),
                "control_task": control[i] if control else None,
                "selectivity": recurring[i] - control[i] if control else None,
                "baseline": outer[i][0],
                "baseline_score": float(outer[i][1].mean()),
                "lead": float(first.difference[i]),
                "lead_floor": float(first.floor[i]),
                "x0_score": float(x0[t].mean()),
                "lead_over_x0_floor": float(second.floor[i]),
                "p": float(max(first.p[i], first.p_lead[i])),
                "p_over_x0": float(max(second.p[i], second.p_lead[i])),
                "n": int(aim.groups.max() + 1),
            }
            for i, (t, n, f) in enumerate(cells)
        ]
        named = (
            ("emergence", "lead_floor", "p"),
            ("beyond a linear x0 probe", "lead_over_x0_floor", "p_over_x0"),
        )
        return {
            "name": variable.name,
            "classes": len(variable.classes),
            "rows": rows,
            "findings": [_claim(variable, rows, looks, *what) for what in named],
        }

    def _heat(self, study: dict[str, Any]) -> Heat:
        rows = study["rows"]
        steps, layers, frames = (
            sorted({row[k] for row in rows}) for k in ("step", "layer", "frame")
        )
        shape = (len(frames), len(layers), len(steps))

        def array(key: Any) -> np.ndarray:
            out = np.empty(shape, object)
            for row in rows:
                at = (
                    frames.index(row["frame"]),
                    layers.index(row["layer"]),
                    steps.index(row["step"]),
                )
                out[at] = key(row)
            return out

        return Heat(
            f"{study['name']}: probe score, pooled over the {self.group} tokens",
            "denoising step",
            "layer",
            [str(s) for s in steps],
            [str(n) for n in layers],
            array(lambda r: r["score"]).astype(float),
            [f"latent frame {f}" for f in frames],
            array(lambda r: r["low"]).astype(float),
            array(lambda r: r["high"]).astype(float),
            array(lambda r: r["p"] < ALPHA and r["lead_floor"] > 0).astype(bool),
            float(np.mean([r["permuted"] for r in rows])),
            "balanced accuracy" if study["classes"] else "R^2",
            array(
                lambda r: (
                    f"best baseline {r['baseline']} {r['baseline_score']:.2f}; permuted "
                    f"{r['permuted']:.2f}; p {r['p']:.3g}; n {r['n']} instances"
                )
            ),
        )


def _chosen(found: list[Variable], names: tuple[str, ...]) -> list[Variable]:
    """The variables asked for; a name stands for any that shares its values."""
    if not names:
        return found
    out = []
    for name in names:
        match = [v for v in found if name in v.name.split(" = ")]
        if not match:
            known = ", ".join(v.name for v in found) or "none"
            raise PhospheneError(f"no variable {name!r} varies here; there are {known}")
        out += match
    return out


def _cells(held: Activations) -> Iterator[tuple[int, int, int]]:
    return iter(np.ndindex(*held.residual.shape[1:4]))


def _control_task(aim: Target, cells: list[np.ndarray]) -> tuple[list[float], list[float]]:
    """Scores of the truth and of a random label for each instance where instances recur, so that
    both could be learned by heart: Hewitt and Liang's control. Empty where instances don't recur.
    """
    items = len(aim.groups)
    if items < 1.5 * (aim.groups.max() + 1):
        return [], []
    folds = np.random.default_rng(0).permutation(items) % 5
    mixed = Target(aim.columns[:, :, :2], folds, aim.groups, aim.classes)
    scores = [item_scores(x.astype(float), mixed).mean(0) for x in cells]
    return [float(s[0]) for s in scores], [float(s[1]) for s in scores]


def _claim(
    variable: Variable, rows: list[dict], looks: int, what: str, floor: str, p: str
) -> dict[str, Any]:
    """The first cell that clears everything, by step and then by layer; else the best one.

    The cells' p counts all cells of one variable; the claim's counts all variables as well.
    """
    order = sorted(rows, key=lambda r: (r["step"], r["layer"], r["frame"]))
    cleared = [r for r in order if r[p] * looks < ALPHA and r[floor] > 0]
    best = max(rows, key=lambda r: r["score"])
    at = cleared[0] if cleared else best
    where = f"step {at['step']}, layer {at['layer']}, latent frame {at['frame']}"
    if cleared:
        says = f"{variable.name} can be read first at {where}: {at['score']:.2f}, "
    else:
        says = f"{variable.name} is nowhere read better than trivially; best at {where}: "
        says += f"{at['score']:.2f}, "
    rival = f"x0 gives {at['x0_score']:.2f}, " if "x0" in what else ""
    says += f"{rival}{at['baseline']} gives {at['baseline_score']:.2f}, permuted labels "
    says += f"{at['permuted']:.2f}"
    return {
        "name": f"{what}: {variable.name}",
        "says": says,
        "holds": bool(cleared),
        "value": at["score"],
        "low": at["low"],
        "high": at["high"],
        "null": at["x0_score"] if "x0" in what else at["baseline_score"],
        "p": min(1.0, at[p] * looks),
        "n": at["n"],
        "unit": "balanced accuracy" if variable.classes else "R^2",
    }


def _finding(record: dict[str, Any]) -> Finding:
    return Finding(**record)


COMPONENT = Grid
