"""Tracking: the log of a training run, resumable, and what is told while it runs."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import torch

from phosphene.ember.plots import write_plots
from phosphene.journal import Journal
from phosphene.media.disk import write_text

EVERY = 10  # steps a line


class Log:
    """Append-only log; on resume it forgets what lies past the checkpoint, which is made again.

    Args:
        directory: the run's; holds `log.jsonl` and `progress.html`.
        done: examples behind the checkpoint.
        ends: the examples after which the stages end.
        on_event: is handed each record, loss lines with the seconds left under `eta_s`.
        writes: whether this process writes; others say nothing.
        flops: of one example, and `peak` those the devices could do in a second, for the share
            of the peak that is used (MFU).
    """

    def __init__(
        self,
        directory: Path,
        done: int,
        ends: Sequence[int],
        on_event: Callable[[dict], None],
        writes: bool,
        flops: Callable[[int], float],
        peak: float,
    ) -> None:
        self.directory, self.path = directory, directory / "log.jsonl"
        self.ends, self.on_event, self.writes = ends, on_event, writes
        self.flops, self.peak = flops, peak
        self.sums: dict[str, torch.Tensor] = {}
        self.count, self.last, self.pause = 0, done, 0.0
        self.since = time.perf_counter()
        if writes and self.path.exists():
            kept = [r for r in read_log(self.path) if r["samples"] <= done]
            write_text("".join(json.dumps(r) + "\n" for r in kept), self.path)

    def step(
        self,
        done: int,
        lr: float,
        frames: int,
        losses: Mapping[str, torch.Tensor],
        mean: Callable[[torch.Tensor], torch.Tensor],
    ) -> None:
        """Count a step in; every tenth writes a line.

        Args:
            done: examples so far.
            lr: the step's learning rate.
            frames: in each of its examples.
            losses: this process's.
            mean: takes the mean over processes.
        """
        for name, value in losses.items():
            self.sums[name] = self.sums.get(name, 0.0) + value.detach().double()
        self.count += 1
        if self.count < EVERY:
            return
        means = {k: round(float(mean(v / self.count)), 6) for k, v in self.sums.items()}
        now = time.perf_counter()
        speed = (done - self.last) / (now - self.since)
        record = {
            "samples": done,
            "lr": lr,
            **means,
            "samples_per_s": round(speed, 2),
            "mfu": round(speed * self.flops(frames) / self.peak, 4),
        }
        self.write(record, eta_s=round((self.ends[-1] - done) / speed))
        self.sums, self.count, self.last, self.since = {}, 0, done, time.perf_counter()

    def write(self, record: dict[str, Any], **told: Any) -> None:
        """Keep a record; tell it, with `told` beside it."""
        if self.writes:
            with self.path.open("a") as file:
                file.write(json.dumps(record) + "\n")
            self.on_event({**record, **told})

    def plot(self) -> None:
        """Draw `progress.html` anew. The time it takes, and exams take, is no training time."""
        if self.writes:
            write_plots(self.directory / "progress.html", read_log(self.path), self.ends)

    def resume_clock(self, began: float) -> None:
        """Forget the time since `began` (`time.perf_counter`): it went into something else."""
        self.since += time.perf_counter() - began


def read_log(path: Path) -> list[dict[str, Any]]:
    """A log's records; complete lines only, for a kill may have cut the last one short."""
    return [json.loads(line) for _, line in Journal(path, path.with_suffix(".lock")).read()]
