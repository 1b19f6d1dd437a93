"""Data: a stage's examples in batches, drawn as they are asked for or read from shards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import torch

from phosphene.ember.world import World


class Source(Protocol):
    """A stage's examples by number, counted over the whole run."""

    def example(self, index: int) -> dict[str, np.ndarray]: ...


@dataclass
class Drawn:
    """Examples drawn when they are asked for.

    Args:
        world: what is shown.
        seed: of the run.
        begin, end: the stage's first example and the one after its last.
    """

    world: World
    seed: int
    begin: int
    end: int

    def __post_init__(self) -> None:
        self._dealt = [self.world.tasks(level) for level in range(self.world.levels)]

    def example(self, index: int) -> dict[str, np.ndarray]:
        level = (index - self.begin) * self.world.levels // (self.end - self.begin)
        return self.world.example(self.seed, index, self._dealt[level])


class Batches(torch.utils.data.Dataset):
    """Batches of neighbouring examples; each holds its examples' numbers under `index` too."""

    def __init__(self, source: Source, starts: range, size: int) -> None:
        self.source, self.starts, self.size = source, starts, size

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        indices = range(self.starts[i], self.starts[i] + self.size)
        examples = [self.source.example(k) for k in indices]
        batch = {
            name: torch.from_numpy(np.stack([e[name] for e in examples])) for name in examples[0]
        }
        return {**batch, "index": torch.arange(indices.start, indices.stop)}


def batches(
    source: Source, starts: range, size: int, workers: int, device: torch.device
) -> Iterator[dict[str, torch.Tensor]]:
    """Batches in order, on `device`.

    Args:
        source: of the examples.
        starts: the first example of each batch.
        size: examples in a batch.
        workers: processes that make them ready; 0 for this one.
    """
    settings: dict[str, Any] = {}
    if workers:
        # Forking a process that has threads may hang it.
        settings = {"prefetch_factor": 4, "multiprocessing_context": "spawn"}
    loader = torch.utils.data.DataLoader(
        Batches(source, starts, size),
        batch_size=None,
        num_workers=workers,
        pin_memory=device.type == "cuda",
        worker_init_fn=_calm if workers else None,
        **settings,
    )
    for batch in loader:
        yield {name: value.to(device, non_blocking=True) for name, value in batch.items()}


def _calm(worker: int) -> None:
    """Workers share the machine: one thread each."""
    torch.set_num_threads(1)
