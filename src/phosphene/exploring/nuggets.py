"""Nuggets: the rule that says which candidates are worth keeping, with a reason for every part.

A nugget is new in two unlike embeddings, at least as good as an ordinary sample, coherent where
there are pictures and sound, unlike every nugget of earlier sessions, and neither an accident of
one run nor of one exact noise.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import combinations

import numpy as np

from phosphene.archive import TWIN
from phosphene.errors import PhospheneError
from phosphene.exploring.diversity import novelty

TOP = 0.9  # quantile of novelty that a nugget reaches
ALIKE = 0.8  # |Spearman| of distances from which on two embeddings say the same
COHERENT = 0.25  # quantile of the warm-up's coherence
SAME = 1e-3  # cosine distance within which a re-render shows the same
_PAIRED = 400  # items whose distances are compared
_NEIGHBOURS = 3


@dataclass(frozen=True)
class Reason:
    """One part of the rule.

    Args:
        value: what was measured; None where it could not be.
        threshold: what it was held against.
        passed: whether it holds.
    """

    value: float | None
    threshold: float
    passed: bool


@dataclass(frozen=True)
class Judgement:
    """What the rule says of one item. Parts come in the order they were tried; the two that cost
    samples are tried only where all others hold.

    Args:
        id: of the candidate.
        reasons: part -> reason.
    """

    id: str
    reasons: Mapping[str, Reason]

    @property
    def nugget(self) -> bool:
        return all(reason.passed for reason in self.reasons.values())


@dataclass(frozen=True, eq=False)
class Finds:
    """The finished candidates of a session, `n` of them, with what is ordinary there.

    Args:
        ids: one a candidate.
        vectors: embedding -> unit float32 `(n, d)`, two embeddings or more.
        quality: `(n,)`, 0..1.
        digests: of the exact clips.
        descriptors: what the archive measures distances between, unit float32 `(n, d)`.
        typical: the warm-up's median quality.
        coherence: raw scores `(n,)`, nan where it could not be judged; None where there is only
            one stream.
        coherences: the warm-up's coherence scores.
        earlier: embedding -> vectors of earlier sessions' nuggets, `(m, d)`; empty without any.

    Raises:
        PhospheneError: fewer than two embeddings, lengths that differ, or earlier nuggets in none
            of the embeddings.
    """

    ids: Sequence[str]
    vectors: Mapping[str, np.ndarray]
    quality: np.ndarray
    digests: Sequence[str]
    descriptors: np.ndarray
    typical: float
    coherence: np.ndarray | None = None
    coherences: Sequence[float] = ()
    earlier: Mapping[str, np.ndarray] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if len(self.vectors) < 2:
            raise PhospheneError(
                f"nuggets are new in two embeddings; the session has {', '.join(self.vectors)}: "
                f"explore with one more --embedding"
            )
        for name, rows in {**self.vectors, "quality": self.quality}.items():
            if len(rows) != len(self.ids):
                raise PhospheneError(f"{name} has {len(rows)} rows for {len(self.ids)} candidates")
        if self.earlier and not set(self.earlier) & set(self.vectors):
            raise PhospheneError(
                f"earlier nuggets are known in {', '.join(self.earlier)}, this session in "
                f"{', '.join(self.vectors)}; embed them in one of these"
            )


Rerender = Callable[[str], tuple[str, np.ndarray]]
Perturb = Callable[[str], Sequence[tuple[np.ndarray, float]]]


def judge(
    finds: Finds, rerender: Rerender, perturb: Perturb, twin: float = TWIN
) -> list[Judgement]:
    """Put the rule to every candidate.

    Args:
        rerender: id -> digest and descriptor of the same recipe made again in full.
        perturb: id -> descriptor and quality of children a small step of noise away (pCN, b = 0.1).
        twin: cosine distance below which an item is one of an earlier session's nuggets.
    """
    free = _free(finds, twin)
    typical = _typical_distance(finds.descriptors)
    out = []
    for row, (id, reasons) in enumerate(zip(finds.ids, free, strict=True)):
        if all(r.passed for r in reasons.values()):
            reasons["repeats"] = _repeats(finds, row, rerender(id))
        if all(r.passed for r in reasons.values()):
            reasons |= _survives(finds, row, perturb(id), typical)
        out.append(Judgement(id, reasons))
    return out


def unlike(vectors: Mapping[str, np.ndarray]) -> tuple[str, str, float]:
    """The two embeddings that agree least about distances, with |Spearman| of those, 0..1."""
    names = list(vectors)
    count = len(vectors[names[0]])
    which = np.linspace(0, count - 1, min(count, _PAIRED)).round().astype(int)
    pairs = np.triu_indices(len(which), 1)
    far = {n: (1 - v[which] @ v[which].T)[pairs] for n, v in vectors.items()}
    found = {(a, b): abs(_spearman(far[a], far[b])) for a, b in combinations(names, 2)}
    first, second = min(found, key=lambda pair: found[pair])
    return first, second, found[first, second]


def _spearman(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation; 1 where it can't be told, for then the two can't be told unlike."""
    if len(a) < 2 or np.ptp(a) == 0 or np.ptp(b) == 0:
        return 1.0
    from scipy.stats import rankdata

    return float(np.corrcoef(rankdata(a), rankdata(b))[0, 1])


def _free(finds: Finds, twin: float) -> list[dict[str, Reason]]:
    """The parts that cost nothing, for every candidate."""
    if len(finds.ids) < 2:
        return [{"company": Reason(len(finds.ids), 2, False)} for _ in finds.ids]
    first, second, agreement = unlike(finds.vectors)
    parts = {"unlike embeddings": [_at_most(agreement, ALIKE, strict=True)] * len(finds.ids)}
    for name in (first, second):
        new = novelty(finds.vectors[name], _NEIGHBOURS)
        high = float(np.quantile(new, TOP))
        parts[f"new in {name}"] = [_at_least(v, high) for v in new]
    parts["good"] = [_at_least(q, finds.typical) for q in finds.quality]
    if finds.coherence is not None:
        # Where the warm-up could not be judged nothing is known to be coherent.
        known = len(finds.coherences) > 0
        low = float(np.quantile(finds.coherences, COHERENT)) if known else np.inf
        parts["coherent"] = [_at_least(c, low) for c in finds.coherence]
    if any(len(v) for v in finds.earlier.values()):
        parts["new to all sessions"] = [_at_least(d, twin) for d in _from_earlier(finds)]
    return [{name: found[i] for name, found in parts.items()} for i in range(len(finds.ids))]


def _from_earlier(finds: Finds) -> np.ndarray:
    """Distance of each candidate to the nearest earlier nugget, `(n,)`: in the embedding that tells
    the two best apart, each centred on this session, for raw vectors have much in common."""
    apart = []
    for name in finds.earlier:
        if name in finds.vectors:
            centre = finds.vectors[name].mean(0)
            here, there = (_unit(v - centre) for v in (finds.vectors[name], finds.earlier[name]))
            apart.append(1 - here @ there.T)
    return np.max(apart, axis=0).min(1)


def _unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=1, keepdims=True).clip(1e-6)


def _repeats(finds: Finds, row: int, again: tuple[str, np.ndarray]) -> Reason:
    """Made again, it is the same clip, or one that can't be told from it."""
    digest, vector = again
    apart = 0.0 if digest == finds.digests[row] else _distance(vector, finds.descriptors[row])
    return _at_most(apart, SAME)


def _survives(
    finds: Finds, row: int, children: Sequence[tuple[np.ndarray, float]], typical: float
) -> dict[str, Reason]:
    """Children a small step away are near it, and good: the median of each."""
    far = [_distance(vector, finds.descriptors[row]) for vector, _ in children]
    good = [quality for _, quality in children]
    return {
        "stays near": _at_most(float(np.median(far)) if far else np.nan, typical, strict=True),
        "stays good": _at_least(float(np.median(good)) if good else np.nan, finds.typical),
    }


def _typical_distance(vectors: np.ndarray) -> float:
    """Median distance between items."""
    if len(vectors) < 2:
        return 0.0
    which = np.linspace(0, len(vectors) - 1, min(len(vectors), _PAIRED)).round().astype(int)
    far = 1 - vectors[which] @ vectors[which].T
    return float(np.median(far[np.triu_indices(len(far), 1)]))


def _distance(a: np.ndarray, b: np.ndarray) -> float:
    return max(0.0, 1 - float(a @ b))


def _at_least(value: float, threshold: float) -> Reason:
    return Reason(_known(value), float(threshold), bool(value >= threshold))


def _at_most(value: float, threshold: float, strict: bool = False) -> Reason:
    passed = value < threshold if strict else value <= threshold
    return Reason(_known(value), float(threshold), bool(passed))


def _known(value: float) -> float | None:
    return None if np.isnan(value) else float(value)
