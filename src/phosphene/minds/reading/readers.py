"""Readers: how well each candidate fits each thought, by the head or by probes fitted elsewhere."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from phosphene.minds.mind import Mind
from phosphene.minds.reading.affine import fit_affine
from phosphene.minds.reading.candidates import Candidates
from phosphene.minds.reading.lenses import spoken
from phosphene.minds.reading.record import Record

Reader = Literal["head", "probe"]
READERS: tuple[Reader, ...] = ("head", "probe")
FEWEST = 16  # problems that a probe is fitted on


def by_head(mind: Mind, thoughts: np.ndarray, among: Candidates) -> np.ndarray:
    """Logits of the candidates, `(items, places, candidates)`, were the thought spoken aloud."""
    flat = torch.as_tensor(thoughts.reshape(-1, thoughts.shape[-1]), device=mind.device)
    logits = spoken(mind, flat).cpu().numpy()[:, among.ids]
    return logits.reshape(*thoughts.shape[:2], -1)


def by_probe(seen: Record, fitted: Record, marked: np.ndarray) -> np.ndarray:
    """Scores by linear probes, one for each place and value, fitted on other problems.

    Args:
        seen: whose thoughts are read.
        fitted: problems that share nothing with them.
        marked: `(fitted items, values, candidates)`, 1 where the candidate is what the value holds;
            rows of nan for problems that lack the value.

    Returns:
        `(items, values, places, candidates)`; all nought for values that too few problems have.
    """
    items, places = seen.thoughts.shape[:2]
    out = np.zeros((items, marked.shape[1], places, marked.shape[2]))
    for value in range(marked.shape[1]):
        there = np.isfinite(marked[:, value, 0])
        if there.sum() < FEWEST:
            continue
        for place in range(places):
            probe = fit_affine(fitted.thoughts[there, place], marked[there, value])
            out[:, value, place] = probe(seen.thoughts[:, place])
    return out


def one_hot(truth: np.ndarray, classes: int) -> np.ndarray:
    """`(items, values, classes)` of class numbers `(items, values)`; nan where they are -1."""
    marked = (truth[:, :, None] == np.arange(classes)).astype(float)
    marked[truth < 0] = np.nan
    return marked


def standing(scores: np.ndarray) -> np.ndarray:
    """Ranks over the last axis: 1 for the best; ties share their mean."""
    from scipy.stats import rankdata

    return rankdata(-scores, axis=-1)


def shares(scores: np.ndarray) -> np.ndarray:
    """Softmax over the last axis."""
    raised = np.exp(scores - scores.max(-1, keepdims=True))
    return raised / raised.sum(-1, keepdims=True)
