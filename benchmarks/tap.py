"""What reading a running model costs, in one process, bare and tapped runs in turns.

    python benchmarks/tap.py [--pairs 31]
    python benchmarks/tap.py --memory

Prints, for Ember and for a Wan of random weights (8 layers of width 256, 5 latent frames, 320
tokens), the ratio of tapped to bare seconds of one call of the pipeline, as median and range over
the pairs; after a first call of each kind, whose extra cost (finding which token is which) is
printed by itself. On the CPU seconds are the process's own, which other processes disturb least.

With --memory: the most memory that a run of 50 steps and 40 layers takes beyond the bare run, by
what is kept of each block; each in a process of its own.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from statistics import median
from typing import Any

import torch
from diffusers import FlowMatchEulerDiscreteScheduler, WanPipeline, WanTransformer3DModel

from phosphene.tap import FrameMass, Frames, Keep, Read, Spill, Tap

Work = Callable[[], object]
WAYS: dict[str, tuple[float | None, Sequence[Read]]] = {
    "bare, again": (None, ()),
    "all blocks, frame means": (1.05, [Read("residual", Frames())]),
    "x0": (1.03, [Read("x0")]),
    "exact attention between frames": (1.5, [Read("map", FrameMass())]),
    "attention between frames, 4 queries a frame": (None, [Read("map", FrameMass(sampled=4))]),
}


def say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


def seconds(work: Work) -> float:
    clock = time.perf_counter if torch.cuda.is_available() else time.process_time
    start = clock()
    work()
    if torch.cuda.is_available():
        torch.cuda.synchronize()
    return clock() - start


def ember(device: str) -> tuple[Any, Work]:
    from phosphene import open_backbone

    pipeline = open_backbone("ember").pipeline.to(device)  # type: ignore[attr-defined]
    pipeline.set_progress_bar_config(disable=True)
    call = {"prompt": "1 + 2", "output_type": "latent"}
    return pipeline, lambda: pipeline(**call, generator=torch.Generator().manual_seed(0))


def wan(device: str, layers: int, heads: int, side: int, steps: int) -> tuple[Any, Work]:
    """A Wan of random weights on 5 latent frames of `side` x `side` patches, fed with made-up words
    and no picture decoder: what is timed is the denoiser."""
    torch.manual_seed(0)
    transformer = WanTransformer3DModel(
        num_attention_heads=heads,
        attention_head_dim=32,
        text_dim=64,
        freq_dim=64,
        ffn_dim=128 * heads,
        num_layers=layers,
        rope_max_seq_len=64,
    )
    scheduler = FlowMatchEulerDiscreteScheduler(shift=3.0)
    nothing: Any = None
    pipeline: Any = WanPipeline(
        tokenizer=nothing,
        text_encoder=nothing,
        vae=nothing,
        scheduler=scheduler,
        transformer=transformer,
    ).to(device)
    pipeline.set_progress_bar_config(disable=True)
    words = torch.randn(1, 32, 64, device=device)
    call = {
        "prompt_embeds": words,
        "height": 16 * side,
        "width": 16 * side,
        "num_frames": 17,
        "num_inference_steps": steps,
        "guidance_scale": 1.0,
        "output_type": "latent",
    }
    return pipeline, lambda: pipeline(**call, generator=torch.Generator().manual_seed(0))


def compare(name: str, pipeline: Any, call: Work, pairs: int) -> None:
    def tapped(reads: Sequence[Read]) -> None:
        with Tap(pipeline, reads):
            call()

    call()
    bare = median(seconds(call) for _ in range(3))
    say(f"{name}: a bare call takes {bare:.3f} s")
    for way, (bound, reads) in WAYS.items():
        first = seconds(lambda reads=reads: tapped(reads)) - bare
        ratios = []
        for i in range(pairs):
            # Whichever comes second finds warmer caches, so they change places.
            works = [call, lambda reads=reads: tapped(reads)]
            times = {j: seconds(works[j]) for j in ((0, 1) if i % 2 else (1, 0))}
            ratios.append(times[1] / times[0])
        limit = f", wanted at most {bound}" if bound else ""
        say(
            f"  {way}: {median(ratios):.3f} [{min(ratios):.3f}, {max(ratios):.3f}] of the bare "
            f"call, n = {pairs} pairs{limit}; first call {first:+.3f} s"
        )


def peak(way: str) -> None:
    """Print the most memory of this process, in MB, after one run that keeps things `way`."""
    pipeline, call = wan("cpu", layers=40, heads=1, side=8, steps=50)
    with tempfile.TemporaryDirectory() as folder:
        reads = {
            "bare": [],
            "Frames": [Read("residual", Frames())],
            "Keep": [Read("residual", Keep())],
            "Spill of Keep": [Read("residual", Spill(Path(folder), Keep()))],
            "FrameMass": [Read("map", FrameMass())],
        }[way]
        with Tap(pipeline, reads) as tap:
            call()
        kept = sum(v.numel() * v.element_size() for v in tap.values.values()) / 1e6
    most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3
    say(f"{most:.0f} {kept:.1f}")


def memory() -> None:
    base = None
    for way in ("bare", "Frames", "FrameMass", "Spill of Keep", "Keep"):
        command = [sys.executable, __file__, "--peak", way]
        told = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        most, kept = map(float, told.split()[-2:])
        base = base or most
        say(f"{way}: peak {most:.0f} MB, {most - base:+.0f} MB; values kept: {kept:.1f} MB")


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--pairs", type=int, default=31)
    parser.add_argument("--memory", action="store_true")
    parser.add_argument("--peak", help=argparse.SUPPRESS)
    told = parser.parse_args()
    torch.set_num_threads(1)
    if told.peak:
        peak(told.peak)
        return
    if told.memory:
        memory()
        return
    device = "cuda" if torch.cuda.is_available() else "cpu"
    compare("Ember", *ember(device), told.pairs)
    compare("Wan, 8 layers of 256", *wan(device, 8, 8, 8, 4), told.pairs)


if __name__ == "__main__":
    main()
