"""World: the endless, seeded stream of examples Ember learns from, dealt by the tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch

from phosphene.ember.sound import to_rows
from phosphene.ember.words import word_ids
from phosphene.errors import PhospheneError
from phosphene.task import Canvas, Task, tasks

HOP = 125  # samples between the blocks of the sound transform
SOUND_SCALE = 1 / 3  # brings sounding rows of the transform to about the range of pixels


@dataclass(frozen=True)
class Family:
    """A task as a share of the world: how often it is dealt, and its fields."""

    share: float = 1.0
    fields: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class World:
    """A mixture of tasks, as training examples.

    Args:
        families: task name -> its share and fields.
        frames: how many frames an example holds: the first and others drawn from the rest. Fewer
            frames than the clip has make an example cheaper; every frame gets its turn.
        text_only: share of examples that hide the first frame and describe the scene in words.
        both_ends: share of examples that give the last frame too.
        captioned: share of examples that describe the scene in words beside the first frame.
        wordless: share of examples with an empty prompt, for classifier-free guidance.
    """

    families: Mapping[str, Family]
    frames: int = 9
    text_only: float = 0.0
    both_ends: float = 0.0
    captioned: float = 0.0
    wordless: float = 0.1
    text_length: int = 12
    vocabulary: int = 2048
    canvas: Canvas = field(default_factory=Canvas)

    def __post_init__(self) -> None:
        if not 2 <= self.frames <= self.canvas.frames:
            raise PhospheneError(
                f"world.frames must lie in 2..{self.canvas.frames}; got {self.frames}"
            )
        if not self.families or any(f.share < 0 for f in self.families.values()):
            raise PhospheneError("world.families needs at least one task, with shares >= 0")

    def tasks(self) -> dict[str, Task]:
        return {name: tasks.get(name)(**f.fields) for name, f in self.families.items()}

    def example(self, seed: int, index: int, dealt: Mapping[str, Task]) -> dict[str, torch.Tensor]:
        """Training example number `index`: depends on (world, seed, index) alone.

        Returns:
            video uint8 `(f, h, w, 3)`, audio float32 `(f, n)`, words int64 `(text_length,)`,
            given bool `(f,)`, frame_ids int64 `(f,)`.
        """
        rng = np.random.default_rng([seed, index])
        names = list(self.families)
        shares = np.array([self.families[n].share for n in names])
        task = dealt[names[rng.choice(len(names), p=shares / shares.sum())]]
        problem = task.sample(int(rng.integers(2**62)), "train")
        clip = task.solve(problem, self.canvas)
        assert clip.frames is not None
        assert clip.audio is not None
        total = self.canvas.frames
        text_only, both_ends = rng.random() < self.text_only, rng.random() < self.both_ends
        later = 1 + np.sort(rng.choice(total - 1, self.frames - 1, replace=False))
        if both_ends:
            later[-1] = total - 1
        ids = np.concatenate([[0], later])
        given = np.zeros(self.frames, bool)
        given[0] = not text_only
        given[-1] = both_ends and not text_only
        described = text_only or rng.random() < self.captioned
        prompt = problem.caption if described else problem.prompts[rng.integers(3)]
        prompt = "" if rng.random() < self.wordless and not text_only else prompt
        rows = to_rows(torch.from_numpy(clip.audio), total, HOP)[0] * SOUND_SCALE
        return {
            "video": torch.from_numpy(clip.frames[ids]),
            "audio": rows[ids],
            "words": word_ids([prompt], self.text_length, self.vocabulary)[0],
            "given": torch.from_numpy(given),
            "frame_ids": torch.from_numpy(ids),
        }


class Examples(torch.utils.data.Dataset):
    """Examples `first`, `first + 1`, ... of a world, for a DataLoader in order."""

    def __init__(self, world: World, seed: int, first: int, last: int) -> None:
        self.world, self.seed, self.first, self.last = world, seed, first, last
        self.dealt = world.tasks()

    def __len__(self) -> int:
        return self.last - self.first

    def __getitem__(self, i: int) -> dict[str, torch.Tensor]:
        return self.world.example(self.seed, self.first + i, self.dealt)
