"""Modes: the synthetic generator has the truth that it claims."""

from __future__ import annotations

import time

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.noise import Noise
from phosphene.request import Request
from phosphene.testing.modes import BROKEN, LENGTH, Modes, ModesEmbedding, ModesQuality, read

MODES = Modes()


def _bred(parent: Noise, b: float, seed: int) -> Request:
    return Request(noise={"video": parent.moved(seed, b).record()})


def test_modes_follow_zipfs_law_and_quality_is_uniform():
    noise = np.random.default_rng(5).standard_normal((20_000, LENGTH)).astype(np.float32)
    mode, quality, _, _ = MODES.truth(noise, [""] * len(noise))
    found = np.bincount(mode, minlength=200) / len(mode)
    assert found[:5] == pytest.approx(MODES.shares[:5], rel=0.15)
    # Rare modes are rare: the rarer half holds about what Zipf's law leaves it.
    assert found[100:].sum() == pytest.approx(MODES.shares[100:].sum(), rel=0.5)
    assert np.quantile(quality, [0.1, 0.5, 0.9]) == pytest.approx([0.1, 0.5, 0.9], abs=0.02)


def test_a_thousand_clips_take_less_than_two_seconds():
    MODES.generate([Request()])
    start = time.perf_counter()
    clips = MODES.generate([Request(index=i) for i in range(1000)])
    assert time.perf_counter() - start < 2
    assert 50 < Modes.count(clips) < 140
    assert Modes.count(clips[:1] * 5) == 1


def test_pixels_hold_the_truth():
    requests = [Request(index=i, prompt="a bell") for i in range(50)]
    noise = np.stack([MODES.noise(r) for r in requests])
    mode, quality, u, v = MODES.truth(noise, ["a bell"] * 50)
    seen = read(MODES.generate(requests))
    assert (seen["mode"] == mode).all()
    assert seen["quality"] == pytest.approx(quality, abs=1e-5)
    assert seen["u"] == pytest.approx(u, abs=2e-4)
    assert seen["v"] == pytest.approx(v, abs=2e-4)


def test_quality_falls_with_the_distance_from_the_ideal():
    noise = np.random.default_rng(0).standard_normal((500, LENGTH)).astype(np.float32)
    _, quality, _, v = MODES.truth(noise, [""] * 500)
    ideal = v[quality.argsort()[-50:]].mean(0)
    assert np.corrcoef(v @ ideal, quality)[0, 1] > 0.6
    scores = ModesQuality().score(MODES.drawn(noise, [""] * 500), [])
    assert np.array(scores, float) == pytest.approx(quality, abs=1e-5)


@pytest.mark.parametrize("b", [0.3, 0.7])
def test_children_resemble_their_parents_as_pcn_says(b):
    parent = Noise.fresh(3)
    x = MODES.noise(Request(noise={"video": parent.record()}))
    children = np.stack([MODES.noise(_bred(parent, b, 10 + i)) for i in range(200)])
    cosines = children @ x / np.linalg.norm(children, axis=1) / np.linalg.norm(x)
    assert cosines.mean() == pytest.approx(np.sqrt(1 - b * b), abs=0.01)
    kin = read(MODES.drawn(children, [""] * 200))["mode"]
    assert (kin == read(MODES.drawn(x[None], [""]))["mode"][0]).mean() > 0.15


def test_noise_off_its_norm_breaks():
    x = np.random.default_rng(1).standard_normal((4, LENGTH)).astype(np.float32)
    for factor in (0.6, 1.4):
        mode, quality, _, _ = MODES.truth(x * factor, [""] * 4)
        assert (mode == BROKEN).all()
        assert (quality == 0).all()
    assert (MODES.truth(x, [""] * 4)[0] != BROKEN).all()
    assert Modes.count(MODES.drawn(x * 1.4, [""] * 4)) == 0


def test_clips_of_a_mode_lie_together():
    clips = MODES.generate([Request(index=i) for i in range(400)])
    mode, vectors = read(clips)["mode"], ModesEmbedding().embed(clips)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(1, abs=1e-5)
    alike = vectors @ vectors.T
    same = mode[:, None] == mode
    off = ~np.eye(len(mode), dtype=bool)
    assert alike[same & off].min() > alike[~same].mean() + 0.3
    assert alike[same & off].max() < 0.999


def test_previews_come_nearer_to_the_end():
    requests = [Request(index=i) for i in range(200)]
    end = read(MODES.generate(requests))["u"]
    errors = []
    for steps in (1, 4, 7):
        previews = MODES.advance(requests, steps, [None] * 200)
        assert all(p.steps == steps and not p.finished for p in previews)
        errors.append(abs(read([p.clip for p in previews])["u"] - end).mean())
    assert errors[0] > errors[1] > errors[2] > 0
    last = MODES.advance(requests, None, [None] * 200)
    assert all(p.finished for p in last)
    assert (read([p.clip for p in last])["u"] == end).all()
    with pytest.raises(PhospheneError, match="there are 8"):
        MODES.advance(requests, 9, [None] * 200)


def test_renoising_late_changes_less():
    start = Request(noise={"video": Noise.fresh(0).record()})
    x, cosines = MODES.noise(start), []
    for step in (1, 4, 7):
        steered = Request(
            noise=start.noise, steering=({"op": "renoise", "step": step, "b": 0.8, "seed": 7},)
        )
        y = MODES.noise(steered)
        assert np.linalg.norm(y) == pytest.approx(np.linalg.norm(x), rel=0.1)
        cosines.append(x @ y / np.linalg.norm(x) / np.linalg.norm(y))
    assert cosines[0] < cosines[1] < cosines[2] < 1


def test_spectral_steps_reach_it():
    parent = Noise.fresh(3)
    fine = MODES.noise(Request(noise={"video": parent.moved(4, 0.0, 1.0).record()}))
    coarse = torch.fft.fft2(torch.from_numpy(fine).reshape(4, 16, 16))[:, 0, 0]
    own = torch.fft.fft2(
        torch.from_numpy(MODES.noise(Request(noise={"video": parent.record()}))).reshape(4, 16, 16)
    )[:, 0, 0]
    assert torch.allclose(coarse, own, atol=1e-3)


def test_what_it_does_not_take_is_refused():
    for request in (Request(negative="dull"), Request(steering=({"op": "anneal"},))):
        with pytest.raises(PhospheneError):
            MODES.check(request)
