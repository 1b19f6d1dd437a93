"""Noise: its algebra, its whiteness, and that a sample's is its own whatever batch it is in."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from phosphene.backbone import Backbone, open_backbone
from phosphene.errors import PhospheneError
from phosphene.exploring.latents import keeping_latents
from phosphene.noise import CUT, Noise
from phosphene.request import Request
from phosphene.testing import tiny

A, B = Noise.fresh(1), Noise.fresh(2)
share = st.floats(0, 1)


def _draws(noise: Noise, shape: tuple[int, ...]) -> list[torch.Tensor]:
    return [torch.randn(shape, generator=torch.Generator().manual_seed(s)) for s, *_ in noise.terms]


def _mixed(noise: Noise, shape: tuple[int, ...]) -> torch.Tensor:
    return noise.mix(_draws(noise, shape))


def _cosine(a: torch.Tensor, b: torch.Tensor) -> float:
    return float(torch.nn.functional.cosine_similarity(a.flatten(), b.flatten(), 0))


@given(share)
def test_a_step_leaves_the_cosine_that_pcn_says(b):
    child = A.moved(9, b)
    kept = math.sqrt(1 - b * b)
    assert A.likeness(child) == pytest.approx(kept if kept > 0.02 else 0, abs=3e-4)


@given(share)
def test_a_blend_lies_on_the_great_circle(t):
    middle = A.blended(B, t)
    assert A.likeness(middle) == pytest.approx(math.cos(t * math.pi / 2), abs=0.021)
    assert B.likeness(middle) == pytest.approx(math.sin(t * math.pi / 2), abs=0.021)


def test_the_ends_of_a_blend_are_the_parents_and_kin_stay_kin():
    assert A.blended(B, 0) == A
    assert A.blended(B, 1) == B
    child = A.moved(3, 0.6)
    # Half way between two that are 0.8 alike, each is as alike as half the angle.
    assert A.likeness(A.blended(child, 0.5)) == pytest.approx(math.cos(math.acos(0.8) / 2))
    assert A.blended(A, 0.5) == A
    with pytest.raises(PhospheneError, match="opposite"):
        A.blended(Noise(((1, -1.0, -1.0),)), 0.5)


@given(st.lists(st.tuples(share, share), max_size=40))
@settings(max_examples=50, deadline=None)
def test_descendants_of_any_depth_stay_short_and_of_unit_length(line):
    noise = A
    for seed, (low, high) in enumerate(line, 2):
        noise = noise.moved(seed, low, high)
    assert len(noise.terms) <= 24
    assert Noise.of(noise.record()) == noise
    for band in (1, 2):
        assert math.hypot(*(t[band] for t in noise.terms)) == pytest.approx(1)


def test_what_is_no_noise_is_refused():
    for bad in (((1, 0.5, 1.0),), (), ((-1, 1.0, 1.0),)):
        with pytest.raises(PhospheneError):
            Noise(bad)
    with pytest.raises(PhospheneError, match="step of noise"):
        A.moved(1, 1.5)
    with pytest.raises(PhospheneError):
        Request(noise={"video": [[1, 2.0, 2.0]]})


@given(low=share, high=share, side=st.sampled_from([(16, 16), (9, 14), (8, 21)]))
@settings(max_examples=12, deadline=None)
def test_spectral_children_are_white(low, high, side):
    shape = (600, 2, *side)
    x = _mixed(A.moved(5, low, high), shape)
    power = torch.fft.fft2(x).abs().square().mean((0, 1)) / math.prod(side)
    # 1,200 draws a frequency: the mean of their powers is 1 to some 3 %, half of it in real ones.
    assert float(power.mean()) == pytest.approx(1, abs=0.01)
    assert float((power - 1).abs().max()) < 0.25
    assert abs(_cosine(x, x.roll(1, -1))) < 0.01
    assert abs(_cosine(x, x.roll(1, -2))) < 0.01
    assert abs(float((x**4).mean()) - 3) < 0.1


def test_each_band_moves_by_its_own_step():
    shape = (200, 2, 16, 16)
    parent, child = _mixed(A, shape), _mixed(A.moved(5, 0.6, 0.0), shape)
    freq = torch.fft.fftfreq(16).abs() * 2
    inside = (freq[:, None] <= CUT) & (freq <= CUT)
    low, own = torch.fft.fft2(child), torch.fft.fft2(parent)
    assert torch.allclose(low[..., ~inside], own[..., ~inside], atol=1e-3)
    a, b = (torch.view_as_real(v[..., inside]) for v in (low, own))
    assert _cosine(a, b) == pytest.approx(0.8, abs=0.02)


def test_a_common_band_is_plain_arithmetic():
    noise = A.moved(5, 0.6)
    a, b = _draws(noise, (2, 3, 4, 5))
    assert torch.equal(noise.mix([a, b]), noise.terms[0][1] * a + noise.terms[1][1] * b)
    assert noise.mix([a[0, 0, 0], b[0, 0, 0]]).shape == (5,)


def test_requests_without_noise_and_steering_keep_their_record():
    record = Request(prompt="a bell", seed=3).record()
    assert "noise" not in record
    assert "steering" not in record
    noise = {"video": A.record()}
    assert Request(noise=noise).record() == Request().record() | {"noise": noise}


@pytest.fixture(scope="module")
def drawing(tmp_path_factory) -> Backbone:
    return open_backbone(str(tiny.save("ltx2", tmp_path_factory.mktemp("ltx2"))))


def _request(**changes) -> Request:
    size = {"width": 64, "height": 64, "frames": 9, "steps": 1}
    return Request(prompt="a bell", **{**size, **changes})


def test_a_sample_is_the_same_alone_and_in_a_batch(drawing):
    bred = Noise.fresh(4).moved(5, 0.7).moved(6, 0.2, 0.9)
    requests = [
        _request(seed=1),
        _request(noise={"video": bred.record(), "audio": Noise.fresh(8).record()}),
        _request(noise={"video": Noise.fresh(4).record()}),
    ]
    with keeping_latents(drawing) as together:
        clips = drawing.generate(requests)
    for request, clip in zip(requests, clips, strict=True):
        with keeping_latents(drawing) as alone:
            (single,) = drawing.generate([request])
        assert (together[request] - alone[request]).abs().max() < 1e-5
        assert abs(single.frames.astype(int) - clip.frames).max() <= 1
        assert abs(single.audio - clip.audio).max() < 1e-5


def test_streams_are_exchanged_one_by_one(drawing):
    video, audio = (_request(noise={s: B.record()}) for s in ("video", "audio"))
    bare = _request()
    seen, heard, plain = drawing.generate([video, audio, bare])
    assert abs(seen.frames.astype(int) - plain.frames).max() > 5
    assert abs(heard.audio - plain.audio).max() > 1e-3


def test_noise_of_the_seed_that_would_be_drawn_changes_nothing(drawing):
    bare = _request(seed=7)
    told = _request(seed=7, noise={"video": Noise.fresh(bare.stream("video")).record()})
    a, b = drawing.generate([bare]), drawing.generate([told])
    assert a[0].digest == b[0].digest
    assert drawing.like(bare) == drawing.like(told)


def test_noise_for_a_stream_that_is_not_there_is_refused(drawing):
    with pytest.raises(PhospheneError, match="'smell'"):
        drawing.check(_request(noise={"smell": A.record()}))
