"""Train Ember's encoder: pictures, captions and sound of one clip belong together."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.ember import checkpoint
from phosphene.ember.encoder import EmberEncoder, contrast
from phosphene.ember.world import World
from phosphene.errors import PhospheneError
from phosphene.statistics import Interval, wilson

EXAM_SEED = 7_000_000_000  # far from the seeds of training
PAIRS = (("words", "pictures"), ("sound", "pictures"), ("words", "sound"))


@dataclass(frozen=True)
class EncoderConfig:
    """A training run of the encoder.

    Args:
        out: directory for the checkpoint, the log and the weights.
        world: what is shown; its `text_length` is the encoder's.
        samples: clips in all.
        model: arguments of `EmberEncoder`.
        batch: clips a step; each is contrasted with the others.
        lr: at the start, after 50 steps of warming up; falls to a tenth along a cosine.
        seed: of weights and data.
        log_every: in steps.
        exam: clips of the retrieval exam.
    """

    out: Path
    world: World
    samples: int = 100_000
    model: Mapping[str, Any] = field(default_factory=dict)
    batch: int = 64
    lr: float = 1e-3
    seed: int = 0
    log_every: int = 20
    exam: int = 256

    def __post_init__(self) -> None:
        if self.batch < 2 or self.samples < self.batch:
            raise PhospheneError(
                f"encoder config wants batch >= 2 and samples >= batch; got {self.batch}, "
                f"{self.samples}"
            )


def train(config: EncoderConfig, on_event: Callable[[dict], None] = lambda event: None) -> Path:
    """Run or go on with a training run; returns the directory of the weights.

    Data and order depend on (seed, step) alone, so a resumed run equals one that never stopped.
    """
    torch.manual_seed(config.seed)
    model = EmberEncoder(**{"text_length": config.world.text_length, **config.model})
    optimiser = torch.optim.AdamW(model.parameters(), lr=config.lr, weight_decay=0.01)
    config.out.mkdir(parents=True, exist_ok=True)
    saved = config.out / "checkpoint.safetensors"
    step = checkpoint.restore(saved, model, {}, [optimiser])["step"] if saved.exists() else 0
    steps, begun = config.samples // config.batch, step
    dealt = config.world.tasks()
    while step < steps:
        for group in optimiser.param_groups:
            group["lr"] = config.lr * min(1.0, (step + 1) / 50) * _cosine(step / steps)
        loss = _loss(model, _batch(config, step, dealt))
        optimiser.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimiser.step()
        model.temperature.data.clamp_(max=4.6)
        step += 1
        if step % config.log_every == 0:
            done, fresh = step * config.batch, (step - begun) * config.batch
            on_event({"samples": done, "fresh": fresh, "loss": round(loss.item(), 4)})
        if step % (25 * config.log_every) == 0 or step == steps:
            checkpoint.save(saved, model, {}, [optimiser], {"step": step})
    model.eval()
    directory = config.out / "encoder"
    model.save_pretrained(directory)
    found = retrieval(model, config.world, config.exam)
    record = {k: v._asdict() for k, v in found.items()}
    (directory / "retrieval.json").write_text(json.dumps(record, indent=1) + "\n")
    on_event({"retrieval": {k: v.share for k, v in found.items()}})
    return directory


def _cosine(progress: float) -> float:
    return 0.55 + 0.45 * float(np.cos(np.pi * progress))


def _batch(config: EncoderConfig, step: int, dealt: Mapping[str, Any]) -> dict[str, torch.Tensor]:
    """Clips of one step: some frames, one wording and the sound of each."""
    looks = config.model.get("looks", 3)
    total = config.world.canvas.frames
    rng = np.random.default_rng([config.seed, step, 2])
    which = np.linspace(0, total - 1, looks).round().astype(int)
    clips = [
        config.world.clip(config.seed, step * config.batch + i, dealt, None)
        for i in range(config.batch)
    ]
    # The caption tells most of the scene, so it is read most often.
    wording = [c["words"][-1 if rng.random() < 0.7 else rng.integers(3)] for c in clips]
    return _tensors([c["frames"][which] for c in clips], wording, [c["sound"] for c in clips])


def _tensors(frames: Any, words: Any, sound: Any) -> dict[str, torch.Tensor]:
    pictures = torch.from_numpy(np.stack(frames)).permute(0, 1, 4, 2, 3).float() / 127.5 - 1
    return {
        "pictures": pictures,
        "words": torch.from_numpy(np.stack(words)).long(),
        "sound": torch.from_numpy(np.stack(sound)).float(),
    }


def _embedded(model: EmberEncoder, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
    return {
        "pictures": model.pictures(batch["pictures"]),
        "words": model.texts(batch["words"]),
        "sound": model.sounds(batch["sound"]),
    }


def _loss(model: EmberEncoder, batch: dict[str, torch.Tensor]) -> torch.Tensor:
    points = _embedded(model, batch)
    scale = model.temperature.exp()
    alike = _alike(batch["words"])
    one = torch.eye(len(alike), dtype=torch.bool)
    losses = [
        contrast(points[a], points[b], alike if a == "words" else one, scale) for a, b in PAIRS
    ]
    return torch.stack(losses).mean()


def _alike(words: torch.Tensor) -> torch.Tensor:
    """Which clips of a batch are told in the same words: bool `(n, n)`."""
    return (words[:, None] == words[None]).all(-1)


@torch.no_grad()
def retrieval(model: EmberEncoder, world: World, clips: int) -> dict[str, Interval]:
    """How often the nearest of `clips` held-out clips is the right one.

    Returns:
        `A to B` -> share of clips whose nearest neighbour in B is their own, or one that is told in
        the same words where A or B is words; with Wilson's interval. Problems are of the test
        split, families by their shares.
    """
    dealt = world.tasks()
    config: Any = model.config
    looks = config.looks
    drawn = [_held_out(world, dealt, i) for i in range(clips)]
    which = np.linspace(0, world.canvas.frames - 1, looks).round().astype(int)
    batch = _tensors(
        [d["frames"][which] for d in drawn],
        [d["words"][-1] for d in drawn],
        [d["sound"] for d in drawn],
    )
    points = _embedded(model, batch)
    alike = _alike(batch["words"])
    one = torch.eye(clips, dtype=torch.bool)
    out = {}
    for a, b in [*PAIRS, *((b, a) for a, b in PAIRS)]:
        nearest = (points[a] @ points[b].T).argmax(1)
        same = alike if "words" in (a, b) else one
        hits = int(same[torch.arange(clips), nearest].sum())
        out[f"{a} to {b}"] = wilson(hits, clips)
    return out


def _held_out(world: World, dealt: Mapping[str, Any], index: int) -> dict[str, Any]:
    """A whole clip of the test split."""

    class _Test:
        """A task that deals held-out problems whatever is asked."""

        def __init__(self, task: Any) -> None:
            self._task = task

        def sample(self, seed: int, split: str) -> Any:
            return self._task.sample(seed, "test")

        def __getattr__(self, name: str) -> Any:
            return getattr(self._task, name)

    held_out: Any = {n: _Test(t) for n, t in dealt.items()}
    return world.clip(EXAM_SEED, index, held_out)
