"""Task: deals problems and judges clips. One file in `tasks/` is one task."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np

from phosphene.clip import Clip
from phosphene.registry import Registry
from phosphene.verdict import Verdict

tasks = Registry("task", "phosphene.tasks")

Split = Literal["train", "test"]


@dataclass(frozen=True)
class Problem:
    """One instance of a task.

    Args:
        task: the task's name.
        seed: what it was dealt from; (task fields, split, seed) deal the same problem again.
        split: `train` instances may be trained on; `test` instances never are, by construction.
        prompts: three or more wordings of the same request, none of which gives the answer away.
        caption: the whole scene in words, for generators that are given no first frame.
        state: the full hidden truth, JSON-able.
    """

    task: str
    seed: int
    split: Split
    prompts: tuple[str, ...]
    caption: str
    state: Mapping[str, Any]


@dataclass(frozen=True)
class Canvas:
    """What clips of a task are rendered on.

    Args:
        size: side of the square picture, pixels.
        frames: number of frames; the first one shows the problem.
        fps: frames a second.
        rate: sound samples a second (Hz), one channel.
    """

    size: int = 64
    frames: int = 9
    fps: int = 8
    rate: int = 8000


def held_out(instance: str, one_in: int) -> bool:
    """Whether an instance, written as text, belongs to the test split: about one in `one_in` does.

    A hash decides, so the split is fixed by construction: no list to keep, no seed to remember.
    """
    return hashlib.sha256(instance.encode()).digest()[0] % one_in == 0


class Task(abc.ABC):
    """A frozen dataclass whose fields are the task's difficulty."""

    name: ClassVar[str]

    @abc.abstractmethod
    def sample(self, seed: int, split: Split = "test") -> Problem:
        """Deal problem number `seed`: it depends on (fields, split, seed) alone."""

    @abc.abstractmethod
    def solve(self, problem: Problem, canvas: Canvas) -> Clip:
        """The oracle: a clip that starts at the problem and shows its right solution, with sound.

        Its first frame is the problem's first frame.
        """

    @abc.abstractmethod
    def judge(self, problem: Problem, clip: Clip) -> Verdict:
        """Read the clip's last frame (and sound) and judge it against the problem's truth."""

    def first_frame(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        """uint8 `(size, size, 3)`: the picture the generator is given."""
        frames = self.solve(problem, canvas).frames
        assert frames is not None
        return frames[0]
