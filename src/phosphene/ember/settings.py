"""Settings of a training run: what a file in configs/train may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene.ember.world import World
from phosphene.errors import PhospheneError

TEXT_LENGTH = 12  # what `EmberTransformer` reads where a config's model doesn't say


@dataclass(frozen=True)
class Stage:
    """One leg of the curriculum.

    Args:
        samples: examples in this leg.
        lr: learning rate at its start; it falls or rises linearly to `lr_end`.
        world: what is shown.
        batch: examples a step, where this leg wants others than the run.
    """

    samples: int
    world: World
    lr: float = 1e-3
    lr_end: float = 1e-3
    batch: int | None = None


@dataclass(frozen=True)
class TrainConfig:
    """A training run. The same values train on a CPU, one GPU or many (through accelerate).

    Args:
        out: directory for the checkpoint, the log, the page of plots and the exported weights.
        stages: the curriculum, in order.
        model: arguments of `EmberTransformer`.
        start: directory of an exported pipeline to go on from where `out` holds no checkpoint yet:
            its weights and its count of examples, with optimisers that begin afresh.
        looks: fewest and most looks, where each step draws its own number between them: what has
            learned to go on looking can be given longer to think. None for the model's own.
        batch: examples a step, on each process.
        seed: of weights, data and noise.
        pure_noise: share of examples trained at full noise, where the answer is decided: there
            the loss is plain regression from what is given.
        own_levels: share of examples whose frames each draw a noise level of their own.
        shift: moves noise levels up, sigma' = shift sigma / (1 + (shift - 1) sigma), in training
            and in the exported scheduler; 1 leaves them.
        change_weight: weight of the mean error over the pixels that differ from the first frame,
            beside that over all pixels.
        sound_weight: weight of the sound's error beside the picture's.
        average: decay of the exponential moving average of the weights.
        bf16: multiply in bfloat16; None where the hardware has instructions for it, which need not
            be faster: compare the peaks that runs of a few steps print with true and with false.
        compile: compile the denoiser, the noise and the loss; pays on a GPU.
        checkpoint_every, exam_every: in examples.
        exam_clips: clips a family and split in each exam; 0 for no exams.
        keep: after how many examples the averaged weights are kept for good, in
            `out/checkpoints/EXAMPLES`.
        shards: folder of clips drawn beforehand; without, they are drawn as they are needed.
        workers: data-loading processes.
    """

    out: Path
    stages: tuple[Stage, ...]
    model: Mapping[str, Any] = field(default_factory=dict)
    start: Path | None = None
    looks: tuple[int, int] | None = None
    batch: int = 32
    seed: int = 0
    pure_noise: float = 0.5
    own_levels: float = 0.0
    shift: float = 1.0
    change_weight: float = 0.3
    sound_weight: float = 5.0
    average: float = 0.998
    weight_decay: float = 0.01
    bf16: bool | None = None
    compile: bool = False
    checkpoint_every: int = 6400
    exam_every: int = 19200
    exam_clips: int = 64
    keep: tuple[int, ...] = ()
    shards: Path | None = None
    workers: int = 1

    def __post_init__(self) -> None:
        if not self.stages:
            raise PhospheneError("train config has no stages; give at least one")
        if self.batch < 1 or not 0 <= self.pure_noise <= 1:
            raise PhospheneError(
                f"train config wants batch >= 1 and pure_noise in 0..1; "
                f"got {self.batch}, {self.pure_noise}"
            )
        if not 0 <= self.own_levels <= 1 or self.shift <= 0:
            raise PhospheneError(
                f"train config wants own_levels in 0..1 and shift > 0; "
                f"got {self.own_levels}, {self.shift}"
            )
        if self.looks and not 0 < self.looks[0] <= self.looks[1]:
            raise PhospheneError(f"looks wants two numbers, 0 < fewest <= most; got {self.looks}")
        reads = self.model.get("text_length", TEXT_LENGTH)
        for i, stage in enumerate(self.stages):
            if stage.world.text_length != reads:
                raise PhospheneError(
                    f"stages.{i}.world.text_length is {stage.world.text_length}, but the model "
                    f"reads {reads} words; make both the same"
                )
