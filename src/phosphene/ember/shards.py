"""Shards: clips drawn beforehand, so that a fast device never waits for them.

A folder holds one folder for each distinct world, and that one safetensors files of some
clips each: frames uint8 `(n, f, h, w, 3)`, sound float16 `(n, f, rows)`, words int32 `(n, wordings,
length)` and family int32 `(n,)`. Clip i depends on (world, seed, i) alone.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from functools import cache, cached_property, lru_cache
from multiprocessing import get_context, parent_process
from pathlib import Path
from threading import Thread
from typing import Any

import numpy as np

from phosphene.ember.world import World
from phosphene.errors import PhospheneError
from phosphene.journal import locked
from phosphene.media.disk import write_text


@dataclass(frozen=True)
class Shelf:
    """Where the clips of one world lie, and how many there are.

    Args:
        root: the folder of all worlds.
        world: what is drawn.
        seed: of the clips.
        clips: how many.
        per_shard: clips in a file.
    """

    root: Path
    world: World
    seed: int
    clips: int
    per_shard: int = 1024

    @cached_property
    def folder(self) -> Path:
        return self.root / f"{self.world.digest()}-{self.seed}"

    @property
    def count(self) -> int:
        return -(-self.clips // self.per_shard)

    @property
    def layout(self) -> dict[str, int]:
        """What a reader must know of the files."""
        return {"clips": self.clips, "per_shard": self.per_shard}

    def path(self, shard: int) -> Path:
        return self.folder / f"{shard:06d}-of-{self.clips}.safetensors"

    def missing(self) -> list[int]:
        """The shards yet to be drawn."""
        return [k for k in range(self.count) if not self.path(k).exists()]

    def size(self, shard: int) -> int:
        """How many clips a shard has: all as many, but for the last."""
        return min(self.per_shard, self.clips - shard * self.per_shard)

    @property
    def there(self) -> int:
        """How many clips are drawn."""
        return self.clips - sum(self.size(k) for k in self.missing())


def write_shards(shelf: Shelf, workers: int, on_shard: Callable[[int, int], None]) -> None:
    """Draw the clips that are missing; whole files only, so a kill costs a shard at most.

    Args:
        shelf: what to draw, and where to.
        workers: processes.
        on_shard: is handed (clips there, clips in all) after each shard.

    Raises:
        PhospheneError: the folder holds another number of clips, or too few are asked for.
    """
    if shelf.clips < shelf.world.levels:
        raise PhospheneError(f"shards want {shelf.world.levels} clips or more; got {shelf.clips}")
    other = _layout(shelf.folder)
    if other not in (None, shelf.layout):
        raise PhospheneError(
            f"{shelf.folder} holds a set of {other['clips']} clips; ask for as many or delete it"
        )
    shelf.folder.mkdir(parents=True, exist_ok=True)
    with locked(shelf.folder / "lock"):
        for left in shelf.folder.glob("*.partial"):
            left.unlink()
        write_text(json.dumps(shelf.layout), shelf.folder / "set.json")
        _write(shelf, workers, on_shard)


def _write(shelf: Shelf, workers: int, on_shard: Callable[[int, int], None]) -> None:
    if workers <= 1:
        for shard in shelf.missing():
            _draw(shelf, shard)
            on_shard(shelf.there, shelf.clips)
        return
    with ProcessPoolExecutor(workers, get_context("spawn"), _follow_parent) as pool:
        for drawn in as_completed([pool.submit(_draw, shelf, k) for k in shelf.missing()]):
            drawn.result()
            on_shard(shelf.there, shelf.clips)


def _follow_parent() -> None:
    """A worker ends with the process that started it, even where that one is killed outright."""
    parent = parent_process()
    assert parent is not None
    Thread(target=lambda: (parent.join(), os._exit(1)), daemon=True).start()


def _draw(shelf: Shelf, shard: int) -> None:
    """Write one shard."""
    import torch
    from safetensors.numpy import save_file

    torch.set_num_threads(1)
    first = shard * shelf.per_shard
    levels = shelf.world.levels
    dealt = [shelf.world.tasks(level) for level in range(levels)]
    clips = [
        shelf.world.clip(shelf.seed, i, dealt[i * levels // shelf.clips])
        for i in range(first, first + shelf.size(shard))
    ]
    whole = {name: np.stack([clip[name] for clip in clips]) for name in clips[0]}
    whole["sound"] = whole["sound"].astype(np.float16)
    whole["family"] = whole["family"].astype(np.int32)
    partial = shelf.path(shard).with_suffix(f".{os.getpid()}.partial")
    save_file(whole, partial)
    os.replace(partial, shelf.path(shard))


class Shards:
    """A stage's examples, read from shards: they depend on (world, seed, index) alone.

    Where fields move over the stage the clips do so in steps, and an example comes from its own
    step; within a step, clips are dealt in a new random order each time round.

    Args:
        root: the folder of all worlds.
        world: what is shown.
        seed: of the run.
        begin, end: the stage's first example and the one after its last.

    Raises:
        PhospheneError: this world's clips aren't there, or not all of them.
    """

    def __init__(self, root: Path, world: World, seed: int, begin: int, end: int) -> None:
        layout = _layout(Shelf(root, world, seed, 0).folder)
        mend = f"make them with `phosphene train shards --config CONFIG --out {root}`"
        if layout is None:
            raise PhospheneError(f"{root} holds no clips of a stage's world; {mend}")
        shelf = Shelf(root, world, seed, **layout)
        gone = len(shelf.missing())
        if gone:
            raise PhospheneError(f"{shelf.folder} lacks {gone} of its shards; {mend}")
        self.world, self.seed, self.begin, self.end = world, seed, begin, end
        # Worked out once: they are asked for at every example.
        self.clips, self.per_shard, self.levels = shelf.clips, shelf.per_shard, world.levels
        self.paths = [shelf.path(k) for k in range(shelf.count)]

    def example(self, index: int) -> dict[str, np.ndarray]:
        shard, row = divmod(self.clip(index), self.per_shard)
        held = _open(self.paths[shard])
        family = list(self.world.families)[held["family"][row]]
        view = self.world.view(self.seed, index, family)
        return view.of(
            held["frames"][row][view.frame_ids],
            held["sound"][row][view.frame_ids].astype(np.float32),
            held["words"][row],
            held["family"][row],
        )

    def clip(self, index: int) -> int:
        """Which clip example number `index` shows."""
        levels, length, clips = self.levels, self.end - self.begin, self.clips
        level = (index - self.begin) * levels // length
        first, last = -(-level * clips // levels), -(-(level + 1) * clips // levels)
        since = index - self.begin + level * length // -levels
        turn, place = divmod(since, last - first)
        return first + int(_order(self.seed, self.begin, level, turn, last - first)[place])


@lru_cache(maxsize=4)
def _order(seed: int, begin: int, level: int, turn: int, clips: int) -> np.ndarray:
    return np.random.default_rng([seed, begin, level, turn]).permutation(clips).astype(np.int32)


def _layout(folder: Path) -> dict[str, int] | None:
    """How a world's folder is meant to be filled; None where there is none."""
    try:
        return json.loads((folder / "set.json").read_text())
    except FileNotFoundError:
        return None


@cache
def _open(path: Path) -> dict[str, np.ndarray]:
    """A safetensors file's arrays, mapped into memory rather than read."""
    kinds: dict[str, Any] = {"U8": np.uint8, "F16": np.float16, "I32": np.int32}
    data = np.memmap(path, np.uint8, "r")
    start = 8 + int(data[:8].view(np.uint64)[0])
    header = json.loads(data[8:start].tobytes())
    out = {}
    for name, entry in header.items():
        if name != "__metadata__":
            low, high = (start + offset for offset in entry["data_offsets"])
            flat = np.asarray(data)[low:high].view(kinds[entry["dtype"]])
            out[name] = flat.reshape(entry["shape"])
    return out
