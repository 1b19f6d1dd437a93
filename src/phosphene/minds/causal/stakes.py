"""Stakes: what a batch's answers are measured by."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem


@dataclass(frozen=True, eq=False)
class Stakes:
    """The words that are right and those they compete with.

    Args:
        own: `(b,)`, id of the right word's first token; -1 where there is none.
        rivals: bool `(b, vocabulary)`.
    """

    own: torch.Tensor
    rivals: torch.Tensor

    def lead(self, logits: torch.Tensor) -> torch.Tensor:
        """Logit of the right word less the mean of its rivals', `(b,)`; nan where there is none.

        The mean, not the largest: where a mind knows nothing this is centred at nought whatever
        is done to it, so that a change of it is evidence.
        """
        there = self.own >= 0
        told = logits.gather(1, self.own.clamp(min=0)[:, None])[:, 0]
        count = self.rivals.sum(1)
        rest = torch.where(self.rivals, logits, 0.0).sum(1) / count.clamp(min=1)
        return torch.where(there & (count > 0), told - rest, torch.nan)

    def right(self, logits: torch.Tensor) -> torch.Tensor:
        """bool `(b,)`: whether the right word's first token is the likeliest of all."""
        return logits.argmax(-1) == self.own


def stakes(subject: MindSubject, problems: Sequence[TextProblem]) -> Stakes:
    """Of the answers; rivals are the other options, or the other problems' answers."""
    words = [p.answer for p in problems]
    options = [p.options if len(p.options) > 1 else words for p in problems]
    return _stakes(subject, words, options)


def value_stakes(
    subject: MindSubject, problems: Sequence[TextProblem], thought: int
) -> tuple[Stakes, np.ndarray]:
    """Of the intermediate that a thought stands for; rivals are the other problems' values there.

    Returns:
        the stakes, and bool `(b,)`: whether a problem has such an intermediate.
    """
    words = [value_at(p, thought, subject.thoughts) for p in problems]
    known = sorted({w for w in words if w is not None})
    found = _stakes(subject, words, [known] * len(words))
    return found, np.array([w is not None for w in words])


def value_at(problem: TextProblem, thought: int, thoughts: int) -> str | None:
    """The intermediate that a thought was taught in the place of; None past the last one.

    A curriculum that gives every step `c` thoughts leaves step k in thoughts c k ... c k + c - 1.
    """
    values = list(problem.values.values())
    most = max(1, thoughts // max(1, len(values)))
    place = thought // most
    return values[place] if place < len(values) else None


def answer_ids(subject: MindSubject, problems: Sequence[TextProblem]) -> torch.Tensor:
    """First token of each answer, `(b,)`."""
    ids = [subject.mind.ids(p.answer)[0] for p in problems]
    return torch.tensor(ids, device=subject.mind.device)


def difference(logits: torch.Tensor, own: torch.Tensor, other: torch.Tensor) -> torch.Tensor:
    """Logit of one answer less that of another, `(b,)`."""
    return (logits.gather(1, own[:, None]) - logits.gather(1, other[:, None]))[:, 0]


def _stakes(
    subject: MindSubject, words: Sequence[str | None], options: Sequence[Sequence[str]]
) -> Stakes:
    mind = subject.mind
    size = mind.model.get_output_embeddings().weight.shape[0]
    own = torch.full((len(words),), -1)
    rivals = torch.zeros(len(words), size, dtype=torch.bool)
    for i, (word, choices) in enumerate(zip(words, options, strict=True)):
        if word is None:
            continue
        own[i] = mind.ids(word)[0]
        others = [mind.ids(o)[0] for o in choices if o != word]
        rivals[i, [o for o in others if o != own[i]]] = True
    return Stakes(own.to(mind.device), rivals.to(mind.device))
