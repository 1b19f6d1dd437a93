"""Depth: does thinking longer help, on which questions, and against whom?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.ladder import Ladder, climb, hops, row
from phosphene.minds.probe import MindProbe
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Result
from phosphene.statistics import compare, holm

TWINS = ("pause", "none", "cot", "flat")


@dataclass(frozen=True)
class Depth(MindProbe):
    """Accuracy for 0, 1, 2, ... thoughts and each number of hops, all on the same items. The answer
    mark is put right behind the thoughts: a model whose thoughts were taken away can't make up for
    them by going through the steps in words.

    Twins, taught the same task in another way, answer the same items, each in its own way.

    Args:
        beyond: how many thoughts more than the mind's own to go to.
        twins: backbones to compare with; `mind/NAME-pause`, -none, -cot and -flat if empty, as far
            as they are embedded, where the mind is `mind/NAME`.
        seed: of resampling.

    References:
        Training Large Language Models to Reason in a Continuous Latent Space (Hao et al., 2024),
        https://arxiv.org/abs/2412.06769: accuracy against thoughts, and the twins
    """

    beyond: int = 2
    twins: tuple[str, ...] = ()
    seed: int = 0
    name: ClassVar[str] = "depth"
    ASKS = "Does thinking longer make answers right, and do longer chains need more of it?"
    CONTROLS = "no thought on the same items, chance, shuffled hops, twins taught in other ways"

    def __post_init__(self) -> None:
        if self.beyond < 0:
            raise PhospheneError(f"beyond must be 0 or more; got {self.beyond}")

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        if subject.way not in ("thoughts", "pause") or not subject.thoughts:
            raise PhospheneError(
                f"{subject.mind.id} answers by way of {subject.way} with {subject.thoughts} "
                f"thoughts; depth needs some: add --way thoughts --thoughts 4"
            )
        rivals = self.twins or embedded_twins(subject.mind.id)
        parts = list(subject.batches())
        book.plan(len(parts) * (2 + len(rivals)))
        most = subject.thoughts + self.beyond
        right = np.concatenate(
            [
                book.once(f"by thoughts, batch {i}", lambda some=some: climb(subject, some, most))
                for i, some in enumerate(parts)
            ],
            axis=1,
        ).astype(bool)
        answers = {"itself": _freely(subject, "itself", book)}
        for rival in rivals:
            answers[rival] = _freely(_beside(subject, rival), rival, book)
        seen = Ladder(subject, right, np.array([hops(p) for p in subject.problems]))
        return Result(
            [*seen.table(), *_twin_rows(subject, answers)],
            [*seen.findings(self.seed), *_versus(answers, self.seed)],
            seen.figures(),
            [
                "by thoughts: the answer mark is put right behind the thoughts; against twins: "
                "each answers in its own way",
                *([] if rivals else ["no twin of this mind is embedded, and none was named"]),
            ],
        )


def embedded_twins(id: str) -> tuple[str, ...]:
    """Embedded minds that learned what `id`, an embedded one itself, learned in another way."""
    from phosphene.minds.opening import DEFAULT, embedded

    if id != "mind" and not id.startswith("mind/"):
        return ()
    name = id.partition("/")[2] or DEFAULT
    return tuple(t for t in (f"mind/{name}-{way}" for way in TWINS) if t in embedded())


def _beside(subject: MindSubject, rival: str) -> MindSubject:
    """The same problems before another mind, which answers in its own way."""
    from phosphene.minds.asking import check_words
    from phosphene.minds.opening import open_mind

    task, setup = subject.task, subject.setup
    own = replace(setup, task=task.name, fields=vars(task), way=None, thoughts=None)
    beside = MindSubject(open_mind(rival), own)
    check_words(beside.mind, [p.question for p in beside.problems])
    return beside


@dataclass(frozen=True, eq=False)
class _Answers:
    """What a mind said in its own way: right `(items,)`, and mean tokens and thoughts spent."""

    way: str
    thoughts: int
    right: np.ndarray
    tokens: float


def _freely(subject: MindSubject, name: str, book: Notebook) -> _Answers:
    right: list[bool] = []
    tokens: list[int] = []
    for i, some in enumerate(subject.batches()):
        unit = book.once(f"{name}, batch {i}", lambda some=some: _free(subject, some))
        right += unit["right"]
        tokens += unit["tokens"]
    return _Answers(subject.way, subject.thoughts, np.array(right), float(np.mean(tokens)))


def _free(subject: MindSubject, problems: Sequence[TextProblem]) -> dict[str, Any]:
    got = subject.answer(problems)
    return {"right": subject.right(problems, got).tolist(), "tokens": got.tokens}


def _twin_rows(subject: MindSubject, answers: Mapping[str, _Answers]) -> list[dict[str, Any]]:
    return [
        row(subject, name, a.way, a.thoughts, "all", "freely", a.right, a.tokens)
        for name, a in answers.items()
    ]


def _versus(answers: Mapping[str, _Answers], seed: int) -> list[Finding]:
    """Against each twin on the same items: McNemar's exact test, corrected for all twins."""
    own = answers["itself"]
    rivals = [(name, a) for name, a in answers.items() if name != "itself"]
    tests = [
        compare([[r] for r in own.right.tolist()], [[r] for r in a.right.tolist()], seed)
        for _, a in rivals
    ]
    out = []
    for (name, rival), t, p in zip(rivals, tests, holm([t.p for t in tests]), strict=True):
        d = t.difference
        says = (
            f"by {own.way} {t.a} with {own.tokens:.1f} tokens and thoughts an answer, {name} by "
            f"{rival.way} {t.b} with {rival.tokens:.1f}"
            f"{'; the twin is better' if d.high < 0 and p < ALPHA else ''}"
        )
        holds = d.low > 0 and p < ALPHA
        n = len(own.right)
        finding = f"better than {name}"
        out.append(Finding(finding, says, holds, *d[:3], 0.0, p, n, "share"))
    return out


COMPONENT = Depth
