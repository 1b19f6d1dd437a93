"""Train Ember: flow matching with x-prediction, stage by stage, resumable to the step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from torch.utils.data import DataLoader

from phosphene.ember import checkpoint
from phosphene.ember.exam import examine
from phosphene.ember.muon import Muon
from phosphene.ember.network import EmberTransformer
from phosphene.ember.world import Examples, World
from phosphene.errors import PhospheneError
from phosphene.journal import Journal
from phosphene.media.disk import write_text


@dataclass(frozen=True)
class Stage:
    """One leg of the curriculum.

    Args:
        samples: examples in this leg.
        lr: learning rate at its start; it falls or rises linearly to `lr_end`.
        world: what is shown.
    """

    samples: int
    world: World
    lr: float = 1e-3
    lr_end: float = 1e-3


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The same values train on a CPU, one GPU or many (through accelerate).

    Args:
        out: directory for the checkpoint, the log and the exported weights.
        stages: the curriculum, in order.
        model: arguments of `EmberTransformer`.
        batch: examples a step, on each process.
        seed: of weights, data and noise.
        pure_noise: share of examples trained at full noise, where the answer is decided: there
            the loss is plain regression from what is given.
        change_weight: weight of the mean error over the pixels that differ from the first frame,
            beside that over all pixels.
        sound_weight: weight of the sound's error beside the picture's.
        average: decay of the exponential moving average of the weights.
        checkpoint_every, exam_every: in examples.
        exam_clips: clips a task and split in each exam.
        workers: data-loading processes.
    """

    out: Path
    stages: tuple[Stage, ...]
    model: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 32
    seed: int = 0
    pure_noise: float = 0.5
    change_weight: float = 0.3
    sound_weight: float = 5.0
    average: float = 0.998
    weight_decay: float = 0.01
    checkpoint_every: int = 6400
    exam_every: int = 19200
    exam_clips: int = 64
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.stages:
            raise PhospheneError("train config has no stages; give at least one")
        if self.batch < 1 or not 0 <= self.pure_noise <= 1:
            raise PhospheneError(
                f"train config wants batch >= 1 and pure_noise in 0..1; "
                f"got {self.batch}, {self.pure_noise}"
            )


def train(config: TrainConfig, on_event: Callable[[dict], None] = lambda event: None) -> Path:
    """Run or go on with a training run; returns the directory of the exported pipeline.

    The data, the noise and the order depend on (seed, step) alone, so a run that was killed and
    resumed has the loss curve of one that never stopped.

    Args:
        config: what to train.
        on_event: is handed each log record: loss lines and exam results.
    """
    # Numbers too small to matter cost a CPU a hundred times what others do.
    torch.set_flush_denormal(True)
    try:
        return _run(config, on_event)
    finally:
        torch.set_flush_denormal(False)


def _run(config: TrainConfig, on_event: Callable[[dict], None]) -> Path:
    from accelerate import Accelerator

    # AMP only where the hardware multiplies bf16: many CPUs emulate it a hundredfold slower.
    gpu = torch.cuda.is_available()
    accelerator = Accelerator(mixed_precision="bf16" if gpu else "no")
    torch.manual_seed(config.seed)
    plain = EmberTransformer(**config.model)
    optimisers = _optimisers(plain, config)
    average = {k: v.clone() for k, v in plain.state_dict().items()}
    config.out.mkdir(parents=True, exist_ok=True)
    saved = config.out / "checkpoint.safetensors"
    done = 0
    if saved.exists():
        done = checkpoint.restore(saved, plain, average, optimisers)["samples"]
    model, *wrapped = accelerator.prepare(plain, *optimisers)
    average = {k: v.to(accelerator.device) for k, v in average.items()}
    log = _Log(config.out / "log.jsonl", done, on_event, accelerator.is_main_process)
    per_step = config.batch * accelerator.num_processes
    begin = 0
    for stage in config.stages:
        end = begin + stage.samples // per_step * per_step
        # Empty for a stage that a resumed run has behind it.
        loader = _loader(stage.world, config, min(max(done, begin), end), end, accelerator)
        for batch in loader:
            lr = stage.lr + (stage.lr_end - stage.lr) * (done - begin) / max(end - begin, 1)
            for optimiser in wrapped:
                for group in optimiser.param_groups:
                    group["lr"] = lr
            losses = _losses(model, batch, config, done, accelerator)
            accelerator.backward(losses["loss"])
            accelerator.clip_grad_norm_(model.parameters(), 1.0)
            for optimiser in wrapped:
                optimiser.step()
                optimiser.zero_grad()
            before, done = done, done + per_step
            _update(average, plain, config.average, done / per_step)
            log.step(done, lr, losses)
            if not accelerator.is_main_process:
                continue
            if _crossed(before, done, config.exam_every) or done >= end:
                log.write({"samples": done, "exam": _exam(plain, average, stage.world, config)})
            if _crossed(before, done, config.checkpoint_every) or done >= end:
                checkpoint.save(saved, plain, average, optimisers, {"samples": done})
                _export(plain, average, config.out / "pipeline", done)
        begin = end
    return config.out / "pipeline"


def _optimisers(model: torch.nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices, AdamW for the rest."""
    blocks = {id(p) for p in model.transformer_blocks.parameters() if p.ndim == 2}  # type: ignore[union-attr]
    matrices = [p for p in model.parameters() if id(p) in blocks]
    rest = [p for p in model.parameters() if id(p) not in blocks]
    return [
        Muon(matrices, weight_decay=config.weight_decay),
        torch.optim.AdamW(rest, betas=(0.9, 0.95), weight_decay=config.weight_decay),
    ]


def _loader(world: World, config: TrainConfig, first: int, last: int, accelerator: Any) -> Any:
    """Batches from example `first` on; each process takes its share of every batch."""
    loader = DataLoader(
        Examples(world, config.seed, first, last),
        batch_size=config.batch,
        num_workers=config.workers,
        drop_last=True,
        prefetch_factor=4 if config.workers else None,
        multiprocessing_context="spawn" if config.workers else None,
    )
    return accelerator.prepare(loader)


def _losses(
    model: Any, batch: dict[str, torch.Tensor], config: TrainConfig, done: int, accelerator: Any
) -> dict[str, torch.Tensor]:
    """Weighted error of the predicted clean pictures and sound."""
    video = batch["video"].permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    audio, given = batch["audio"], batch["given"]
    # The noise depends on (seed, progress, process) alone, drawn on the CPU on every device.
    word = (config.seed * 1_000_003 + done) * 64 + accelerator.process_index
    generator = torch.Generator().manual_seed(word)
    sigma = torch.sigmoid(0.8 + torch.randn(len(video), generator=generator))
    pure = torch.rand(len(video), generator=generator) < config.pure_noise
    sigma = torch.where(pure, 1.0, sigma).to(video.device)
    noise = torch.randn(video.shape, generator=generator).to(video)
    audio_noise = torch.randn(audio.shape, generator=generator).to(audio)
    s = sigma[:, None, None, None, None]
    held = given[:, :, None, None, None]
    noised = torch.where(held, video, (1 - s) * video + s * noise)
    audio_noised = (1 - s[..., 0, 0]) * audio + s[..., 0, 0] * audio_noise
    with accelerator.autocast():
        velocity, audio_velocity = model(
            noised,
            audio_noised,
            sigma * 1000,
            batch["words"],
            given,
            batch["frame_ids"],
            return_dict=False,
        )
    clean = noised - s * velocity.float()
    audio_clean = audio_noised - s[..., 0, 0] * audio_velocity.float()
    # Small noise hides little, so its error counts more, as in the velocity loss, up to 4 times.
    level = (1 / s.square()).clamp_max(4)
    error = level * (clean - video).square() * ~held
    change = ((video - video[:, :1]).abs().amax(2, keepdim=True) > 0.1) & ~held
    # Averaged over the example's own change: a digit counts as much as a whole path does.
    area = change.sum((1, 2, 3, 4)).clamp_min(0.003 * change[0].numel())
    changed = (error.mean(2, keepdim=True) * change).sum((1, 2, 3, 4)) / area
    picture = error.mean() + config.change_weight * changed.mean()
    sound = (level[..., 0, 0] * (audio_clean - audio).square()).mean()
    return {"loss": picture + config.sound_weight * sound, "picture": picture, "sound": sound}


@torch.no_grad()
def _update(
    average: dict[str, torch.Tensor], model: torch.nn.Module, decay: float, step: float
) -> None:
    """Moving average of the weights; the decay warms up so that early averages aren't stale."""
    decay = min(decay, (1 + step) / (10 + step))
    for name, value in model.state_dict().items():
        average[name].lerp_(value, 1 - decay)


def _crossed(before: int, after: int, every: int) -> bool:
    return before // every != after // every


def _exam(
    model: EmberTransformer, average: dict[str, torch.Tensor], world: World, config: TrainConfig
) -> dict:
    """Accuracy of the averaged weights on fresh instances of both splits."""
    own = {k: v.clone() for k, v in model.state_dict().items()}
    model.load_state_dict(average)
    try:
        return examine(model, world, config.exam_clips)
    finally:
        model.load_state_dict(own)


def _export(
    model: EmberTransformer, average: dict[str, torch.Tensor], directory: Path, samples: int
) -> None:
    """Write the averaged weights as a loadable pipeline, bfloat16."""
    from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

    from phosphene.ember.pipeline import EmberPipeline

    twin: Any = EmberTransformer.from_config(model.config)
    twin.load_state_dict({k: v.cpu() for k, v in average.items()})
    pipeline = EmberPipeline(twin.bfloat16(), FlowMatchEulerDiscreteScheduler())
    pipeline.save_pretrained(directory)
    (directory / "training.json").write_text(json.dumps({"samples": samples}) + "\n")


class _Log:
    """Append-only log; on resume it forgets what lies past the checkpoint, which is made again."""

    def __init__(
        self, path: Path, done: int, on_event: Callable[[dict], None], writes: bool
    ) -> None:
        self.path, self.on_event, self.writes = path, on_event, writes
        self.sums: dict[str, float] = {}
        self.count, self.since, self.last = 0, time.perf_counter(), done
        if writes and path.exists():
            # Complete lines only: a kill may have cut the last one short.
            lines = [line.decode() for _, line in Journal(path, path.with_suffix(".lock")).read()]
            kept = [line for line in lines if json.loads(line)["samples"] <= done]
            write_text("".join(line.rstrip("\n") + "\n" for line in kept), path)

    def step(self, done: int, lr: float, losses: dict[str, torch.Tensor]) -> None:
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + float(value.detach())
        self.count += 1
        if self.count == 10:
            means = {k: round(v / self.count, 6) for k, v in self.sums.items()}
            now = time.perf_counter()
            speed = round((done - self.last) / (now - self.since), 2)
            self.write({"samples": done, "lr": lr, **means, "samples_per_s": speed})
            self.sums, self.count, self.since, self.last = {}, 0, now, done

    def write(self, record: dict) -> None:
        if self.writes:
            with self.path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            self.on_event(record)
