"""Subject: a mind before problems of one text task."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
import torch

from phosphene.config import build
from phosphene.errors import PhospheneError
from phosphene.minds.mind import WAYS, Mind, Way
from phosphene.minds.task import TextProblem, TextTask, text_tasks
from phosphene.minds.thinking import Answered, Edit, answer
from phosphene.minds.wires import Wires
from phosphene.notebook import batches
from phosphene.statistics import Interval, wilson
from phosphene.task import Split


@dataclass(frozen=True)
class MindSetup:
    """How problems are put to a mind: values only.

    Args:
        task: the text task; the one that the mind was taught if empty.
        fields: its fields; those it was taught with if empty.
        items: how many problems.
        split: of the problems.
        first_seed: item i is dealt from `first_seed + i`.
        way: of thinking; the mind's own if None.
        thoughts: how many thoughts or pauses; the mind's own if None.
        batch: most problems in one pass.
    """

    task: str = ""
    fields: Mapping[str, Any] = field(default_factory=dict)
    items: int = 128
    split: Split = "test"
    first_seed: int = 1_000_000
    way: Way | None = None
    thoughts: int | None = None
    batch: int = 64

    def __post_init__(self) -> None:
        for name in ("items", "batch"):
            if getattr(self, name) < 1:
                raise PhospheneError(f"{name} must be at least 1; got {getattr(self, name)}")
        if self.way not in (None, *WAYS):
            raise PhospheneError(f"--way takes {', '.join(WAYS)}; got {self.way!r}")
        if self.thoughts is not None and self.thoughts < 0:
            raise PhospheneError(f"--thoughts must be 0 or more; got {self.thoughts}")


class MindSubject:
    """A mind, opened for reading, before problems of one text task.

    Args:
        mind: the model.
        setup: the task and how it is put.

    Raises:
        PhospheneError: no task was named and the mind was taught none; no such task or field.
    """

    def __init__(self, mind: Mind, setup: MindSetup) -> None:
        taught = mind.manner
        name = setup.task or taught.task
        if not name:
            raise PhospheneError(
                f"{mind.id} was taught no task; name one: {', '.join(text_tasks.names())}"
            )
        own = taught.fields if name == taught.task and not setup.fields else setup.fields
        self.mind = mind
        self.setup = setup
        self.task: TextTask = build(text_tasks.get(name), dict(own or {}), f"text task {name}")
        self.way: Way = taught.way if setup.way is None else setup.way
        self.thoughts = taught.thoughts if setup.thoughts is None else setup.thoughts

    @cached_property
    def wires(self) -> Wires:
        """The sites of the model."""
        return Wires(self.mind.model)

    @cached_property
    def problems(self) -> list[TextProblem]:
        """The items, in order."""
        first = self.setup.first_seed
        return [self.task.sample(first + i, self.setup.split) for i in range(self.setup.items)]

    @property
    def about(self) -> dict[str, Any]:
        """What identifies this subject, JSON-able: part of a notebook's signature."""
        setup = {k: v for k, v in vars(self.setup).items() if k != "batch"}
        setup |= {"task": self.task.name, "fields": dict(vars(self.task))}
        setup |= {"way": self.way, "thoughts": self.thoughts}
        return {
            "backbone": self.mind.id,
            "fingerprint": self.mind.fingerprint,
            "setup": setup,
        }

    def inputs(self, problems: Sequence[TextProblem]) -> dict[str, torch.Tensor]:
        """A padded batch of their questions, with their pictures where they have any."""
        pictures = [p.picture for p in problems if p.picture is not None]
        return self.mind.inputs([p.question for p in problems], pictures or None)

    def batches(self, problems: Sequence[TextProblem] | None = None) -> Iterator[list[TextProblem]]:
        """The problems, or those given, in slices that go through the model together."""
        for some in batches(self.problems if problems is None else problems, self.setup.batch):
            yield list(some)

    def answer(
        self,
        problems: Sequence[TextProblem],
        edit: Edit | None = None,
        way: Way | None = None,
        thoughts: int | None = None,
    ) -> Answered:
        """What the mind says to one batch of problems."""
        return answer(
            self.mind,
            self.inputs(problems),
            self.way if way is None else way,
            self.thoughts if thoughts is None else thoughts,
            edit=edit,
        )

    def right(self, problems: Sequence[TextProblem], answered: Answered) -> np.ndarray:
        """bool `(b,)`: whose answers are right."""
        pairs = zip(problems, answered.answers, strict=True)
        return np.array([self.task.right(p, said) for p, said in pairs])

    def accuracy(self, problems: Sequence[TextProblem] | None = None) -> Interval:
        """Share of right answers, undisturbed."""
        got = [self.right(some, self.answer(some)) for some in self.batches(problems)]
        found = np.concatenate(got)
        return wilson(int(found.sum()), len(found))

    def margin(self, problems: Sequence[TextProblem], logits: torch.Tensor) -> torch.Tensor:
        """Logit of the answer's first token less the largest of the other options'; `(b,)`.

        Args:
            logits: `(b, vocabulary)` where the answer is said.

        Where a problem has no options, all other tokens are its rivals.
        """
        out = []
        for problem, row in zip(problems, logits, strict=True):
            own = self.mind.ids(problem.answer)[0]
            others = [self.mind.ids(o)[0] for o in problem.options if o != problem.answer]
            rivals = row.clone()
            rivals[own] = -torch.inf
            best = row[[o for o in others if o != own]].max() if others else rivals.max()
            out.append(row[own] - best)
        return torch.stack(out)
