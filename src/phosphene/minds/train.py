"""Train a mind: the multi-stage curriculum of continuous thought, and its twins."""

from __future__ import annotations

import copy
import json
import time
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.config import build
from phosphene.ember import checkpoint
from phosphene.errors import PhospheneError
from phosphene.journal import Journal
from phosphene.media.disk import write_text
from phosphene.minds.lesson import dealt, lesson, loss
from phosphene.minds.mind import Manner, Mind
from phosphene.minds.newborn import newborn
from phosphene.minds.settings import MindConfig
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.task import TextTask, text_tasks

EVERY = 20  # steps a line of the log


def train_mind(config: MindConfig, on_event: Callable[[dict], None] = lambda event: None) -> Path:
    """Run or go on with a training run; returns the directory of the exported mind.

    Problems and their order depend on (seed, step) alone, so a run that was killed and resumed has
    the loss curve of one that never stopped.

    Args:
        config: what to train.
        on_event: is handed each record of the log: loss lines and exam results.

    Raises:
        PhospheneError: no such task, field or base; a checkpoint of another run.
    """
    return _Run(config, on_event).through()


class _Run:
    """Model, optimiser and log of one run."""

    def __init__(self, config: MindConfig, on_event: Callable[[dict], None]) -> None:
        self.config, self.on_event = config, on_event
        self.task: TextTask = build(text_tasks.get(config.task), config.fields, "fields")
        self.mind = newborn(config, self.task)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.mind.model.to(self.device)
        self.optimiser = self._optimiser()
        self.ends = list(accumulate(steps for _, steps in config.plan))
        config.out.mkdir(parents=True, exist_ok=True)
        self.saved = config.out / "checkpoint.safetensors"
        self.step, self.sums, self.since, self.counted = 0, 0.0, time.perf_counter(), 0
        if self.saved.exists():
            self._restore()
        self.log = config.out / "log.jsonl"
        self._trim()
        self.journal = Journal(self.log, config.out / ".lock")

    def through(self) -> Path:
        """All stages, from where the run stands."""
        begin = 0
        for (stage, _), end in zip(self.config.plan, self.ends, strict=True):
            if self.config.restart and self.step == begin:
                self.optimiser = self._optimiser()
            while self.step < end:
                self._learn(stage, begin)
            begin = end
        return self.config.out / "mind"

    def _learn(self, stage: int, begin: int) -> None:
        config = self.config
        shown_stage = self._stage(stage)
        problems = dealt(self.task, config.seed, self.step, config.batch)
        shown = lesson(self.mind, problems, config.way, shown_stage, config.per_step)
        for group in self.optimiser.param_groups:
            group["lr"] = self._rate(begin)
        self.mind.model.train()
        with torch.autocast("cuda", torch.bfloat16, enabled=self.device.type == "cuda"):
            found = loss(self.mind, shown, config.way)
        found.backward()
        torch.nn.utils.clip_grad_norm_(self.mind.model.parameters(), 1.0)
        self.optimiser.step()
        self.optimiser.zero_grad()
        self.step += 1
        self._tell(float(found.detach()), stage)

    def _stage(self, stage: int) -> int:
        """The stage itself, or now and then an earlier one."""
        rng = np.random.default_rng([self.config.seed, self.step])
        rehearse = stage and self.config.curriculum and rng.random() < self.config.mixed
        return int(rng.integers(stage)) if rehearse else stage

    def _rate(self, begin: int) -> float:
        config = self.config
        risen = min(1.0, (self.step - begin + 1) / max(1, config.warmup))
        last = self.ends[-2] if len(self.ends) > 1 else 0
        fallen = max(0, self.step - last) / max(1, self.ends[-1] - last)
        return config.lr * risen * (1 - 0.9 * fallen)

    def _optimiser(self) -> torch.optim.Optimizer:
        return torch.optim.AdamW(
            self.mind.model.parameters(), betas=(0.9, 0.95), weight_decay=self.config.weight_decay
        )

    def _tell(self, value: float, stage: int) -> None:
        """A line every so often; exams, checkpoints and exports that are due."""
        config, done = self.config, self.step * self.config.batch
        self.sums, self.counted = self.sums + value, self.counted + 1
        if self.step % EVERY == 0:
            now = time.perf_counter()
            speed = self.counted * config.batch / (now - self.since)
            left = (self.ends[-1] - self.step) * config.batch / speed
            self._write(
                {
                    "samples": done,
                    "stage": stage,
                    "loss": round(self.sums / self.counted, 6),
                    "samples_per_s": round(speed, 1),
                    "eta_s": round(left),
                }
            )
            self.sums, self.counted, self.since = 0.0, 0, now
        last = self.step in self.ends
        if config.exam_items and (self._due(config.exam_every) or last):
            self._write({"samples": done, "stage": stage, "exam": self._exam(stage)})
        if self._due(config.checkpoint_every) or last:
            progress = {"step": self.step, "sums": self.sums, "counted": self.counted}
            progress["about"] = self._about
            checkpoint.save(self.saved, self.mind.model, {}, [self.optimiser], progress)
            self._export()

    def _due(self, every: int) -> bool:
        return self.step % max(1, every // self.config.batch) == 0

    def _exam(self, stage: int) -> dict[str, Any]:
        """Share of held-out problems answered rightly, with as many thoughts as the stage has."""
        config, mind = self.config, self.mind
        count = stage * config.per_step
        mind.model.eval()
        taught = Manner(**{**vars(mind.manner), "thoughts": count})
        asked = Mind(mind.model, mind.tokenizer, taught, mind.id, mind.processor)
        setup = MindSetup(items=config.exam_items, split="test", batch=128)
        found = MindSubject(asked, setup).accuracy()
        return {"right": found.share, "low": found.low, "high": found.high, "n": found.n}

    @property
    def _about(self) -> dict[str, Any]:
        """What a checkpoint is one of."""
        names = ("task", "fields", "way", "curriculum", "per_step", "base", "family", "model")
        told = {n: getattr(self.config, n) for n in (*names, "batch", "seed")}
        return json.loads(json.dumps(told))

    def _restore(self) -> None:
        """Weights and progress; the optimiser's state is read into one that has made no step."""
        held = checkpoint.read_progress(self.saved)["about"]
        other = [name for name, value in self._about.items() if held.get(name) != value]
        if other:
            name = other[0]
            raise PhospheneError(
                f"{self.saved} is of another run: {name} is {held.get(name)!r} there, "
                f"{self._about[name]!r} here; choose another out"
            )
        progress = checkpoint.restore(self.saved, self.mind.model, {}, [self.optimiser])
        self.step = progress["step"]
        self.sums, self.counted = progress["sums"], progress["counted"]

    def _trim(self) -> None:
        """Forget what lies past the checkpoint: it is made again."""
        if self.log.exists():
            lines = self.log.read_text().splitlines(keepends=True)
            done = self.step * self.config.batch
            write_text("".join(x for x in lines if json.loads(x)["samples"] <= done), self.log)

    def _write(self, record: dict[str, Any]) -> None:
        self.journal.append(json.dumps(record).encode())
        self.on_event(record)

    def _export(self) -> None:
        """The mind as a directory that `phosphene think --backbone DIR` opens, float16."""
        from transformers.utils import logging

        directory = self.config.out / "mind"
        logging.disable_progress_bar()
        copy.deepcopy(self.mind.model).cpu().half().save_pretrained(directory)
        (self.mind.processor or self.mind.tokenizer).save_pretrained(directory)
        self.mind.manner.save(directory)
        record = {"samples": self.step * self.config.batch, "seed": self.config.seed}
        (directory / "training.json").write_text(json.dumps(record) + "\n")
