"""Lesson: a batch of problems at one stage of the curriculum, and the loss on what is in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.minds.mind import Mind, Way
from phosphene.minds.task import TextProblem, TextTask
from phosphene.minds.thinking import hear, start, think_through


@dataclass(frozen=True, eq=False)
class Lesson:
    """What a model is shown at once.

    Args:
        questions: `(b,)`, and `pictures` where the problems have any.
        tails: what comes after the thoughts: remaining steps, answer mark, answer, stop.
        thoughts: how many come before that.
    """

    questions: list[str]
    pictures: list[np.ndarray] | None
    tails: list[list[int]]
    thoughts: int


def lesson(
    mind: Mind, problems: Sequence[TextProblem], way: Way, stage: int, per_step: int
) -> Lesson:
    """Problems as they are taught in a stage.

    Args:
        stage: how many steps are taken away; with the way `none` all are.
    """
    rows = [mind.ids(" ".join(_remaining(p, way, stage))) for p in problems]
    answers = [mind.ids(p.answer) for p in problems]
    stop = [] if mind.stop is None else [mind.stop]
    tails = [
        [*mind.mark("end"), *row, *mind.mark("answer"), *answer, *stop]
        for row, answer in zip(rows, answers, strict=True)
    ]
    pictures = [p.picture for p in problems if p.picture is not None]
    thoughts = stage * per_step if way in ("thoughts", "pause") else 0
    return Lesson([p.question for p in problems], pictures or None, tails, thoughts)


def _remaining(problem: TextProblem, way: Way, stage: int) -> Sequence[str]:
    if way == "none":
        return ()
    return problem.steps if way == "cot" else problem.steps[stage:]


def loss(mind: Mind, shown: Lesson, way: Way) -> torch.Tensor:
    """Mean cross-entropy (nats) of the tails' tokens, the end mark excepted: it is given."""
    state = start(mind, mind.inputs(shown.questions, shown.pictures))
    if way == "thoughts":
        state = think_through(mind, state, shown.thoughts)
    elif way == "pause" and shown.thoughts:
        pauses = torch.tensor(mind.mark("pause") * shown.thoughts, device=mind.device)
        state, _ = hear(mind, state, pauses.expand(len(shown.tails), -1))
    tail = mind.padded(shown.tails, left=False)
    _, logits = hear(mind, state, tail["input_ids"], tail["attention_mask"])
    wanted = tail["input_ids"][:, 1:].masked_fill(tail["attention_mask"][:, 1:] == 0, -100)
    return torch.nn.functional.cross_entropy(
        logits[:, :-1].flatten(0, 1).float(), wanted.flatten(), ignore_index=-100
    )


def dealt(task: TextTask, seed: int, batch: int, size: int) -> list[TextProblem]:
    """The problems of a batch; they depend on (seed, batch) alone."""
    first = (seed << 40) + batch * size
    return [task.sample(first + i, "train") for i in range(size)]
