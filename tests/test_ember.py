"""Ember: its sound transform, its optimiser, its data order, its pipeline, and resuming."""

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import phosphene
from phosphene import media
from phosphene.config import build, read_yaml
from phosphene.ember.checkpoint import read_progress
from phosphene.ember.muon import orthogonal
from phosphene.ember.network import EmberTransformer
from phosphene.ember.pipeline import EmberPipeline, EmberPipelineOutput
from phosphene.ember.sound import from_rows, to_rows
from phosphene.ember.train import TrainConfig, train
from phosphene.ember.words import word_ids
from phosphene.ember.world import Family, World
from phosphene.errors import PhospheneError
from phosphene.recreate import recreate

TINY = {"dim": 32, "depth": 1, "heads": 2}


def _world(**fields):
    return {"families": {"equations": {"share": 1.0, "fields": {}}, "bounce": None}, **fields}


def _config(out, samples=48, **fields):
    stages = [{"samples": samples, "lr": 0.002, "lr_end": 0.001, "world": _world(frames=3)}]
    return build(
        TrainConfig,
        {
            "out": str(out),
            "stages": stages,
            "model": TINY,
            "batch": 4,
            "workers": 0,
            "exam_every": 10**9,
            "exam_clips": 2,
            "checkpoint_every": 16,
            **fields,
        },
        "test",
    )


def test_sound_transform_returns_what_it_was_given_and_keeps_energy():
    audio = torch.randn(3, 9000)
    audio[:, -125:] = 0
    rows = to_rows(audio, 9, 125)
    assert rows.shape == (3, 9, 1000)
    assert torch.allclose(from_rows(rows, 125), audio, atol=1e-5)
    assert torch.allclose(rows.square().sum(), audio.square().sum(), rtol=1e-4)


def test_sound_rows_are_local_in_time():
    audio = torch.zeros(1, 9000)
    audio[0, 4300] = 1.0
    energy = to_rows(audio, 9, 125).square().sum(-1)[0]
    assert energy.argmax() == 4
    assert energy[[0, 1, 2, 6, 7, 8]].sum() == 0


def test_words_split_digits_and_symbols_and_pad_with_zero():
    ids = word_ids(["Solve 3+4="], 12, 2048)
    again = word_ids(["solve 3 + 4 ="], 12, 2048)
    assert (ids == again).all()
    assert (ids[0] > 0).sum() == 5
    assert word_ids(["a b c"], 2, 2048).shape == (1, 2)


def test_orthogonal_flattens_the_spectrum():
    matrix = torch.randn(24, 60, generator=torch.Generator().manual_seed(0))
    for m in (matrix, matrix.T):
        values = torch.linalg.svdvals(orthogonal(m))
        assert values.min() > 0.5
        assert values.max() < 1.3


def test_network_is_a_still_picture_before_training_and_leaves_given_frames_alone():
    torch.manual_seed(0)
    model = EmberTransformer(**TINY)
    video, audio = torch.randn(2, 3, 3, 64, 64), torch.randn(2, 3, 1000)
    given = torch.tensor([[True, False, False], [False, False, False]])
    sigma = torch.tensor([0.7, 1.0])
    clean, _ = model.predict(video, audio, sigma, torch.zeros(2, 1, 32), given)
    assert torch.equal(clean[0], video[0, :1].expand_as(clean[0]))
    assert torch.equal(clean[1], torch.zeros_like(clean[1]))
    out = model(video, audio, sigma * 1000, torch.zeros(2, 1, 32), given)
    assert (out.sample[0, 0] == 0).all()
    assert torch.allclose(video - sigma[:, None, None, None, None] * out.sample, clean, atol=1e-5)


def test_an_untrained_network_keeps_most_of_what_the_last_given_frame_changed():
    torch.manual_seed(0)
    model = EmberTransformer(**TINY)
    video, audio = torch.randn(1, 4, 3, 64, 64), torch.randn(1, 4, 1000)
    given = torch.tensor([[True, True, False, False]])
    clean, _ = model.predict(video, audio, torch.ones(1), torch.zeros(1, 1, 32), given)
    first, latest = video[0, 0], video[0, 1]
    share = 1 / (1 + np.exp(-2.0))
    for drawn in clean[0, 2:]:
        assert torch.allclose(drawn, first + share * (latest - first), atol=1e-5)
    assert torch.equal(clean[0, :2], video[0, :2])


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    out = tmp_path_factory.mktemp("ember")
    return train(_config(out))


def test_pipeline_starts_from_the_given_frames_and_repeats_itself(trained):
    pipeline = EmberPipeline(
        EmberTransformer.from_pretrained(trained, subfolder="transformer"),
        _scheduler(),
    )
    pipeline.set_progress_bar_config(disable=True)
    first, last = (torch.rand(1, 3, 64, 64), torch.rand(1, 3, 64, 64))

    def run(**arguments):
        generator = [torch.Generator().manual_seed(s) for s in (1, 2)]
        made = pipeline(["a", "b"], generator=generator, num_inference_steps=2, **arguments)
        assert isinstance(made, EmberPipelineOutput)
        return made

    made = run(image=first, last_image=last)
    assert made.frames.shape == (2, 9, 64, 64, 3)
    assert made.audio.shape == (2, 1, 9000)
    assert np.allclose(made.frames[1, 0], first[0].permute(1, 2, 0), atol=1e-5)
    assert np.allclose(made.frames[1, -1], last[0].permute(1, 2, 0), atol=1e-5)
    assert np.array_equal(made.frames, run(image=first, last_image=last).frames)
    assert not np.allclose(made.frames[0, 4], made.frames[1, 4])
    assert run(num_frames=1).frames.shape == (2, 1, 64, 64, 3)
    guided = run(image=first, guidance_scale=3.0)
    assert not np.allclose(guided.frames, run(image=first).frames)
    own = pipeline.transformer.config.looks
    assert np.array_equal(run(image=first, looks=own).frames, run(image=first).frames)
    longer = run(image=first, looks=3 * own)
    assert not np.array_equal(longer.frames, run(image=first).frames)
    with pytest.raises(ValueError, match="looks must be 0 or more; got -1"):
        run(image=first, looks=-1)
    with pytest.raises(ValueError, match="1 to 9 frames; got 10"):
        run(num_frames=10)
    with pytest.raises(ValueError, match="64x64"):
        run(height=32)


def _scheduler():
    from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

    return FlowMatchEulerDiscreteScheduler()


def _curve(directory):
    records = [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]
    return [(r["samples"], r["loss"]) for r in records if "loss" in r]


def test_killed_and_resumed_training_has_the_uninterrupted_loss_curve(tmp_path):
    def config(out):
        (one,) = _config(out, samples=80, checkpoint_every=40).stages
        two = replace(one, samples=120, lr=0.001)
        return replace(_config(out, checkpoint_every=40, own_levels=0.5), stages=(one, two))

    whole, cut = tmp_path / "whole", tmp_path / "cut"
    # Exams take no part in the training: one run has them and the other none.
    train(replace(config(whole), exam_clips=0))

    class Kill(Exception):
        pass

    def stop(record):
        if record["samples"] >= 160:
            raise Kill

    with pytest.raises(Kill):
        train(config(cut), stop)
    # The kill came before the checkpoint at 160: the run goes on in the middle of its second stage.
    assert read_progress(cut / "checkpoint.safetensors")["samples"] == 120
    with (cut / "log.jsonl").open("a") as file:
        file.write('{"samples": 16')  # as a kill in the middle of a line leaves it
    train(config(cut))
    assert _curve(cut) == _curve(whole)
    assert len(_curve(whole)) == 5


def test_training_goes_on_from_exported_weights_with_fresh_examples(tmp_path):
    first = replace(_config(tmp_path / "first", samples=32), exam_clips=0)
    kept = train(first)
    on = replace(first, out=tmp_path / "on", start=kept, looks=(1, 4))
    train(replace(on, stages=(replace(first.stages[0], samples=16, lr=0.0, lr_end=0.0),)))
    assert read_progress(on.out / "checkpoint.safetensors")["samples"] == 48
    was, now = (
        EmberTransformer.from_pretrained(d, subfolder="transformer").state_dict()
        for d in (kept, on.out / "pipeline")
    )
    assert all(torch.equal(was[k], now[k]) for k in was), "nothing was learned at rate 0"
    other = replace(on, out=tmp_path / "other", model={**TINY, "dim": 48, "heads": 3})
    with pytest.raises(PhospheneError, match=r"start: .* can't be gone on from"):
        train(other)
    with pytest.raises(PhospheneError, match="looks wants"):
        replace(on, looks=(4, 1))


def test_looks_drawn_for_each_step_are_drawn_again_after_a_kill(tmp_path):
    """The number of looks depends on the step alone, so the loss curve stays what it was."""

    def config(out):
        made = _config(tmp_path / out, samples=120, checkpoint_every=40)
        return replace(made, looks=(1, 6), exam_clips=0)

    class Kill(Exception):
        pass

    def stop(record):
        if record["samples"] >= 80:
            raise Kill

    train(config("whole"))
    with pytest.raises(Kill):
        train(config("cut"), stop)
    assert read_progress(tmp_path / "cut" / "checkpoint.safetensors")["samples"] == 40
    train(config("cut"))
    assert _curve(tmp_path / "cut") == _curve(tmp_path / "whole")
    assert len(_curve(tmp_path / "whole")) == 3


def test_training_learns(tmp_path):
    """On three differences in one look, the loss falls well below the still picture's."""
    config = _config(tmp_path, samples=480, batch=8, checkpoint_every=10**9)
    few = {"equations": Family(fields={"largest": 1, "operators": "-", "variety": 0.0})}
    stage = replace(config.stages[0], world=World(few, frames=2), lr=0.005, lr_end=0.002)
    train(replace(config, stages=(stage,)))
    losses = [loss for _, loss in _curve(tmp_path)]
    assert len(losses) == 6
    assert losses[-1] < 0.6 * losses[0], losses


def test_config_errors_name_the_key(tmp_path):
    with pytest.raises(PhospheneError, match="bacth"):
        _config(tmp_path, bacth=3)
    with pytest.raises(PhospheneError, match="pure_noise"):
        _config(tmp_path, pure_noise=2.0)
    (tmp_path / "checkpoint.safetensors").write_bytes(b"junk")
    with pytest.raises(PhospheneError, match="not a readable checkpoint"):
        train(_config(tmp_path))


def test_importing_the_package_loads_no_torch():
    code = "import sys, phosphene; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_a_file_made_by_the_shipped_model_is_made_again_from_its_recipe(tmp_path):
    phosphene.generate("the equation 3 + 4 = is solved", steps=2, lossless=True, out=tmp_path)
    (file,) = (tmp_path / "media").glob("*.mkv")
    assert media.read_recipe(file)["spec"]["id"] == "ember"
    again = recreate(file)
    assert again.likeness in ("identical", "alike")


def test_shipped_model_makes_the_same_sample_alone_and_among_eight():
    backbone = phosphene.open_backbone("ember")
    firsts = [np.full((64, 64, 3), 32 * i, np.uint8) for i in range(8)]
    requests = [
        phosphene.Request(f"a ball {i}", first_frame=f, steps=3, index=i)
        for i, f in enumerate(firsts)
    ]
    together = backbone.generate(requests)
    for i in (0, 5, 7):
        alone: Any = backbone.generate([requests[i]])[0]
        among: Any = together[i]
        assert np.abs(np.subtract(alone.frames, among.frames, dtype=int)).max() <= 1
        assert np.allclose(alone.audio, among.audio, atol=1e-4)
    assert together[0].digest != together[1].digest


@pytest.mark.parametrize(
    "path", sorted((Path(__file__).parents[1] / "configs/train").glob("ember-*.yaml")), ids=str
)
def test_training_recipes_in_the_repository_can_be_built(path):
    config = build(TrainConfig, read_yaml(path), str(path))
    for stage in config.stages:
        assert stage.world.example(config.seed, 0, stage.world.tasks())["given"].shape == (
            stage.world.frames,
        )
