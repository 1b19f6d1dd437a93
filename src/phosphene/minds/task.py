"""Text task: deals problems in words, each with its worked steps and what must form on the way."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

import numpy as np

from phosphene.registry import Registry
from phosphene.task import Split

text_tasks = Registry("text task", "phosphene.minds.tasks")


@dataclass(frozen=True, eq=False)
class TextProblem:
    """One instance of a text task, which is also its causal model: a probe's targets are named.

    Args:
        task: the task's name.
        seed: what it was dealt from; (task fields, split, seed) deal the same problem again.
        split: `train` instances may be trained on; `test` instances never are, by construction.
        question: what is asked.
        steps: the worked steps of a chain of thought, in order, one sentence each.
        answer: what is to be said in the end.
        options: the answers to choose from, `answer` among them; empty where it is open.
        values: what must be worked out on the way, in order: name -> the word or number, as it
            would be said, e.g. `{"hop 1": "lempus"}`.
        state: the rest of the hidden truth, JSON-able.
        picture: uint8 `(h, w, 3)` that the question is about; None for questions in words alone.
    """

    task: str
    seed: int
    split: Split
    question: str
    steps: tuple[str, ...]
    answer: str
    options: tuple[str, ...] = ()
    values: Mapping[str, str] = field(default_factory=dict)
    state: Mapping[str, Any] = field(default_factory=dict)
    picture: np.ndarray | None = None


class TextTask(abc.ABC):
    """A frozen dataclass whose fields are its settings.

    Class attributes:
        name: the file's.
        ABOUT: the task in one line.
    """

    name: ClassVar[str]
    ABOUT: ClassVar[str]

    @abc.abstractmethod
    def sample(self, seed: int, split: Split = "train") -> TextProblem:
        """The problem of a seed; depends on the task's fields, the split and the seed alone."""

    @abc.abstractmethod
    def twin(self, problem: TextProblem, seed: int = 0) -> TextProblem:
        """The same question with other content and another answer, word for word as long.

        What a counterfactual patch takes its values from: tokens line up one to one.
        """

    @abc.abstractmethod
    def words(self) -> Sequence[str]:
        """All words that questions, steps and answers are made of: a small model's vocabulary."""

    @property
    @abc.abstractmethod
    def chance(self) -> float:
        """Share of right answers among guesses of the right form."""

    def right(self, problem: TextProblem, said: str) -> bool:
        """Whether the first word said, or all of it where the answer has several, is the answer."""
        wanted = problem.answer.lower().split()
        heard = said.lower().replace(".", " ").split()
        return heard[: len(wanted)] == wanted
