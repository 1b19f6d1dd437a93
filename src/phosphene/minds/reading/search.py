"""Search: a chain of values through the thoughts, in their order, by the facts of the question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import inf

import numpy as np

from phosphene.minds.reading.candidates import Candidates
from phosphene.minds.reading.follows import Facts, ways


@dataclass(frozen=True)
class Trace:
    """The best chain.

    Args:
        words: its values; empty where the question allows none that could be read.
        verified: whether each value is among the top candidates of its thought.
        score: mean log-probability of its values, each among the candidates of its thought; -inf
            where there is no chain.
    """

    words: tuple[str, ...]
    verified: bool
    score: float


def search(weights: np.ndarray, told: Facts, among: Candidates, top: int) -> Trace:
    """Look for a chain from the start to the end of the question.

    Values lie in different thoughts, later ones in later thoughts; thoughts may be passed over.

    Args:
        weights: `(places, candidates)`, probabilities at each place.
        told: which value follows from which.
        among: what the candidates are.
        top: a value is verified among so many of the likeliest.
    """
    places = weights.shape[0]
    ranks = 1 + (weights[:, None, :] > weights[:, :, None]).sum(2)
    logs = np.log(np.maximum(weights, 1e-12))
    best = Trace((), False, -inf)
    for way in ways(told):
        numbers = [among.number(word) for word in way]
        if len(way) > places or min(numbers) < 0:
            continue
        verified = placed(np.where(ranks.T[numbers] > top, -inf, 0.0)) == 0.0
        score = placed(logs.T[numbers]) / len(way)
        best = max(best, Trace(way, verified, score), key=lambda t: (t.verified, t.score))
    return best


def placed(gains: np.ndarray | Sequence[Sequence[float]]) -> float:
    """The largest sum of one entry a row, in columns that grow from row to row.

    Args:
        gains: `(values, places)`, at least as many places as values.
    """
    rows = np.asarray(gains, float)
    best = np.zeros(rows.shape[1] + 1)  # what rows so far give within the first p columns
    for row in rows:
        reached = np.concatenate([[-inf], best[:-1] + row])
        best = np.maximum.accumulate(reached)
    return float(best[-1])
