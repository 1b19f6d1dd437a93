"""Telling: the sentences of a question, and the same question told in another order."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np

from phosphene.minds.task import TextProblem


def sentences(text: str) -> list[str]:
    """Its sentences, blanks and all: put side by side they are the text again."""
    return re.findall(r"[^.?!]*[.?!]+\s*|[^.?!]+$", text)


def asking(problem: TextProblem) -> set[int]:
    """Numbers of the sentences that ask: the last, and what introduces whom it asks about.

    One introduces where its first word is also in the last sentence and in no worked step: `Tom is
    a lempus. Is Tom a gorpus or a rorpus?`
    """
    told = [_words(s) for s in sentences(problem.question)]
    steps = {w for s in problem.steps for w in _words(s)}
    last = len(told) - 1
    return {last} | {
        i for i, s in enumerate(told) if s and s[0] in told[last] and s[0] not in steps
    }


def retold(problem: TextProblem, seed: int) -> TextProblem:
    """The facts of a question in another order; what asks stays where it is."""
    told = [s.strip() for s in sentences(problem.question)]
    fixed = asking(problem)
    facts = [i for i in range(len(told)) if i not in fixed]
    order = np.random.default_rng([problem.seed, 7919, seed]).permutation(facts)
    moved = dict(zip(facts, order.tolist(), strict=True))
    return replace(problem, question=" ".join(told[moved.get(i, i)] for i in range(len(told))))


def _words(text: str) -> list[str]:
    return re.findall(r"\w+", text.lower())
