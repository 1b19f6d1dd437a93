"""What a latent space would cost Ember: oracle clips through the best linear code of their patches.

    OMP_NUM_THREADS=1 python benchmarks/latents.py

A latent generator can draw no better than its autoencoder. Principal components of 8x8 patches are
the best linear code there is of so many numbers a patch (Eckart and Young, 1936), fitted here on
the training split of all families together; then solutions of the test split, which all pass as
they are, are coded, decoded and judged. An autoencoder that is not linear may do better.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from typing import Any

import numpy as np
from einops import rearrange

from phosphene.statistics import wilson
from phosphene.suite import make_task
from phosphene.task import Canvas, Task

FAMILIES: dict[str, dict[str, Any]] = {
    "equations": {"largest": 9, "variety": 0.0},
    "worked_equations": {"largest": 9, "variety": 0.0},
    "counting": {"most": 9, "others": 0, "variety": 0.0},
    "symmetry": {"cells": 4, "colours": 1, "axes": "vh", "variety": 0.0},
    "maze": {"smallest": 3, "largest": 7, "variety": 0.0},
    "bounce": {"variety": 0.0},
}
PATCH, SIZE = 8, 64


def patches(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 `(n, s, s, 3)` to rows `(patches, 192)` in -1..1."""
    pixels = frames.astype(np.float32) / 127.5 - 1
    return rearrange(pixels, "n (h p) (w q) c -> (n h w) (p q c)", p=PATCH, q=PATCH)


def pictures(rows: np.ndarray) -> np.ndarray:
    side = SIZE // PATCH
    pixels = rearrange(
        rows, "(n h w) (p q c) -> n (h p) (w q) c", h=side, w=side, p=PATCH, q=PATCH, c=3
    )
    return np.rint((pixels + 1) * 127.5).clip(0, 255).astype(np.uint8)


def coded(frames: np.ndarray, mean: np.ndarray, basis: np.ndarray) -> np.ndarray:
    """Frames as `basis` `(k, 192)` can draw them."""
    rows = patches(frames) - mean
    return pictures(rows @ basis.T @ basis + mean)


def passed(task: Task, clips: int, mean: np.ndarray, basis: np.ndarray) -> int:
    """Of so many solutions of the test split, how many pass after the code; the first frame, which
    is given, stays."""
    found = 0
    for seed in range(clips):
        problem = task.sample(seed, "test")
        clip: Any = task.solve(problem, Canvas())
        frames = np.concatenate([clip.frames[:1], coded(clip.frames[1:], mean, basis)])
        found += task.score(problem, replace(clip, frames=frames)).passed
    return found


def say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--clips", type=int, default=50, help="solutions judged a family")
    parser.add_argument("--numbers", type=int, nargs="+", default=[4, 8, 16, 32, 64, 192])
    options = parser.parse_args()
    dealt = {name: make_task(name, fields) for name, fields in FAMILIES.items()}
    solved: list[Any] = [
        t.solve(t.sample(i, "train"), Canvas()) for t in dealt.values() for i in range(100)
    ]
    rows = patches(np.concatenate([clip.frames for clip in solved]))
    mean = rows.mean(0)
    basis = np.linalg.eigh(np.cov(rows.T))[1][:, ::-1].T.astype(np.float32)
    say(f"solutions that pass after k numbers a patch of {PATCH}x{PATCH}, n = {options.clips}")
    for name, task in dealt.items():
        for k in options.numbers:
            found = passed(task, options.clips, mean, basis[:k])
            say(f"{name:18} k = {k:3}  {wilson(found, options.clips)}")


if __name__ == "__main__":
    main()
