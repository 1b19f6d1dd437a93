"""How Ember is trained: noise, levels, several processes, kept weights, arithmetic and plots."""

import json
import multiprocessing
import os
import re
import socket
from pathlib import Path
from xml.etree import ElementTree

import pytest
import torch
from accelerate.state import AcceleratorState
from torch.utils.flop_counter import FlopCounterMode

from phosphene.config import build
from phosphene.ember.checkpoint import read_progress
from phosphene.ember.loss import losses, noise_levels
from phosphene.ember.muon import Muon, orthogonal
from phosphene.ember.network import EmberTransformer
from phosphene.ember.noise import normal, philox, uniform
from phosphene.ember.plots import write_plots
from phosphene.ember.settings import TrainConfig
from phosphene.ember.shards import Shelf, write_shards
from phosphene.ember.speed import training_flops
from phosphene.ember.train import train
from phosphene.errors import PhospheneError
from phosphene.statistics import wilson

WORLD = {"families": {"equations": {"fields": {"variety": 0.0}}}, "frames": 3, "continued": 0.3}


def _config(out, **fields):
    values = {
        "out": str(out),
        "stages": [{"samples": 40, "lr": 0.002, "lr_end": 0.001, "world": WORLD}],
        "model": {"dim": 32, "depth": 1, "heads": 2},
        "batch": 4,
        "workers": 0,
        "exam_clips": 0,
        "own_levels": 0.5,
    }
    return build(TrainConfig, {**values, **fields}, "test")


def _curve(directory):
    records = [json.loads(line) for line in (directory / "log.jsonl").read_text().splitlines()]
    return [(r["samples"], r["loss"]) for r in records if "loss" in r]


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        (0, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        (0xFFFFFFFF, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
    ],
)
def test_philox_gives_the_known_answers(word, expected):
    """Those published beside the paper, for counters and keys of all zeros and all ones."""
    counter = (torch.tensor([word]),) * 4
    assert tuple(int(v) for v in philox(counter, (word, word))) == expected


def test_noise_is_normal_and_each_example_s_own():
    indices = torch.arange(64)
    noise = normal(7, indices, 3, 4001)
    assert noise.shape == (64, 4001)
    assert abs(float(noise.mean())) < 0.01
    assert abs(float(noise.std()) - 1) < 0.01
    assert abs(float(noise.pow(4).mean()) - 3) < 0.1
    assert float(noise.abs().max()) < 6
    corner = torch.corrcoef(noise[:, :2000])
    assert float((corner - torch.eye(64)).abs().max()) < 0.12
    assert torch.equal(normal(7, torch.tensor([40, 9]), 3, 4001), noise[[40, 9]])
    for other in (normal(8, indices, 3, 4001), normal(7, indices, 4, 4001)):
        assert abs(float((other * noise).mean())) < 0.01
    late = torch.tensor([2**40, 2**40 + 1])
    assert not torch.equal(normal(7, late, 3, 8), normal(7, late % 2**32, 3, 8))
    flat = uniform(1, indices, 0, 5000)
    assert 0 < float(flat.min()) < 0.001
    assert 0.999 < float(flat.max()) < 1


def test_noise_levels_are_shared_or_each_frame_s_own_and_shift_upwards(tmp_path):
    indices = torch.arange(4000)
    own = noise_levels(indices, 3, _config(tmp_path, own_levels=0.25, pure_noise=0.0))
    apart = (own != own[:, :1]).any(1)
    assert abs(float(apart.float().mean()) - 0.25) < 0.03
    together = noise_levels(indices, 3, _config(tmp_path, own_levels=0.0, pure_noise=0.4))
    assert (together == together[:, :1]).all()
    assert abs(float((together == 1).float().mean()) - 0.4) < 0.03
    plain = noise_levels(indices, 3, _config(tmp_path, pure_noise=0.0))
    shifted = noise_levels(indices, 3, _config(tmp_path, pure_noise=0.0, shift=3.0))
    assert torch.allclose(shifted, 3 * plain / (1 + 2 * plain))
    assert (shifted > plain).all()


def test_the_loss_of_an_example_is_its_own_whatever_stands_beside_it(tmp_path):
    """And a perfect denoiser has none, given and heard parts left alone."""
    config = _config(tmp_path)
    generator = torch.Generator().manual_seed(0)
    given = torch.tensor([[1, 0, 0], [1, 1, 0], [0, 0, 0], [1, 0, 1]], dtype=torch.bool)
    heard = torch.tensor([[0, 0, 0], [1, 1, 0], [0, 0, 0], [0, 0, 0]], dtype=torch.bool)
    batch = {
        "video": torch.randint(0, 255, (4, 3, 64, 64, 3), generator=generator),
        "audio": torch.randn(4, 3, 1000, generator=generator),
        "words": torch.zeros(4, 12, dtype=torch.int64),
        "given": given,
        "heard": heard,
        "frame_ids": torch.arange(3).expand(4, 3),
        "index": torch.tensor([3, 11, 12, 90]),
    }
    clean = batch["video"].permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    seen = {}

    def oracle(video, audio, timestep, words, given, frame_ids, looks, return_dict):
        seen.update(video=video, audio=audio, timestep=timestep)
        sigma = timestep / 1000
        moving = (video - clean) / sigma.clamp_min(1e-3)[:, :, None, None, None]
        return moving, (audio - batch["audio"]) / sigma.clamp_min(1e-3)[:, :, None]

    assert float(losses(oracle, batch, config)["loss"]) < 1e-6
    assert torch.equal(seen["video"][given], clean[given])
    assert torch.equal(seen["audio"][heard], batch["audio"][heard])
    assert (seen["timestep"][heard] == 0).all()
    assert (seen["timestep"][~heard] > 0).all()
    still = EmberTransformer(dim=32, depth=1, heads=2)
    whole = losses(still, batch, config)
    alone = [losses(still, {k: v[i : i + 1] for k, v in batch.items()}, config) for i in range(4)]
    for name, value in whole.items():
        mean = torch.stack([one[name] for one in alone]).mean()
        assert torch.allclose(value, mean, rtol=1e-4), name


def _process(rank, port, out):
    """One of two training processes; single-threaded, since its parent's threads are not here."""
    torch.set_num_threads(1)
    AcceleratorState._reset_state(reset_partial_state=True)
    here = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port), "WORLD_SIZE": "2"}
    os.environ.update(here, RANK=str(rank), LOCAL_RANK=str(rank), ACCELERATE_USE_CPU="true")
    train(_config(out, batch=2, bf16=False))
    # Leaves pytest's own endings to the parent.
    os._exit(0)


def test_two_processes_have_the_loss_curve_of_one_with_batches_twice_as_large(tmp_path):
    train(_config(tmp_path / "one", batch=4, bf16=False))
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # Forked: what is imported by now is slow to import.
    context = multiprocessing.get_context("fork")
    two = [context.Process(target=_process, args=(k, port, tmp_path / "two")) for k in (0, 1)]
    for process in two:
        process.start()
    for process in two:
        process.join(120)
        process.kill()
    assert [process.exitcode for process in two] == [0, 0]
    one, both = _curve(tmp_path / "one"), _curve(tmp_path / "two")
    assert [samples for samples, _ in both] == [40]
    assert both[0][1] == pytest.approx(one[0][1], rel=1e-4)


def test_training_on_shards_keeps_weights_and_draws_its_page(tmp_path):
    config = _config(
        tmp_path / "run", shards=str(tmp_path / "shards"), keep=[10, 24], shift=2.0, exam_clips=2
    )
    with pytest.raises(PhospheneError, match="train shards"):
        train(config)
    write_shards(Shelf(tmp_path / "shards", config.stages[0].world, 0, 16), 1, lambda a, b: None)
    told = []
    weights = train(config, told.append)
    kept = sorted(path.name for path in (tmp_path / "run/checkpoints").iterdir())
    assert kept == ["10", "24"]
    seen = json.loads((tmp_path / "run/checkpoints/10/training.json").read_text())
    assert seen == {"samples": 12}
    scheduler = json.loads((weights / "scheduler/scheduler_config.json").read_text())
    assert scheduler["shift"] == 2.0
    early, late = (
        EmberTransformer.from_pretrained(path, subfolder="transformer").state_dict()
        for path in (tmp_path / "run/checkpoints/10", weights)
    )
    assert any(not torch.equal(early[name], late[name]) for name in early)
    (line,) = [event for event in told if "loss" in event]
    assert line["eta_s"] == 0
    assert 0 < line["mfu"] < 1
    assert "eta_s" not in (tmp_path / "run/log.jsonl").read_text()
    page = (tmp_path / "run/progress.html").read_text()
    assert "equations" in page
    assert "40 examples seen" in page


def test_a_run_may_go_on_with_other_batches(tmp_path):
    def stop(record):
        if "loss" in record:
            raise KeyboardInterrupt

    stages = [{"samples": n, "world": WORLD} for n in (50, 30)]
    with pytest.raises(KeyboardInterrupt):
        train(_config(tmp_path, stages=stages, checkpoint_every=16), stop)
    assert read_progress(tmp_path / "checkpoint.safetensors")["samples"] == 32
    train(_config(tmp_path, stages=stages, batch=7))
    done = read_progress(tmp_path / "checkpoint.safetensors")["samples"]
    assert done == 49 + 28


def test_arithmetic_is_what_is_counted():
    """Against torch's own count of the products of a forward and backward pass."""
    torch.manual_seed(0)
    model = EmberTransformer(dim=64, depth=3, heads=2, text_length=16)
    frames = 3
    inputs = (
        torch.randn(1, frames, 3, 64, 64, requires_grad=True),
        torch.randn(1, frames, 1000, requires_grad=True),
        torch.full((1, frames), 500.0),
        torch.ones(1, 16, dtype=torch.int64),
        torch.tensor([[True, False, False]]),
    )
    with FlopCounterMode(display=False) as counter:
        video, audio = model(*inputs, return_dict=False)
        (video.sum() + audio.sum()).backward()
    assert training_flops(model, frames) == pytest.approx(counter.get_total_flops(), rel=0.03)


def test_muon_takes_matrices_of_one_shape_together_as_it_would_alone():
    generator = torch.Generator().manual_seed(0)
    shapes = [(24, 8), (8, 24), (24, 8)]
    grads = [torch.randn(shape, generator=generator) for shape in shapes]
    stacked = orthogonal(torch.stack([grads[0], grads[2]]))
    assert torch.allclose(stacked[1], orthogonal(grads[2]), atol=1e-5)

    def stepped(which):
        params = [torch.nn.Parameter(torch.ones(shapes[i])) for i in which]
        for p, i in zip(params, which, strict=True):
            p.grad = grads[i].clone()
        Muon(params, lr=0.1).step()
        return params

    together = stepped([0, 1, 2])
    for i in range(3):
        assert torch.allclose(together[i], stepped([i])[0], atol=1e-6)


def test_page_draws_what_the_log_says(tmp_path):
    records = [
        {"samples": k, "loss": 1 / k, "picture": 1 / k, "sound": 0.1 / k, "samples_per_s": 50.0}
        for k in range(10, 10_010, 10)
    ]
    records += [
        {"samples": s, "exam": {"<maze>": {"train": right / 20, "test": 0.0}}, "clips": 20}
        for s, right in ((5000, 5), (10000, 20))
    ]
    page = write_plots(tmp_path / "p.html", records, [6000, 12000]).read_text()
    assert len(page) < 200_000
    assert "http" not in page.replace("http-equiv", "")
    svgs = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page)]
    assert len(svgs) == 4
    assert "&lt;maze&gt;" in page
    titles = [title.text for title in svgs[3].iter("title")]
    share = wilson(5, 20)
    assert titles[0] == f"25% [{share.low:.0%}, {share.high:.0%}] after 5,000"
    assert len(titles) == 4
    right = max(float(c.get("cx", 0)) for c in svgs[3].iter("circle"))
    low, high = (float(c.get("cy", 0)) for c in list(svgs[3].iter("circle"))[:2])
    assert low > high, "a higher share stands higher"
    assert right < 420 * 11 / 12, "the axis ends where training will"
    falling = [float(p.split(",")[1]) for p in svgs[0].findall("polyline")[0].get("points").split()]
    assert falling == sorted(falling)
    assert len(falling) <= 300
    empty = write_plots(tmp_path / "e.html", [], [100]).read_text()
    assert "no step is logged yet" in empty


def test_wrong_settings_name_the_key(tmp_path):
    with pytest.raises(PhospheneError, match="own_levels"):
        _config(tmp_path, own_levels=1.5)
    with pytest.raises(PhospheneError, match="reads 32 words"):
        _config(tmp_path, model={"dim": 32, "depth": 1, "heads": 2, "text_length": 32})


@pytest.mark.slow
def test_a_compiled_denoiser_has_the_loss_curve_of_a_plain_one(tmp_path):
    train(_config(tmp_path / "plain"))
    train(_config(tmp_path / "compiled", compile=True))
    plain, compiled = _curve(Path(tmp_path / "plain")), _curve(Path(tmp_path / "compiled"))
    assert compiled[0][1] == pytest.approx(plain[0][1], rel=1e-4)
