"""Ember's noise levels by frame, and what they make of one model: continuation, frame by frame."""

from typing import Any

import numpy as np
import pytest
import torch
from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

from phosphene.ember.network import EmberTransformer
from phosphene.ember.passes import passes
from phosphene.ember.pipeline import EmberPipeline, EmberPipelineOutput

B, F = 2, 4


@pytest.fixture(scope="module")
def model():
    """A tiny denoiser with heads that do something, as after training."""
    torch.manual_seed(0)
    made: Any = EmberTransformer(dim=32, depth=1, heads=2)
    for last in (made.hand.to_pixels, made.audio_out[-1]):
        torch.nn.init.normal_(last.weight, std=0.3)
    return made.eval()


@pytest.fixture(scope="module")
def pipeline(model):
    made = EmberPipeline(model, FlowMatchEulerDiscreteScheduler())
    made.set_progress_bar_config(disable=True)
    return made


def _inputs():
    generator = torch.Generator().manual_seed(1)
    video = torch.randn(B, F, 3, 64, 64, generator=generator)
    audio = torch.randn(B, F, 1000, generator=generator)
    given = torch.zeros(B, F, dtype=torch.bool)
    given[:, 0] = True
    return video, audio, given, torch.zeros(B, 1, 32)


@torch.no_grad()
def test_one_level_for_all_frames_is_the_same_level_for_each(model):
    video, audio, given, words = _inputs()
    t = torch.tensor([300.0, 900.0])
    one = model(video, audio, t, words, given)
    each = model(video, audio, t[:, None].expand(B, F), words, given)
    assert torch.allclose(one.sample, each.sample, atol=1e-4)
    assert torch.allclose(one.audio_sample, each.audio_sample, atol=1e-4)


@torch.no_grad()
def test_each_frame_and_its_sound_are_scaled_by_their_own_level(model):
    video, audio, given, words = _inputs()
    t = torch.tensor([[1000.0, 200.0, 500.0, 1000.0]]).expand(B, F)
    sigma = t / 1000
    clean, audio_clean = model.predict(video, audio, sigma, words, given)
    out = model(video, audio, t, words, given)
    moved = video - sigma[:, :, None, None, None] * out.sample
    assert torch.allclose(moved[:, 1:], clean[:, 1:], atol=1e-4)
    assert torch.allclose(audio - sigma[:, :, None] * out.audio_sample, audio_clean, atol=1e-4)
    other = model(video, audio, t.roll(1, 1), words, given)
    assert not torch.allclose(out.sample[:, 1:], other.sample[:, 1:], atol=1e-3)


@torch.no_grad()
def test_a_frame_at_level_zero_is_given_and_so_is_its_sound(model):
    video, audio, given, words = _inputs()
    t = torch.tensor([[0.0, 0.0, 600.0, 600.0]]).expand(B, F)
    out = model(video, audio, t, words)
    assert (out.sample[:, :2] == 0).all()
    assert (out.audio_sample[:, :2] == 0).all()
    assert (out.sample[:, 2:] != 0).any()
    assert (out.audio_sample[:, 2:] != 0).any()
    given[:, 1] = True
    said = model(video, audio, t, words, given)
    assert torch.equal(out.sample, said.sample)


@torch.no_grad()
def test_noise_in_a_given_frames_sound_leaves_its_picture_given(model):
    video, audio, given, words = _inputs()
    out = model(video, audio, torch.full((B, F), 700.0), words, given)
    assert (out.sample[:, 0] == 0).all()
    assert (out.audio_sample[:, 0] != 0).any()


def _run(pipeline, **arguments):
    generator = [torch.Generator().manual_seed(s) for s in (1, 2)]
    made = pipeline(["a", "b"], generator=generator, num_inference_steps=2, **arguments)
    assert isinstance(made, EmberPipelineOutput)
    return made


def _picture(seed):
    return torch.rand(1, 3, 64, 64, generator=torch.Generator().manual_seed(seed))


def test_video_is_continued_from_its_given_frames(pipeline):
    pictures = [_picture(s) for s in range(3)]
    listed = _run(pipeline, video=pictures)
    for k, picture in enumerate(pictures):
        assert np.allclose(listed.frames[1, k], picture[0].permute(1, 2, 0), atol=1e-5)
    stacked = torch.stack(pictures, 1).expand(2, -1, -1, -1, -1)
    assert np.array_equal(_run(pipeline, video=stacked).frames, listed.frames)
    assert np.array_equal(
        _run(pipeline, video=pictures[:1]).frames, _run(pipeline, image=pictures[0]).frames
    )
    with pytest.raises(ValueError, match="pass one of them"):
        _run(pipeline, video=pictures, image=pictures[0])
    with pytest.raises(ValueError, match="9 given frames leave none of 9"):
        _run(pipeline, video=[pictures[0]] * 9)


def test_frame_by_frame_each_frame_sees_those_before_it_alone(pipeline):
    """Other noise in a late frame changes nothing before it, as it does when all are together."""
    latents = torch.randn(2, 5, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    other = latents.clone()
    other[:, 3] += 1
    for schedule, before_moves in (("frame-by-frame", False), ("together", True)):
        here, there = (
            _run(pipeline, schedule=schedule, image=_picture(0), num_frames=5, latents=x).frames
            for x in (latents, other)
        )
        assert (not np.array_equal(here[:, :3], there[:, :3])) is before_moves
        assert not np.array_equal(here[:, 3], there[:, 3])
        assert not np.array_equal(here[:, 4], there[:, 4])


def test_frame_by_frame_is_the_same_model_called_on_growing_clips(pipeline, model):
    """The first frame drawn is that of a clip of two frames drawn together."""
    picture = _picture(0)
    noise = torch.randn(2, 4, 3, 64, 64, generator=torch.Generator().manual_seed(3))
    sound = torch.randn(2, 4, 1000, generator=torch.Generator().manual_seed(4))
    grown = _run(
        pipeline,
        schedule="frame-by-frame",
        image=picture,
        num_frames=4,
        latents=noise,
        audio_latents=sound,
    )
    short = _run(
        pipeline, image=picture, num_frames=2, latents=noise[:, :2], audio_latents=sound[:, :2]
    )
    assert np.allclose(grown.frames[:, :2], short.frames, atol=1e-5)
    # The last hop of the short clip has no neighbour yet.
    assert np.allclose(grown.audio[..., :1875], short.audio[..., :1875], atol=1e-5)


def test_frame_by_frame_counts_its_steps_through_and_keeps_both_ends(pipeline):
    seen = []

    def note(pipe, i, t, held):
        seen.append((i, float(t)))
        return {}

    first, last = _picture(0), _picture(1)
    made = _run(
        pipeline,
        schedule="frame-by-frame",
        image=first,
        last_image=last,
        num_frames=4,
        callback_on_step_end=note,
    )
    assert [i for i, _ in seen] == list(range(6))
    assert [t for _, t in seen[:2]] == [t for _, t in seen[2:4]]
    assert np.allclose(made.frames[0, 0], first[0].permute(1, 2, 0), atol=1e-5)
    assert np.allclose(made.frames[0, -1], last[0].permute(1, 2, 0), atol=1e-5)


def test_passes_draw_every_frame_once():
    for given in ([1, 0, 0, 0], [0, 0, 0], [1, 1, 0, 0], [1, 0, 0, 1], [0, 0, 1], [1, 1], [1], [0]):
        order = passes("frame-by-frame", [bool(g) for g in given])
        drawn = [k for roles in order for k, role in roles.items() if role == "drawn"]
        assert sorted(drawn) == list(range(len(given)))
        assert "waits" not in order[-1].values()
    with pytest.raises(ValueError, match="got 'sideways'"):
        passes("sideways", [True, False])  # type: ignore[arg-type]


def test_a_pass_sees_the_first_frame_the_one_before_and_a_given_last_one():
    order = passes("frame-by-frame", [True, False, False, False, True])
    assert [list(roles) for roles in order] == [[0, 1, 4], [0, 1, 2, 4], [0, 2, 3, 4], [0, 3, 4]]
    assert order[2] == {0: "done", 2: "done", 3: "drawn", 4: "waits"}
