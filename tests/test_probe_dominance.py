"""Dominance: the axis that was planted wins, energies are equal, nothing wins by noise."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probes.dominance import Dominance
from phosphene.probing.ability import Ability
from phosphene.probing.latents import locate
from phosphene.probing.noising import _touching, noise
from phosphene.probing.peaks import dominance, peak, worst
from phosphene.statistics.intervals import wilson
from phosphene.tap.layout import grid
from phosphene.testing import organisms

ABLE = Ability(wilson(10, 10), 0.1)


def deltas(seed: int, steps: dict[int, float], frames: dict[int, float]):
    """What noise does: little everywhere, more where planted; 10 problems, 7 steps, 8 frames."""
    rng = np.random.default_rng(seed)
    out = {}
    for kind, count, planted in (("step", 7, steps), ("frame", 8, frames), ("outside", 7, {})):
        out[kind] = {
            k: rng.normal(0.1, 0.03, 10) + planted.get(k, 0.0) for k in range(1, count + 1)
        }
    return out


def test_the_planted_axis_wins():
    by_steps = dominance("distance", deltas(0, {2: 0.5}, {}), ABLE, 300)
    assert by_steps.holds
    assert by_steps.low is not None and by_steps.low > 0  # noqa: PT018
    assert "worst step (2)" in by_steps.says
    by_frames = dominance("distance", deltas(0, {}, {5: 0.5}), ABLE, 300)
    assert by_frames.holds
    assert by_frames.high is not None and by_frames.high < 0  # noqa: PT018
    assert "worst frame (5)" in by_frames.says


def test_neither_wins_where_both_are_alike_or_nothing_is_planted():
    for planted in ({}, {3: 0.5}):
        found = [dominance("distance", deltas(s, planted, planted), ABLE, 300) for s in range(10)]
        assert sum(bool(f.holds) for f in found) <= 1


def test_nothing_is_claimed_of_a_subject_that_can_not_or_of_few_problems():
    unable = Ability(wilson(0, 10), 0.1)
    assert dominance("distance", deltas(0, {2: 0.5}, {}), unable, 300).holds is None
    few = {k: {p: v[:4] for p, v in places.items()} for k, places in deltas(0, {2: 1}, {}).items()}
    assert dominance("distance", few, ABLE, 300).holds is None


def test_the_worst_place_is_claimed_where_it_is_planted_alone():
    planted = worst("frame", "distance", deltas(0, {}, {5: 0.5})["frame"], ABLE, 300)
    assert planted.holds
    assert (planted.low, planted.value, planted.high) == (5, 5, 5)
    found = [
        worst("frame", "distance", deltas(seed, {}, {})["frame"], ABLE, 300) for seed in range(20)
    ]
    assert sum(bool(f.holds) for f in found) <= 2


def test_peak_by_hand():
    assert peak(np.array([[1.0, 2, 6], [1, 1, 1]])).tolist() == [4.5, 0]


def test_energy_is_exact_and_stays_in_its_part():
    where = torch.zeros(3, 5, 4, 4, dtype=torch.bool)
    where[:, 2, :2] = True
    out = noise((1, 2), where, 7.0)
    assert float(out.square().sum()) == pytest.approx(7, rel=1e-4)
    assert not out[~where].any()
    assert torch.equal(out, noise((1, 2), where, 7.0))
    assert not torch.equal(out, noise((1, 3), where, 7.0))
    assert not noise((1,), torch.zeros_like(where), 7.0).any()


@pytest.mark.parametrize("shape", [(16, 5, 8, 8), (5, 16, 8, 8)])
def test_frames_are_found_in_either_order_of_axes(shape):
    found = locate(torch.zeros(shape), grid(5, 4, 4))
    assert found.frames == [0, 1, 2, 3, 4]
    part = found.select([3])
    axis = shape.index(5)
    assert part.sum() == 16 * 64
    assert part.select(axis, 3).all()
    mask = np.zeros((64, 64), bool)
    mask[:32, 32:] = True
    quarter = found.select([0], mask).select(axis, 0)
    assert quarter[..., :4, 4:].all()
    assert quarter.sum() == 16 * 16


def test_packed_patches_and_held_back_frames_are_found():
    layout = grid(3, 2, 2).shifted(2, 20)
    packed = locate(torch.zeros(12, 7), layout)
    assert packed.select([1])[4:8].all()
    assert packed.select([1]).sum() == 4 * 7
    later = locate(torch.zeros(8, 7), layout)
    assert later.frames == [1, 2]
    assert later.select([1])[:4].all()
    assert later.select([0]).sum() == 0
    spatial = locate(torch.zeros(16, 2, 8, 8), layout)
    assert spatial.frames == [1, 2]


@pytest.mark.parametrize("shape", [(5, 5, 8, 8), (16, 7, 8, 8), (11, 3), (4,)])
def test_what_can_not_be_told_is_refused(shape):
    with pytest.raises(PhospheneError, match="x_t"):
        locate(torch.zeros(shape), grid(5, 4, 4))


def test_outside_keeps_clear_of_every_pixel_of_a_mask():
    latents = locate(torch.zeros(4, 5, 8, 8), grid(5, 4, 4))
    mask = np.zeros((64, 64), bool)
    mask[17, 40] = True  # one pixel, in the latent of row 2 and column 5
    reached = _touching(latents, mask)
    assert reached[:, :, 2, 5].all()
    assert reached.sum() == 4 * 5
    assert not _touching(latents, np.zeros((64, 64), bool)).any()


@pytest.mark.parametrize("carrier", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_the_frame_that_carries_an_organisms_answer_is_found(tmp_path, carrier: int):
    plant = organisms.Plant(carrier=carrier, latch=2, seed=carrier)
    subject = organisms.subject(plant, tmp_path, items=40)
    found = Dominance(problems=24, strength=4.0).run(subject, Notebook())
    finding = next(f for f in found.findings if f.name == "worst frame, answers lost")
    assert finding.holds
    assert finding.value == carrier
    elsewhere = next(f for f in found.findings if f.name == "noise elsewhere, answers lost")
    assert elsewhere.holds


def test_settings_are_checked():
    with pytest.raises(PhospheneError, match="strength"):
        Dominance(strength=0)
