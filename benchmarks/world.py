"""How fast training examples come: drawn one by one, and read from shards.

    OMP_NUM_THREADS=1 python benchmarks/world.py CONFIG [--clips 64] [--stage 0]

For each family of the stage's world: clips a second on one core, with all frames and with only
those that an example shows. Then the mix as it is dealt, and the same examples read from shards in
a temporary folder. Drawing is timed in processor time, so that other work on the machine counts for
little; the rate of reading is given by the clock too, since it waits for memory.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from dataclasses import replace
from pathlib import Path

import torch

from phosphene.config import build, read_yaml
from phosphene.ember.data import Batches, Drawn
from phosphene.ember.settings import TrainConfig
from phosphene.ember.shards import Shards, Shelf, write_shards
from phosphene.ember.world import World


def say(line: str) -> None:
    sys.stdout.write(line + "\n")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("config", type=Path)
    parser.add_argument("--clips", type=int, default=64)
    parser.add_argument("--stage", type=int, default=0)
    asked = parser.parse_args()
    torch.set_num_threads(1)
    config = build(TrainConfig, read_yaml(asked.config), str(asked.config))
    world = config.stages[asked.stage].world
    say(f"{'family':20} {'all frames':>12} {world.frames:>3} frames   (clips/s, one core)")
    for name, family in world.families.items():
        alone = replace(world, families={name: replace(family, share=1.0)})
        whole = replace(alone, frames=world.canvas.frames)
        say(f"{name:20} {drawn(whole, asked.clips):12.0f} {drawn(alone, asked.clips):10.0f}")
    mixed = replace(world, frames=world.canvas.frames)
    clips = 4 * asked.clips
    say(f"{'the mix':20} {drawn(mixed, clips):12.0f} {drawn(world, clips):10.0f}")
    with tempfile.TemporaryDirectory() as folder:
        shelf = Shelf(Path(folder), world, config.seed, max(1024, clips))
        start = time.process_time()
        write_shards(shelf, 1, lambda there, total: None)
        spent = time.process_time() - start
        size = sum(path.stat().st_size for path in shelf.folder.iterdir()) / shelf.clips
        say(f"writing shards: {shelf.clips / spent:.0f} clips/s, {size / 1e3:.0f} kB a clip")
        for frames in sorted({2, world.frames, world.canvas.frames}):
            shown = replace(world, frames=frames, continued=0.0)
            by_core, by_clock = read(Path(folder), shown, config.seed)
            say(f"reading {frames} frames: {by_core:.0f} examples/s of processor time, "
                f"{by_clock:.0f} by the clock")  # fmt: skip


def drawn(world: World, clips: int) -> float:
    """Examples drawn a second of processor time."""
    source = Drawn(world, 0, 0, clips)
    # The first ones load what a task needs.
    for i in range(min(8, clips)):
        source.example(i)
    start = time.process_time()
    for i in range(clips):
        source.example(i)
    return clips / (time.process_time() - start)


def read(folder: Path, world: World, seed: int, batch: int = 64) -> tuple[float, float]:
    """Examples read a second, in batches: of processor time and by the clock."""
    total = 4096
    ready = Batches(Shards(folder, world, seed, 0, total), range(0, total, batch), batch)
    # Once through, so that the files are in memory, as they are in any but the first round.
    for i in range(len(ready)):
        ready[i]
    core, clock = time.process_time(), time.perf_counter()
    for i in range(len(ready)):
        ready[i]
    return total / (time.process_time() - core), total / (time.perf_counter() - clock)


if __name__ == "__main__":
    main()
