"""Diversity: closed forms and degenerate sets."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.exploring.diversity import (
    covering_radius,
    novelty,
    principal,
    rke,
    stream_novelty,
    tessellate,
    vendi,
)
from phosphene.exploring.overlap import overlap

RNG = np.random.default_rng(2)


def sphere(n, d):
    x = RNG.standard_normal((n, d)).astype(np.float32)
    return x / np.linalg.norm(x, axis=1, keepdims=True)


@pytest.mark.parametrize("score", [vendi, rke])
def test_effective_numbers(score):
    assert score(np.repeat(sphere(1, 8), 20, 0)) == pytest.approx(1, abs=1e-5)
    assert score(np.eye(6)) == pytest.approx(6)
    # Five of each of four kinds are four, in either form of the kernel.
    assert score(np.repeat(np.eye(4), 5, 0)) == pytest.approx(4)
    assert score(np.repeat(np.eye(4, 99), 5, 0)) == pytest.approx(4)


def test_effective_numbers_of_two_vectors_at_an_angle():
    angle = 0.7
    pair = np.array([[1, 0], [np.cos(angle), np.sin(angle)]])
    p = np.array([1 + np.cos(angle), 1 - np.cos(angle)]) / 2
    assert vendi(pair) == pytest.approx(float(np.exp(-(p * np.log(p)).sum())))
    assert rke(pair) == pytest.approx(1 / float((p**2).sum()))
    # A rare kind counts for less in the higher order.
    uneven = np.repeat(np.eye(2), [9, 1], 0)
    assert 1 < rke(uneven) < vendi(uneven) < 2


def test_cells_find_planted_clusters():
    centres = sphere(6, 32)
    near = np.repeat(centres, 40, 0) + RNG.normal(0, 0.02, (240, 32))
    cells = tessellate(near, 6, dims=5, seed=3)
    found = cells.assign(near).reshape(6, 40)
    assert (found == found[:, :1]).all()
    assert len(np.unique(found)) == 6
    assert cells.coverage(near[:80]) == pytest.approx(2 / 6)
    quality = np.zeros(240)
    quality[[0, 1, 45]] = 0.2, 0.7, 0.5
    assert cells.qd_score(near, quality) == pytest.approx(1.2)
    # The worse of two in a cell adds nothing.
    assert cells.qd_score(near[:2], quality[:2]) == pytest.approx(0.7)


def test_cells_are_the_same_every_time_and_all_in_use():
    x = sphere(500, 16)
    one, two = tessellate(x, 64, seed=1), tessellate(x, 64, seed=1)
    assert np.array_equal(one.centres, two.centres)
    assert one.coverage(x) == 1
    assert not np.array_equal(one.centres, tessellate(x, 64, seed=2).centres)
    with pytest.raises(PhospheneError, match="501"):
        tessellate(x, 501)


def test_cells_of_a_set_that_is_one_point():
    cells = tessellate(np.repeat(sphere(1, 8), 9, 0), 4)
    assert cells.coverage(sphere(5, 8)) == pytest.approx(0.25)


def test_principal_axes_whiten():
    x = RNG.standard_normal((4000, 3)) * [5, 1, 0] @ np.linalg.qr(RNG.standard_normal((3, 3)))[0]
    axes = principal(x - x.mean(0), 3)
    assert axes.shape == (3, 2)
    assert np.cov(((x - x.mean(0)) @ axes).T) == pytest.approx(np.eye(2), abs=1e-2)


def test_equal_sets_overlap_wholly_and_far_ones_not_at_all():
    x = RNG.standard_normal((400, 4))
    same = overlap(x, x)
    assert (same.precision, same.recall, same.coverage) == (1, 1, 1)
    away = overlap(x + 100, x)
    assert (away.precision, away.recall, away.density, away.coverage) == (0, 0, 0, 0)
    with pytest.raises(PhospheneError, match="more than 5"):
        overlap(x[:5], x)


def test_a_dropped_mode_costs_recall_and_invented_ones_cost_precision():
    a, b = RNG.standard_normal((2, 300, 4))
    both, one = np.concatenate([a, b + 50]), RNG.standard_normal((600, 4))
    dropped, invented = overlap(one, both), overlap(both, one)
    assert dropped.precision > 0.9
    assert dropped.recall == pytest.approx(0.5, abs=0.05)
    assert dropped.coverage == pytest.approx(0.5, abs=0.05)
    assert invented.precision == pytest.approx(0.5, abs=0.05)
    assert invented.recall > 0.9


def test_density_of_samples_from_the_same_distribution_is_one():
    x, y = RNG.standard_normal((2, 2500, 3))
    found = overlap(x, y)
    assert found.density == pytest.approx(1, abs=0.06)
    # Naeem et al., 2020, lemma 2: 1 - (1 - (n-1)...) is close to 1 - 2^-k.
    assert found.coverage == pytest.approx(1 - 2**-5, abs=0.02)


def test_novelty_of_orthogonal_and_equal_items():
    assert novelty(np.eye(5), 3) == pytest.approx(1)
    assert novelty(np.repeat(sphere(1, 4), 5, 0)) == pytest.approx(0, abs=1e-6)
    pair = np.array([[1.0, 0], [0.8, 0.6]])
    assert novelty(pair, 3) == pytest.approx(0.2)
    x = sphere(1500, 6)
    far = 1 - x.astype(np.float64) @ x.T
    assert novelty(x, 2)[1200] == pytest.approx(np.sort(far[1200])[1:3].mean(), abs=1e-5)
    with pytest.raises(PhospheneError, match="two vectors"):
        novelty(x[:1])


def test_a_pair_is_as_new_as_its_streams_together():
    found = stream_novelty({"video": np.eye(4), "audio": np.ones((4, 1))})
    assert found == {"video": 1, "audio": 0, "pair": pytest.approx(0.5)}
    assert set(stream_novelty({"video": np.eye(4)})) == {"video"}


def test_covering_radius():
    angles = np.deg2rad([0, 60, 120, 180])
    ring = np.stack([np.cos(angles), np.sin(angles)], 1)
    assert covering_radius(ring, 1) == pytest.approx(2)
    assert covering_radius(ring, 2) == pytest.approx(0.5)
    assert covering_radius(ring, 4) == 0
    x = sphere(300, 8)
    radii = [covering_radius(x, k) for k in (1, 5, 20, 80)]
    assert radii == sorted(radii, reverse=True)
