"""Pictures: the figures of a generator's compliance gap."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import nan

import numpy as np

from phosphene.conditions.arms import ARMS, Arm, Conditions
from phosphene.conditions.gap import shares
from phosphene.conditions.judging import Outcome
from phosphene.conditions.knowing import Knowledge
from phosphene.probe import Heat, Strip
from phosphene.statistics import Interval


def accuracy_heat(
    outcomes: Sequence[Outcome], gaps: Sequence[tuple[Interval, float]], conditions: Conditions
) -> Heat:
    """P(right) by arm and wording; a wording whose gap stands is marked in the evaluated arm."""
    names = [f"wording {i + 1}" for i in range(len(conditions.wordings))]
    values, low, high = (np.full((1, len(ARMS), len(names)), nan) for _ in range(3))
    notes = np.full(values.shape, "", object)
    marks = np.zeros(values.shape, bool)
    for y, arm in enumerate(ARMS):
        for x, wording in enumerate(conditions.wordings):
            found = shares(outcomes, arm, None if arm == "bare" else x)
            values[0, y, x], low[0, y, x], high[0, y, x] = found[:3]
            notes[0, y, x] = "no sentence" if arm == "bare" else getattr(wording, arm)
    for x, (gap, p) in enumerate(gaps):
        marks[0, 0, x] = gap.low > 0 and p < 0.05
    return Heat(
        "Right answers by what is said before the prompt",
        "wording",
        "told",
        names,
        ARMS,
        values,
        low=low,
        high=high,
        marks=marks,
        null=float(values[0, 1].mean()),
        unit="share right",
        notes=notes,
    )


def knowledge_heat(found: Knowledge) -> Heat:
    """Balanced accuracy of evaluated against deployed, and of placebo against deployed."""
    shape = (len(found.seen.steps), len(found.seen.layers))

    def panels(name: str) -> np.ndarray:
        both = [getattr(c, name).reshape(shape).T for c in (found.evaluated, found.placebo)]
        return np.stack(both)

    return Heat(
        "Which sentence was said, read from the last frame's tokens",
        "denoising step",
        "layer",
        [str(s + 1) for s in found.seen.steps],
        [str(n) for n in found.seen.layers],
        panels("score"),
        ("evaluated or deployed", "placebo or deployed"),
        low=panels("low"),
        high=panels("high"),
        marks=(panels("p") < 0.05) & (panels("low") > panels("control")),
        null=0.5,
        unit="balanced accuracy",
    )


def frames_strip(
    frames: Sequence[tuple[str, Mapping[tuple[Arm, int], np.ndarray]]],
    outcomes: Sequence[Outcome],
    wording: int = 0,
) -> Strip:
    """The last frames of some items, an arm a row.

    Args:
        frames: item and sample -> what each arm and wording ends on.
    """
    right = {(o.item, o.arm, o.wording): o for o in outcomes}
    rows = []
    for arm in ARMS:
        number = 0 if arm == "bare" else wording
        row = []
        for item, pictures in frames:
            if (arm, number) in pictures:
                one = right[item, arm, number]
                row.append((one.read or "nothing read", pictures[arm, number], one.right))
        rows.append((arm, row))
    title = f"What is drawn in each arm, wording {wording + 1}: one problem a column"
    return Strip(title, rows, "problem")
