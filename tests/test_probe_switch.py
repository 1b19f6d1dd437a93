"""Switch: the point of no return is found where it was put, and only there."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probes.switch import Switch, _Runs
from phosphene.probing.ability import Ability
from phosphene.probing.endings import ARMS, report
from phosphene.probing.pairs import Pool
from phosphene.statistics.intervals import wilson
from phosphene.tap import Address
from phosphene.tap.layout import grid
from phosphene.testing import organisms

STEPS = list(range(1, 8))


def found(first: np.ndarray, harm: float = 0.0, right: int | None = None) -> dict[str, Any]:
    """Findings by name; `first` `(pairs, steps)` says which runs end on the first answer."""
    n = len(first)
    rng = np.random.default_rng(0)
    ends: dict[tuple[str, str, int], list[list[float]]] = {}
    for arm in ARMS:
        for j, step in enumerate(STEPS):
            ends[arm, "step", step] = [
                [float(first[i, j]), 1 - float(first[i, j])]
                if arm == "other answer"
                else [0.0, float(rng.random() >= harm)]
                for i in range(n)
            ]
    able = Ability(wilson(n if right is None else right, n), 0.1)
    pair: Any = SimpleNamespace(differs=("a",), twin=object())
    result = report(Pool([pair] * n, able, n, n), {"step": STEPS}, ends)
    assert len(result.table) == len(STEPS)
    return {f.name: f for f in result.findings}


def test_the_point_of_no_return_is_where_it_was_put():
    first = np.zeros((8, 7))
    first[:, 3:] = 1
    finding = found(first)["point of no return, step"]
    assert finding.holds
    assert (finding.low, finding.value, finding.high) == (4, 4, 4)


def test_the_interval_spans_pairs_that_turn_early_and_late():
    first = np.zeros((12, 7))
    for i, step in enumerate([1, 2, 2, 3, 3, 3, 4, 4, 4, 5, 5, 6]):
        first[i, step - 1 :] = 1
    finding = found(first)["point of no return, step"]
    assert finding.holds
    assert finding.low < finding.value <= finding.high


def test_none_is_found_where_the_second_answer_always_wins_or_the_coin_decides():
    assert not found(np.zeros((8, 7)))["point of no return, step"].holds
    rng = np.random.default_rng(0)
    coins = [found(rng.integers(0, 2, (8, 7)))["point of no return, step"] for _ in range(40)]
    assert sum(bool(f.holds) for f in coins) <= 5


def test_answers_that_switching_alone_destroys_count_against_it():
    first = np.ones((8, 7))
    findings = found(first, harm=1.0)
    assert not findings["point of no return, step"].holds
    assert findings["harm of switching, step"].holds
    assert not found(first)["harm of switching, step"].holds


def test_nothing_is_claimed_of_a_subject_that_can_not():
    assert {f.holds for f in found(np.ones((8, 7)), right=0).values()} == {None}


def test_what_the_second_run_holds_fixed_is_not_switched_back():
    runs = _Runs.__new__(_Runs)
    at = Address(3, "guided", -1, "x_t")
    held = torch.zeros(2, 3, 4, dtype=torch.bool)
    held[:, 0] = True  # the first of three frames
    runs.__dict__ |= {"first": {at: torch.ones(2, 3, 4)}, "held": {0: held}}
    out = runs._at_step(3).apply(torch.zeros(2, 3, 4), at)
    assert not out[:, 0].any()
    assert out[:, 1:].all()


def test_frames_that_are_given_are_not_carried_into_a_layer():
    runs = _Runs.__new__(_Runs)
    held = torch.zeros(2, 3, 5, 4, 4, dtype=torch.bool)
    held[:, :, 0] = True
    runs.__dict__ |= {"held": {0: held}}
    assert runs._drawn(grid(5, 2, 2)) == [1, 2, 3, 4]
    runs.__dict__ |= {"held": {0: torch.zeros_like(held)}}
    assert runs._drawn(grid(5, 2, 2)) == [0, 1, 2, 3, 4]


def test_the_step_after_which_an_organism_looks_no_more_is_found(tmp_path):
    subject = organisms.subject(organisms.Plant(latch=3, seed=2), tmp_path, items=24)
    result = Switch(depth=0).run(subject, Notebook())
    finding = next(f for f in result.findings if f.name == "point of no return, step")
    assert finding.holds
    # It reads what the steps before the third have painted together; the last of them alone may
    # not paint over the others.
    assert finding.value in (2, 3)


@pytest.mark.parametrize("layer", [pytest.param(1, marks=pytest.mark.slow), 3])
def test_the_layer_after_which_new_conditions_come_too_late_is_found(tmp_path, layer: int):
    subject = organisms.subject(organisms.Plant(layer=layer, seed=layer), tmp_path, items=24)
    result = Switch(steps=1, pairs=6).run(subject, Notebook())
    by_name = {f.name: f for f in result.findings}
    assert by_name["point of no return, layer"].value == layer + 1
    # It looks at the operands at every step, so no step comes too late.
    assert not by_name["point of no return, step"].holds


def test_settings_are_checked():
    with pytest.raises(PhospheneError, match="pairs"):
        Switch(pairs=0)
