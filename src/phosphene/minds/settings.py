"""Settings of a mind's training: what a file in configs/train may say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.minds.mind import WAYS, Way


@dataclass(frozen=True)
class MindConfig:
    """A training run: one way of thinking, learned stage by stage.

    In stage k the first k worked steps are taken away and k x `per_step` thoughts put in their
    place; the loss is on what remains in words. The last stage has thoughts alone.

    Args:
        out: directory for the checkpoint, the log and the exported weights.
        task: the text task.
        fields: its fields.
        way: thoughts, continuous ones; cot, all steps in words (stage 0 for good); pause, a mark
            without content in the place of each thought; none, no thought and no step.
        curriculum: go through the stages; else all examples go to the last one.
        stages: examples of stage 0, 1, ...; their number less one is the number of steps taken
            away in the end. Twins learn from the same number in all.
        per_step: thoughts in the place of one step.
        mixed: share of the batches that rehearse an earlier stage.
        base: a model to start from, as `phosphene think --backbone` takes it; empty for a fresh
            one of `family`.
        family: model type of a fresh model, as transformers names it; llava for one that sees.
        model: values of the family's configuration; for llava side, patch, layers and width.
        batch: examples a step.
        lr: learning rate, reached after `warmup` steps of each stage; it falls to a tenth by the
            end of the last stage.
        seed: of weights and data.
        restart: forget the optimiser's state between stages.
        checkpoint_every, exam_every: in examples.
        exam_items: held-out problems of an exam; 0 for none.

    References:
        Training Large Language Models to Reason in a Continuous Latent Space (Hao et al., 2024),
        https://arxiv.org/abs/2412.06769, section 3
    """

    out: Path
    task: str
    stages: tuple[int, ...]
    fields: Mapping[str, Any] = field(default_factory=dict)
    way: Way = "thoughts"
    curriculum: bool = True
    per_step: int = 1
    mixed: float = 0.0
    base: str = ""
    family: str = "gpt2"
    model: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 64
    lr: float = 1e-3
    warmup: int = 200
    weight_decay: float = 0.01
    seed: int = 0
    restart: bool = True
    checkpoint_every: int = 12800
    exam_every: int = 12800
    exam_items: int = 256

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise PhospheneError(f"way is one of {', '.join(WAYS)}; got {self.way!r}")
        if not self.stages or min(self.stages) < 0 or not sum(self.stages):
            raise PhospheneError(f"stages wants numbers of examples; got {list(self.stages)}")
        if self.batch < 1 or self.per_step < 1 or not 0 <= self.mixed < 1:
            raise PhospheneError(
                f"batch and per_step must be 1 or more and mixed in 0..1; got {self.batch}, "
                f"{self.per_step}, {self.mixed}"
            )

    @property
    def thoughts(self) -> int:
        """How many thoughts or pauses there are in the end."""
        return (len(self.stages) - 1) * self.per_step if self.way in ("thoughts", "pause") else 0

    @property
    def plan(self) -> list[tuple[int, int]]:
        """Stage and number of steps (batches), in order."""
        whole = sum(self.stages)
        if self.way == "cot":
            parts = [(0, whole)]
        elif self.way == "none" or not self.curriculum:
            parts = [(len(self.stages) - 1, whole)]
        else:
            parts = list(enumerate(self.stages))
        return [(stage, -(-examples // self.batch)) for stage, examples in parts if examples]
