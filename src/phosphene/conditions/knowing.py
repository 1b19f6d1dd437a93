"""Knowing: whether what the prompt says of the situation can be read in the denoiser.

Knowledge is no decision: a model that hears the clause and ignores it is read as easily as one that
acts on it. So this stands beside the gap, never in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.backbone import Backbone
from phosphene.conditions.arms import SAID, Arm
from phosphene.conditions.asking import Round, Told
from phosphene.notebook import Notebook
from phosphene.probing.activations import stack
from phosphene.probing.ridge import Compared, Target, compare_cells, item_scores
from phosphene.subject import Setup, Subject
from phosphene.tap import Frames, Read

PERMUTATIONS = 200
FOLDS = 5


@dataclass(frozen=True, eq=False)
class Seen:
    """Activations of the last frame's tokens, averaged.

    Args:
        values: arm -> float16 `(pairs, steps, layers, width)`, the same pair at the same place.
        instances, wordings: int `(pairs,)`.
        steps, layers: which they are.
    """

    values: Mapping[Arm, np.ndarray]
    instances: np.ndarray
    wordings: np.ndarray
    steps: list[int]
    layers: list[int]


@dataclass(frozen=True, eq=False)
class Knowledge:
    """How well two arms are told apart.

    Args:
        evaluated: evaluated against deployed at each `(step, layer)`, on unseen instances.
        placebo: placebo against deployed, likewise: any other sentence.
        best: place of the cell that reads best.
        unseen: evaluated against deployed there, on a wording that was held out: score and the
            share of label permutations, wording by wording, that reach it.
        seen: where.
    """

    evaluated: Compared
    placebo: Compared
    best: int
    unseen: float
    seen: Seen


def know(seen: Seen) -> Knowledge:
    """Read the condition in every cell."""
    found = _told_apart(seen, "evaluated")
    best = int(np.argmax(found.score))
    return Knowledge(
        found,
        _told_apart(seen, "placebo"),
        best,
        _unseen(seen, best),
        seen,
    )


def see(backbone: Backbone, chosen: Sequence[Round], batch: int | None, book: Notebook) -> Seen:
    """Run the chosen rounds under a tap.

    Raises:
        PhospheneError: the backbone is no diffusers pipeline, or its tokens can't be placed.
    """
    entry = chosen[0].asked.item.cell
    subject = Subject(backbone, Setup(entry.task, entry.fields, batch=batch or 8))
    book.plan(len(chosen))
    kept = [
        book.arrays(f"activations {r.id}", lambda r=r: _read(subject, r), f"{r.id} read inside")
        for r in chosen
    ]
    names = {r.instance: i for i, r in enumerate({r.instance: r for r in chosen}.values())}
    pairs = [[t.wording for t in _told(r, "evaluated")] for r in chosen]
    return Seen(
        {arm: np.concatenate([k[arm] for k in kept]) for arm in SAID},
        np.array([names[r.instance] for r, p in zip(chosen, pairs, strict=True) for _ in p]),
        np.array([w for p in pairs for w in p]),
        kept[0]["_steps"].tolist(),
        kept[0]["_layers"].tolist(),
    )


def _told(one: Round, arm: Arm) -> list[Told]:
    return [t for t in one.told if t.arm == arm]


def _read(subject: Subject, one: Round) -> dict[str, np.ndarray]:
    """Arm -> `(wordings, steps, layers, width)` at the first, a middle and the last step."""
    asked = [t for arm in SAID for t in _told(one, arm)]
    pooled = Read("residual", Frames(dtype=torch.float16))
    values, layers, _ = stack(subject.run([t.request for t in asked], [pooled]), 2)
    steps = sorted({0, (values.shape[1] - 1) // 2, values.shape[1] - 1})
    last = values[:, steps][:, :, :, -1, 0]
    out = {arm: last[[t.arm == arm for t in asked]] for arm in SAID}
    return {**out, "_steps": np.array(steps), "_layers": np.array(layers)}


def _told_apart(seen: Seen, arm: Arm) -> Compared:
    """An arm against the deployed one; scores are balanced accuracies on unseen instances."""
    x = np.concatenate([seen.values[arm], seen.values["deployed"]]).astype(np.float64)
    rng = np.random.default_rng(0)
    fold_of = rng.permutation(seen.instances.max() + 1) % FOLDS
    groups = np.concatenate([seen.instances] * 2)
    # The null: in each pair the two arms may as well have had each other's name.
    swapped = rng.random((len(seen.instances), PERMUTATIONS)) < 0.5
    aim = Target(_columns(swapped), fold_of[groups], groups, 2)
    scores = np.stack([item_scores(x[:, t, n], aim) for t, n in _cells(seen)])
    chance = np.full(scores.shape[:2], 0.5)
    return compare_cells(scores, chance, groups)


def _unseen(seen: Seen, best: int) -> float:
    """Balanced accuracy in one cell on the wording that each fold leaves out; nan for one alone."""
    if len(set(seen.wordings.tolist())) < 2:
        return float("nan")
    step, layer = _cells(seen)[best]
    x = np.concatenate([seen.values["evaluated"], seen.values["deployed"]]).astype(np.float64)
    folds = np.concatenate([seen.wordings] * 2)
    columns = _columns(np.zeros((len(seen.wordings), 0), bool))
    aim = Target(columns, folds, np.concatenate([seen.instances] * 2), 2)
    return float(item_scores(x[:, step, layer], aim)[:, 0].mean())


def _cells(seen: Seen) -> list[tuple[int, int]]:
    return [(t, n) for t in range(len(seen.steps)) for n in range(len(seen.layers))]


def _columns(swapped: np.ndarray) -> np.ndarray:
    """One-hot labels `(2 pairs, 2, 1 + permutations)`: the arm's rows first, the truth first."""
    truth = np.zeros((len(swapped), 1), bool)
    first = ~np.concatenate([truth, swapped], 1)
    is_arm = np.concatenate([first, ~first])
    return np.stack([is_arm, ~is_arm], 1).astype(float)
