"""Activations: what a subject holds at every step, layer and frame, pooled when it is seen."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probing.twin import shuffled
from phosphene.request import Request
from phosphene.subject import Observation, Subject
from phosphene.tap import Address, Frames, Read
from phosphene.task import Problem

GROUPS = ("answer", "whole")
_SIDE = 8  # pixels a side to which latents are averaged as a baseline
_WIDEST = 4096


@dataclass(frozen=True, eq=False)
class Activations:
    """Over all items of a subject.

    Args:
        residual: float16 `(items, steps, layers, frames, groups, width)`, groups as in `GROUPS`.
        twin: the same of the network with its weights shuffled.
        x_t, x0: float16 `(items, steps, features)`: the noised sample and the expected one.
        pixels: float32 `(items, features)`: the first frame, averaged to 16x16.
        words: float32 `(items, words)`: how often each word stands in the prompt.
        layers: names of the layers.
        frames: numbers of the latent frames kept.
    """

    residual: np.ndarray
    twin: np.ndarray
    x_t: np.ndarray
    x0: np.ndarray
    pixels: np.ndarray
    words: np.ndarray
    layers: list[int]
    frames: list[int]


def collect(subject: Subject, book: Notebook, frames: int, twin: bool = True) -> Activations:
    """Run every problem once, and once with shuffled weights, and keep what is pooled.

    Args:
        frames: how many latent frames to keep, evenly from the first to the last.
        twin: run the shuffled network too; without, `twin` is empty.

    Raises:
        PhospheneError: the tokens' places aren't known in any layer.
    """
    problems = subject.problems
    kept: list[dict[str, np.ndarray]] = []
    parts = list(batches(problems, subject.batch))
    book.plan(len(parts))
    for i, part in enumerate(parts):
        key = f"activations {frames} {twin} {part[0].seed} {len(part)}"
        kept.append(
            dict(book.arrays(key, lambda p=part: _run(subject, p, frames, twin), f"batch {i + 1}"))
        )
    whole = {name: np.concatenate([k[name] for k in kept]) for name in kept[0] if name[0] != "_"}
    return Activations(
        residual=whole["residual"],
        twin=whole["twin"],
        x_t=whole["x_t"],
        x0=whole["x0"],
        pixels=np.stack([_pixels(subject, p) for p in problems]),
        words=_words([subject.request(p) for p in problems]),
        layers=kept[0]["_layers"].tolist(),
        frames=kept[0]["_frames"].tolist(),
    )


def _run(
    subject: Subject, problems: Sequence[Problem], frames: int, twin: bool
) -> dict[str, np.ndarray]:
    requests = [subject.request(p) for p in problems]
    size = subject.canvas.size
    regions = [subject.task.region(p, size) for p in problems]
    masks = np.stack(
        [[_staged(subject, r), np.ones((subject.height, subject.width))] for r in regions]
    )
    out: dict[str, np.ndarray] = {}
    for name, context in (
        ("residual", contextlib.nullcontext()),
        ("twin", shuffled(subject.pipeline, 1) if twin else None),
    ):
        if context is None:
            out[name] = np.zeros((len(problems), 0), np.float16)
            continue
        with context:
            seen: list[Observation] = []
            place = 0
            # A subject may turn out to take one sample at a time: masks go with their samples.
            while place < len(requests):
                n = min(subject.batch, len(requests) - place)
                pooled = Frames(masks[place : place + n], torch.float16)
                reads = [Read("residual", pooled), Read("x0"), Read("x_t")]
                seen += subject.run(requests[place : place + n], reads)
                place += n
        stacked, layers, kept = stack(seen, frames)
        out[name] = stacked
        if name == "residual":
            out |= {"_layers": np.array(layers), "_frames": np.array(kept)}
            out["x0"], out["x_t"] = (_latents(seen, site) for site in ("x0", "x_t"))
    return out


def _staged(subject: Subject, region: np.ndarray) -> np.ndarray:
    """A region of the square problem on the backbone's own stage."""
    out = np.zeros((subject.height, subject.width))
    top, left = (subject.height - len(region)) // 2, (subject.width - len(region)) // 2
    out[top : top + len(region), left : left + len(region)] = region
    return out


def stack(seen: Sequence[Observation], frames: int) -> tuple[np.ndarray, list[int], list[int]]:
    """`(items, steps, layers, frames, groups, width)` of one branch."""
    places = [at for at in seen[0].values if at.site == "residual"]
    if not places:
        raise PhospheneError(
            "no layer's tokens can be told apart by frame, so no grid can be drawn"
        )
    branches = {at.branch for at in places}
    branch = "cond" if "cond" in branches else sorted(branches)[0]
    # UNets change width and size from layer to layer; those of the widest kind are kept.
    shapes = {at.layer: tuple(seen[0].values[at].shape) for at in places if at.branch == branch}
    counts = {s: sum(v == s for v in shapes.values()) for s in set(shapes.values())}
    common = max(counts, key=lambda s: (counts[s], s))
    layers = sorted(n for n, s in shapes.items() if s == common)
    steps = sorted({at.step for at in places})
    # A layer that only some steps call, as in a pair of denoisers, is left out at the others.
    layers = [
        n for n in layers if all(Address(t, branch, n, "residual") in seen[0].values for t in steps)
    ]
    if not layers:
        raise PhospheneError("no layer works at every step, so no grid can be drawn")
    chosen = sorted({int(f) for f in np.linspace(0, common[0] - 1, min(frames, common[0])).round()})
    rows = [
        [
            [o.values[Address(t, branch, n, "residual")][chosen].numpy() for n in layers]
            for t in steps
        ]
        for o in seen
    ]
    return np.array(rows, np.float16), layers, chosen


def _latents(seen: Sequence[Observation], site: str) -> np.ndarray:
    """`(items, steps, features)`: samples as the scheduler has them, averaged to small pictures."""
    places = sorted(at for at in seen[0].values if at.site == site and at.stream == 0)
    rows = [[_small(o.values[at]) for at in places] for o in seen]
    return np.array(rows, np.float16)


def _small(latent: torch.Tensor) -> np.ndarray:
    x = latent.float()
    if x.ndim >= 3:
        x = torch.nn.functional.adaptive_avg_pool2d(x, (_SIDE, _SIDE))
    flat = x.flatten()
    if len(flat) > _WIDEST:
        flat = torch.nn.functional.adaptive_avg_pool1d(flat[None], _WIDEST)[0]
    return flat.numpy()


def _pixels(subject: Subject, problem: Problem) -> np.ndarray:
    frame = torch.from_numpy(subject.first_frame(problem)).permute(2, 0, 1).float() / 255
    return torch.nn.functional.adaptive_avg_pool2d(frame, (16, 16)).flatten().numpy()


def _words(requests: Sequence[Request]) -> np.ndarray:
    vocabulary = sorted({w for r in requests for w in r.prompt.split()}) or [""]
    return np.array([[r.prompt.split().count(w) for w in vocabulary] for r in requests], np.float32)
