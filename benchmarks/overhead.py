"""What `phosphene.generate` costs beside the bare diffusers call, in one process, run in turns.

    python benchmarks/overhead.py [--family stable_diffusion] [--batch 8] [--steps 20] [--pairs 7]

Prints the ratio of seconds a sample (Phosphene / bare) as median and range over the pairs, once
for clips in memory and once for clips kept in a run directory, and the ratio of one-at-a-time bare
calls to Phosphene's batches.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median

import torch

from phosphene import generate, open_backbone
from phosphene.testing import tiny


def seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--family", default="stable_diffusion", choices=tiny.families())
    parser.add_argument("--batch", type=int, default=8)
    parser.add_argument("--steps", type=int, default=20)
    parser.add_argument("--pairs", type=int, default=7)
    told = parser.parse_args()
    torch.manual_seed(0)
    with tempfile.TemporaryDirectory() as folder:
        backbone = open_backbone(str(tiny.save(told.family, Path(folder) / "model")))
        pipeline = backbone.pipeline  # type: ignore[attr-defined]
        call = {**tiny.example(told.family), "num_inference_steps": told.steps}
        prompt = call.pop("prompt")
        names = {"num_inference_steps": "steps", "num_frames": "frames"}
        asked = {names[k]: v for k, v in call.items() if k in names}
        asked["size"] = (call["width"], call["height"])
        told_apart = {*names, "width", "height"}
        asked["extra"] = {k: v for k, v in call.items() if k not in told_apart}

        def bare(n: int) -> None:
            generators = [torch.Generator().manual_seed(i) for i in range(n)]
            pipeline(prompt=[prompt] * n, generator=generators, output_type="np", **call)

        def one_by_one() -> None:
            for _ in range(told.batch):
                bare(1)

        turn = iter(range(10**6))

        def ours(keep: bool) -> None:
            # A fresh seed each time: what a run directory holds already isn't made again.
            seed = next(turn)
            out = Path(folder) / f"run{seed}" if keep else None
            generate(
                prompt,
                backbone=backbone,
                count=told.batch,
                batch=told.batch,
                seed=seed,
                out=out,
                **asked,
            )

        bare(told.batch), ours(False)
        memory, kept, single = [], [], []
        for _ in range(told.pairs):
            base = seconds(lambda: bare(told.batch))
            memory.append(seconds(lambda: ours(False)) / base)
            kept.append(seconds(lambda: ours(True)) / base)
            single.append(seconds(one_by_one) / seconds(lambda: ours(False)))
    for name, ratios in (
        ("in memory / bare batch", memory),
        ("kept in a run / bare batch", kept),
        ("one at a time / in memory", single),
    ):
        sys.stdout.write(
            f"{name}: {median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}], "
            f"n = {len(ratios)} pairs of {told.batch} {told.family} samples, {told.steps} steps\n"
        )


if __name__ == "__main__":
    main()
