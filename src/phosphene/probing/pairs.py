"""Pairs: two problems that look alike and end differently, run from the same noise.

What differs between the two runs of a pair is what differs between their problems: the material of
activation patching (counterfactual pairs in place of noise, which leads off the distribution).

References:
    Towards Best Practices of Activation Patching (Zhang, Nanda, 2023), https://arxiv.org/abs/2309.16042
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probing.ability import Ability, ability
from phosphene.request import Request
from phosphene.subject import Subject
from phosphene.task import Problem

VISIBLE = 24  # of 255: a pixel that differs by more is another pixel
ENOUGH = 5  # pairs; with fewer no test by sign flips reaches 0.05: 1 / 2^4


@dataclass(frozen=True, eq=False)
class Pair:
    """Two problems of one layout with different answers.

    Args:
        base: the problem whose run is changed.
        donor: the problem that the change is taken from.
        twin: another problem with the base's answer, for the placebo; None where there is none.
        differs: what of their states differs beside the answer, e.g. `("a",)`.
        apart: share of the first frame's pixels that differ.
    """

    base: Problem
    donor: Problem
    twin: Problem | None
    differs: tuple[str, ...]
    apart: float


@dataclass(frozen=True, eq=False)
class Pool:
    """The pairs, and what they were chosen from.

    Args:
        pairs: disjoint: no problem is base or donor twice, so that pairs count as independent.
        able: of the pool's unchanged runs.
        candidates: distinct problems there were.
        right: how many of these the subject answers right from the common noise.
    """

    pairs: Sequence[Pair]
    able: Ability
    candidates: int
    right: int

    @property
    def reason(self) -> str | None:
        """Why no claim about answers can be made from these pairs; None if one can."""
        if not self.able.does:
            return f"the subject does not do the task ({self.able})"
        if len(self.pairs) < ENOUGH:
            return f"{len(self.pairs)} pairs of right answers; {ENOUGH} are needed: add items"
        return None

    @property
    def note(self) -> str:
        """What a reader should know of the choice."""
        kinds = Counter("+".join(p.differs) or "nothing named" for p in self.pairs)
        told = ", ".join(f"{n} in {kind}" for kind, n in kinds.most_common())
        twins = sum(p.twin is not None for p in self.pairs)
        return (
            f"{self.right} of {self.candidates} distinct problems are answered right from the "
            f"common noise; {len(self.pairs)} disjoint pairs of them differ: {told}; {twins} have "
            f"another problem with the base's answer"
        )


def choose(
    subject: Subject, book: Notebook, most: int, noise: int = 0, differs: str | None = None
) -> Pool:
    """Pair up the subject's problems, nearest first frames first.

    Both are answered right from the common noise; only where the subject can't do the task are
    pairs made of any problems, and nothing may be claimed from them.

    Args:
        most: pairs at most.
        noise: seed of the noise that all runs start from.
        differs: the one entry of the state that may differ; None for any.

    Raises:
        PhospheneError: no two problems make a pair.
    """
    problems = distinct(subject)
    settle(subject, [subject.request(p, noise=noise) for p in problems])
    verdicts: list[bool] = []
    book.plan(-(-len(problems) // subject.batch))
    for i, part in enumerate(batches(problems, subject.batch)):
        verdicts += book.once(
            f"pool from noise {noise}, from {part[0].seed} to {part[-1].seed}",
            lambda part=part: _right(subject, part, noise),
            f"pool {i + 1}",
        )
    able = ability(subject, [[v] for v in verdicts])
    usable = [p for p, v in zip(problems, verdicts, strict=True) if v or not able.does]
    pairs = matched(subject, usable, most, differs)
    if not pairs:
        only = f" that differ in {differs!r} alone" if differs else ""
        raise PhospheneError(
            f"no two of {len(usable)} problems of {subject.task.name} make a pair with different "
            f"answers{only}; add items"
        )
    return Pool(pairs, able, len(problems), sum(verdicts))


def settle(subject: Subject, requests: Sequence[Request]) -> None:
    """Run one batch unchanged, so that `subject.batch` is what the pipeline really takes.

    Edits that know their samples are made for batches of that size; it has to be known before,
    in a run that goes on from a notebook too.
    """
    subject.run(requests[: subject.batch])


def distinct(subject: Subject) -> list[Problem]:
    """The subject's problems, each once: what differs in its seed alone is the same to ask."""
    seen: dict[tuple, Problem] = {}
    for problem in subject.problems:
        request = subject.request(problem)
        shown = None if request.first_frame is None else request.first_frame.tobytes()
        seen.setdefault((request.prompt, shown), problem)
    return list(seen.values())


def matched(
    subject: Subject, problems: Sequence[Problem], most: int, differs: str | None = None
) -> list[Pair]:
    """Disjoint pairs with different answers, those whose first frames differ least first."""
    frames = [subject.task.first_frame(p, subject.canvas) for p in problems]
    distance = np.zeros((len(problems), len(problems)))
    for i, j in combinations(range(len(problems)), 2):
        distance[i, j] = distance[j, i] = changed(frames[i], frames[j]).mean()
    offers = [
        (float(distance[i, j]), i, j)
        for i, j in combinations(range(len(problems)), 2)
        if _apart(subject, problems[i], problems[j])
        and (differs is None or differing(problems[i], problems[j]) == (differs,))
    ]
    taken: set[int] = set()
    pairs: list[Pair] = []
    for gap, i, j in sorted(offers):
        if len(pairs) == most:
            break
        if taken & {i, j}:
            continue
        taken |= {i, j}
        # Which of the two is the base is left to chance, lest all donors be the later ones; but
        # one that has a twin goes before one that has none.
        order = (i, j) if problems[i].seed % 2 else (j, i)
        twins = [_twin(problems, distance, *order), _twin(problems, distance, *order[::-1])]
        if twins[0] is None and twins[1] is not None:
            order, twins = order[::-1], twins[::-1]
        base, donor = (problems[k] for k in order)
        pairs.append(Pair(base, donor, twins[0], differing(base, donor), gap))
    return pairs


def _twin(
    problems: Sequence[Problem], distance: np.ndarray, base: int, donor: int
) -> Problem | None:
    """The problem nearest to the base that has its answer too."""
    answer = problems[base].state["answer"]
    for k in np.argsort(distance[base], kind="stable").tolist():
        if k not in (base, donor) and problems[k].state["answer"] == answer:
            return problems[k]
    return None


def named(pairs: Sequence[Pair]) -> str:
    """Words for a batch of pairs that no other batch shares."""
    return "pairs " + ", ".join(f"{p.base.seed}<{p.donor.seed}" for p in pairs)


def changed(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """Where two pictures `(h, w, 3)` differ visibly: bool `(h, w)`."""
    return np.asarray((np.abs(a.astype(int) - b.astype(int)) > VISIBLE).any(-1))


def differing(a: Problem, b: Problem) -> tuple[str, ...]:
    """Names of the entries in which two states differ, the answer aside."""
    names = sorted({*a.state, *b.state} - {"answer"})
    return tuple(n for n in names if a.state.get(n) != b.state.get(n))


def _apart(subject: Subject, a: Problem, b: Problem) -> bool:
    """Is neither one's answer right for the other?"""
    right = subject.task.right
    return not right(a, b.state["answer"]) and not right(b, a.state["answer"])


def _right(subject: Subject, problems: Sequence[Problem], noise: int) -> list[bool]:
    seen = subject.run([subject.request(p, noise=noise) for p in problems])
    return [bool(subject.right(p, s.clip)) for p, s in zip(problems, seen, strict=True)]
