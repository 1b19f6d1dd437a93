"""Shown: chains of thoughts, ready for the page."""

from __future__ import annotations

import numpy as np

from phosphene.minds.reading.candidates import Candidates
from phosphene.minds.reading.record import Record
from phosphene.probe import Chain, Thought, Thoughts

WORDS = 5  # candidates shown of each thought


def chains(seen: Record, weights: np.ndarray, among: Candidates, count: int) -> Thoughts:
    """Some problems as chains of candidates: half of them wrong, where there are such.

    Args:
        seen: what was read.
        weights: `(items, places, candidates)`, shares of each candidate.
        among: the candidates.
        count: problems at most.
    """
    wrong = np.flatnonzero(~seen.right)[: count // 2].tolist()
    right = np.flatnonzero(seen.right)[: count - len(wrong)].tolist()
    return Thoughts(
        "Chains of thoughts, spoken aloud",
        [_chain(seen, weights[i], among, i) for i in sorted([*wrong, *right])],
        "probability among the candidates",
    )


def _chain(seen: Record, weights: np.ndarray, among: Candidates, item: int) -> Chain:
    problem = seen.problems[item]
    named = {word: name for name, word in problem.values.items()}
    thoughts = []
    for place, called in enumerate(seen.places):
        best = np.argsort(-weights[place], kind="stable")[:WORDS]
        words = [(among.words[c], float(weights[place, c])) for c in best]
        told = tuple((word, share, named.get(word, "")) for word, share in words)
        thoughts.append(Thought(called, seen.thoughts[item, place], told))
    return Chain(
        problem.question,
        tuple(problem.values.items()),
        problem.answer,
        seen.said[item],
        bool(seen.right[item]),
        tuple(thoughts),
    )
