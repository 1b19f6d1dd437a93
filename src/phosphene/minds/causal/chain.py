"""Chain: one run through the thoughts to the answer, with or without an intervention."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import Edit, State, fork, hear, start, think


@dataclass(frozen=True, eq=False)
class Chain:
    """A run of a batch.

    Args:
        fed: `(thoughts, b, d)`, what was fed as each thought.
        read: `(thoughts, b, vocabulary)`, the logits of the state that each thought was taken from.
        answer: `(b, vocabulary)`, the logits where the answer is said.
    """

    fed: torch.Tensor
    read: torch.Tensor
    answer: torch.Tensor


def opened(subject: MindSubject, problems: Sequence[TextProblem]) -> State:
    """The questions read, up to where thoughts begin; `follow` leaves it as it is."""
    return start(subject.mind, subject.inputs(problems))


def follow(subject: MindSubject, state: State, edit: Edit | None = None) -> Chain:
    """Think from here to the answer; differentiable.

    Args:
        state: of `opened`; not used up.
        edit: handed each thought's number (0 ...) and value `(b, d)`; gives what is fed instead.
    """
    return onwards(subject, fork(state), subject.thoughts, edit)


def onwards(subject: MindSubject, state: State, thoughts: int, edit: Edit | None = None) -> Chain:
    """As `follow`, with so many thoughts; the state is used up."""
    fed, read = [], []
    for number in range(thoughts):
        given = state.hidden if edit is None else edit(number, state.hidden)
        fed.append(given)
        read.append(state.logits)
        state = think(subject.mind, state, given)
    said = decide(subject.mind, state)
    none = state.hidden.new_zeros(0, *state.hidden.shape)
    blank = state.logits.new_zeros(0, *state.logits.shape)
    return Chain(torch.stack(fed) if fed else none, torch.stack(read) if read else blank, said)


def decide(mind: Mind, state: State) -> torch.Tensor:
    """Logits `(b, vocabulary)` of the answer's first token; the state is used up."""
    marks = [*mind.mark("end"), *mind.mark("answer")]
    if not marks:
        return state.logits
    rows = torch.tensor(marks, device=mind.device).expand(len(state.hidden), -1)
    return hear(mind, state, rows)[1][:, -1]


def put(values: Mapping[int, torch.Tensor]) -> Edit:
    """The edit that feeds these `(b, d)` at these thoughts and leaves the others free."""
    return lambda number, own: values.get(number, own)


def replayed(fed: torch.Tensor, before: int) -> dict[int, torch.Tensor]:
    """The first thoughts of a recorded run, for `put`; those from `before` on run freely."""
    return {t: fed[t] for t in range(before)}


def thinks(subject: MindSubject) -> int:
    """How many thoughts there are to intervene on.

    Raises:
        PhospheneError: the mind does not think in vectors, or has no thoughts.
    """
    if subject.way != "thoughts" or not subject.thoughts:
        raise PhospheneError(
            f"{subject.mind.id} has no thoughts to intervene on: it thinks by {subject.way!r} with "
            f"{subject.thoughts}; give --way thoughts --thoughts N"
        )
    return subject.thoughts


def even(problems: Sequence[TextProblem], batch: int) -> Iterator[list[TextProblem]]:
    """Batches of nearly one size, at most `batch`: what is compared within a batch needs company.

    Raises:
        PhospheneError: fewer than two problems, or batches of one.
    """
    if len(problems) < 2 or batch < 2:
        raise PhospheneError(
            f"thoughts of other problems are needed: give --items and --batch of at least 2; got "
            f"{len(problems)} and {batch}"
        )
    parts = -(-len(problems) // batch)
    if len(problems) < 2 * parts:
        parts = len(problems) // 2
    for places in np.array_split(np.arange(len(problems)), parts):
        yield [problems[int(i)] for i in places]
