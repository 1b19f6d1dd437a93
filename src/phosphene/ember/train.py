"""Train Ember: flow matching with x-prediction, stage by stage, resumable to the step."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.ember import checkpoint
from phosphene.ember.convolutions import EmberConv
from phosphene.ember.data import Drawn, Source, batches
from phosphene.ember.exam import examine
from phosphene.ember.loss import losses
from phosphene.ember.muon import Muon
from phosphene.ember.network import EmberBlock, EmberTransformer
from phosphene.ember.settings import Stage, TrainConfig
from phosphene.ember.shards import Shards
from phosphene.ember.speed import multiplies_bf16, peak, plain_attention, training_flops
from phosphene.ember.tracking import Log
from phosphene.ember.world import World


def train(config: TrainConfig, on_event: Callable[[dict], None] = lambda event: None) -> Path:
    """Run or go on with a training run; returns the directory of the exported pipeline.

    The data, the noise and the order depend on (seed, example) alone, so a run that was killed and
    resumed has the loss curve of one that never stopped, and two processes that of one process
    with batches twice as large.

    Args:
        config: what to train.
        on_event: is handed each log record: loss lines and exam results.
    """
    # Numbers too small to matter cost a CPU a hundred times what others do.
    torch.set_flush_denormal(True)
    try:
        with plain_attention():
            return _Run(config, on_event).through()
    finally:
        torch.set_flush_denormal(False)


class _Run:
    """Model, average, optimisers and log of one run, on this process's device."""

    def __init__(self, config: TrainConfig, on_event: Callable[[dict], None]) -> None:
        from accelerate import Accelerator
        from accelerate.state import AcceleratorState

        self.config = config
        bf16 = multiplies_bf16() if config.bf16 is None else config.bf16
        # A process may train more than once, in other precisions; accelerate remembers the first.
        AcceleratorState._reset_state()
        self.accelerator = Accelerator(mixed_precision="bf16" if bf16 else "no")
        self.device = self.accelerator.device
        torch.manual_seed(config.seed)
        self.plain = EmberTransformer(**config.model)
        self.optimisers = _optimisers(self.plain, config)
        config.out.mkdir(parents=True, exist_ok=True)
        self.saved = config.out / "checkpoint.safetensors"
        begun = checkpoint.start(config.start, self.plain) if config.start else 0
        self.done = begun
        average = {k: v.clone() for k, v in self.plain.state_dict().items()}
        if self.saved.exists():
            progress = checkpoint.restore(self.saved, self.plain, average, self.optimisers)
            self.done = progress["samples"]
        self.average = {k: v.to(self.device) for k, v in average.items()}
        self.model, *self.wrapped = self.accelerator.prepare(self.plain, *self.optimisers)
        # The noise too: it is hundreds of small operations, one where they are fused.
        self.losses: Any = torch.compile(losses) if config.compile else losses
        self.ends = [begun]
        for stage in config.stages:
            _, per_step = self.sizes(stage)
            self.ends.append(self.ends[-1] + stage.samples // per_step * per_step)
        best, said = peak(self.device, bf16)
        self.log = Log(
            config.out,
            self.done,
            self.ends[1:],
            on_event,
            self.accelerator.is_main_process,
            lambda frames: training_flops(self.plain, frames),
            best * self.accelerator.num_processes,
        )
        if self.accelerator.is_main_process:
            on_event({"samples": self.done, "peak_tflops": best / 1e12, "peak": said})

    def through(self) -> Path:
        """All stages, from where the run stands."""
        for stage, begin, end in zip(self.config.stages, self.ends, self.ends[1:], strict=False):
            if self.done < end:
                self.stage(stage, begin, end)
        return self.config.out / "pipeline"

    def sizes(self, stage: Stage) -> tuple[int, int]:
        """Examples a step, on each process and on all."""
        size = stage.batch or self.config.batch
        return size, size * self.accelerator.num_processes

    def stage(self, stage: Stage, begin: int, end: int) -> None:
        """One stage, from where the run stands to its end."""
        source, (size, per_step) = self.source(stage.world, begin, end), self.sizes(stage)
        first = self.done + self.accelerator.process_index * size
        # A run resumed with other batches may stand at an odd place: whole steps only.
        steps = (end - self.done) // per_step
        starts = range(first, first + steps * per_step, per_step)
        for batch in batches(source, starts, size, self.config.workers, self.device):
            lr = stage.lr + (stage.lr_end - stage.lr) * (self.done - begin) / (end - begin)
            found = self.step(batch, lr)
            before, self.done = self.done, self.done + per_step
            last = self.done + per_step > end
            _follow(self.average, self.plain, self.config.average, self.done / per_step)
            self.log.step(self.done, lr, stage.world.frames, found, self.mean)
            if self.accelerator.is_main_process:
                self.mark(stage.world, before, last)
        self.done = end

    def source(self, world: World, begin: int, end: int) -> Source:
        if self.config.shards is None:
            return Drawn(world, self.config.seed, begin, end)
        return Shards(self.config.shards, world, self.config.seed, begin, end)

    def step(self, batch: dict[str, torch.Tensor], lr: float) -> dict[str, torch.Tensor]:
        for optimiser in self.wrapped:
            for group in optimiser.param_groups:
                group["lr"] = lr
        looks = None
        if self.config.looks:
            fewest, most = self.config.looks
            rng = np.random.default_rng([self.config.seed, self.done])
            looks = int(rng.integers(fewest, most + 1))
        found = self.losses(self.model, batch, self.config, looks)
        self.accelerator.backward(found["loss"])
        self.accelerator.clip_grad_norm_(self.plain.parameters(), 1.0)
        for optimiser in self.wrapped:
            optimiser.step()
            optimiser.zero_grad()
        return found

    def mean(self, value: torch.Tensor) -> torch.Tensor:
        """Over processes."""
        reduced: Any = self.accelerator.reduce(value, "mean")
        return reduced

    def mark(self, world: World, before: int, last: bool) -> None:
        """Exams, checkpoints and kept weights that are due after this step."""
        config, done, began = self.config, self.done, time.perf_counter()
        examined = config.exam_clips and (_crossed(before, done, config.exam_every) or last)
        if examined:
            unseen = [name for name, family in world.families.items() if not family.share]
            found = {"exam": self.exam(world), "clips": config.exam_clips, "unseen": unseen}
            self.log.write({"samples": done, **found})
        for point in config.keep:
            if before < point <= done:
                self.export(config.out / "checkpoints" / str(point))
        saved = _crossed(before, done, config.checkpoint_every) or last
        if saved:
            progress = {"samples": done}
            checkpoint.save(self.saved, self.plain, self.average, self.optimisers, progress)
            self.export(config.out / "pipeline")
        if examined or saved:
            self.log.plot()
        self.log.resume_clock(began)

    def exam(self, world: World) -> dict[str, dict[str, float]]:
        """Accuracy of the averaged weights on fresh instances of both splits."""
        model: Any = self.averaged()
        if self.accelerator.mixed_precision == "bf16":
            model = model.bfloat16()
        return examine(model, world, self.config.exam_clips, shift=self.config.shift)

    def averaged(self) -> EmberTransformer:
        """A copy of the denoiser with the averaged weights, in float32."""
        twin: Any = EmberTransformer.from_config(self.plain.config)
        twin.load_state_dict(self.average)
        return twin.to(self.device)

    def export(self, directory: Path) -> None:
        """Write the averaged weights as a loadable pipeline, bfloat16."""
        from diffusers.schedulers import FlowMatchEulerDiscreteScheduler

        from phosphene.ember.pipeline import EmberPipeline

        scheduler = FlowMatchEulerDiscreteScheduler(shift=self.config.shift)
        # Files that a repository can hold: the largest size comes in several.
        pipeline = EmberPipeline(self.averaged().cpu().bfloat16(), scheduler)
        pipeline.save_pretrained(directory, max_shard_size="15MB")
        (directory / "training.json").write_text(json.dumps({"samples": self.done}) + "\n")


def _optimisers(model: torch.nn.Module, config: TrainConfig) -> list[torch.optim.Optimizer]:
    """Muon for the blocks' matrices and the convolutions between equals, AdamW for the rest."""
    blocks = [m for m in model.modules() if isinstance(m, EmberBlock | EmberConv)]
    hidden = {id(p) for block in blocks for p in block.parameters() if p.ndim > 1}
    matrices = [p for p in model.parameters() if id(p) in hidden]
    rest = [p for p in model.parameters() if id(p) not in hidden]
    return [
        Muon(matrices, weight_decay=config.weight_decay),
        torch.optim.AdamW(rest, betas=(0.9, 0.95), weight_decay=config.weight_decay),
    ]


@torch.no_grad()
def _follow(
    average: dict[str, torch.Tensor], model: torch.nn.Module, decay: float, step: float
) -> None:
    """Moving average of the weights; the decay warms up so that early averages aren't stale."""
    decay = min(decay, (1 + step) / (10 + step))
    now = model.state_dict()
    torch._foreach_lerp_(list(average.values()), [now[k] for k in average], 1 - decay)


def _crossed(before: int, after: int, every: int) -> bool:
    return before // every != after // every
