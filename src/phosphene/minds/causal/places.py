"""Places: named groups of tokens, from the facts of a question to where its answer is said."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.causal.telling import asking, sentences
from phosphene.minds.mind import Mind
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem

QUESTION = ("path facts", "other facts", "query")
Place = tuple[int, torch.Tensor]  # a call, and bool (b, positions of that call)


@dataclass(frozen=True, eq=False)
class Parts:
    """The tokens of one question.

    Args:
        ids: all of them.
        sentence: `(tokens,)`, the number of the sentence that each is part of.
        path: for each worked step, the sentence that states it; None where none does.
        asked: numbers of the sentences in which something is asked.
    """

    ids: Sequence[int]
    sentence: np.ndarray
    path: Sequence[int | None]
    asked: frozenset[int]

    def groups(self, further: Sequence[int] = ()) -> dict[str, np.ndarray]:
        """bool `(tokens,)` by name of `QUESTION`.

        Args:
            further: sentences that count as path facts too, e.g. those of the twin.
        """
        on = {p for p in self.path if p is not None} | set(further)
        path = np.isin(self.sentence, sorted(on))
        query = np.isin(self.sentence, sorted(self.asked)) & ~path
        return {"path facts": path, "other facts": ~path & ~query, "query": query}


def parts(mind: Mind, problem: TextProblem) -> Parts:
    """Which sentence each token of a question is part of, and which of them are the way to its end.

    Raises:
        PhospheneError: a question with a picture, whose tokens are not all words, or a tokenizer
            that doesn't tell where its tokens come from.
    """
    if problem.picture is not None:
        raise PhospheneError(
            f"{problem.task} asks about pictures; groups of tokens are known for words alone"
        )
    if not getattr(mind.tokenizer, "is_fast", False):
        raise PhospheneError(
            f"the tokenizer of {mind.id} doesn't tell where its tokens come from; use a fast one"
        )
    told = sentences(problem.question)
    ends = np.cumsum([len(s) for s in told])
    read = mind.tokenizer(problem.question, add_special_tokens=False, return_offsets_mapping=True)
    at = np.array([(a + b) / 2 for a, b in read["offset_mapping"]])
    number = np.minimum(np.searchsorted(ends, at, side="right"), len(told) - 1)
    plain = [_words(mind, s) for s in told]
    steps = [_words(mind, s) for s in problem.steps]
    path = [plain[:-1].index(s) if s in plain[:-1] else None for s in steps]
    return Parts(read["input_ids"], number, path, frozenset(asking(problem)))


def _words(mind: Mind, sentence: str) -> tuple[int, ...]:
    return tuple(mind.ids(re.sub(r"[.?!]", " ", sentence).strip().lower()))


@dataclass(frozen=True, eq=False)
class Pairs:
    """Problems and their twins, token for token.

    Args:
        bases, twins: the problems.
        groups: name -> bool `(b, tokens)`, padded on the left as the batch is.
    """

    bases: Sequence[TextProblem]
    twins: Sequence[TextProblem]
    groups: Mapping[str, torch.Tensor]


def paired(subject: MindSubject, problems: Sequence[TextProblem]) -> Pairs:
    """A batch of problems with their twins; the path facts of both count as path facts.

    Raises:
        PhospheneError: a problem and its twin differ in length: their tokens don't line up.
    """
    twins = [subject.task.twin(p) for p in problems]
    rows = []
    for base, twin in zip(problems, twins, strict=True):
        own, other = parts(subject.mind, base), parts(subject.mind, twin)
        if len(own.ids) != len(other.ids):
            raise PhospheneError(
                f"{subject.task.name}: problem {base.seed} has {len(own.ids)} tokens and its twin "
                f"{len(other.ids)}; places can't be compared with this tokenizer"
            )
        rows.append(own.groups([p for p in other.path if p is not None]))
    length = max(len(r["query"]) for r in rows)
    masks = {}
    for name in QUESTION:
        mask = torch.zeros(len(rows), length, dtype=torch.bool)
        for i, row in enumerate(rows):
            mask[i, length - len(row[name]) :] = torch.from_numpy(row[name])
        masks[name] = mask.to(subject.mind.device)
    return Pairs(problems, twins, masks)


def spots(subject: MindSubject, pairs: Pairs) -> dict[str, Place]:
    """Every group that can be patched: those of the question, the marks, each thought.

    Calls are numbered as `Wires` counts them in `told`: 0 the question with the begin mark, 1 .. T
    the thoughts, or 1 all pauses, and then the marks before the answer.
    """
    mind, rows = subject.mind, len(pairs.bases)
    begin = len(mind.mark("begin"))
    out: dict[str, Place] = {}
    for name, mask in pairs.groups.items():
        if mask.any():
            out[name] = (0, torch.cat([mask, mask.new_zeros(rows, begin)], 1))
    if begin:
        length = next(iter(pairs.groups.values())).shape[1]
        mark = torch.zeros(rows, length + begin, dtype=torch.bool, device=mind.device)
        mark[:, length:] = True
        out["begin mark"] = (0, mark)
    one = torch.ones(rows, 1, dtype=torch.bool, device=mind.device)
    calls = 1
    if subject.way == "thoughts":
        for t in range(subject.thoughts):
            out[f"thought {t + 1}"] = (1 + t, one)
        calls += subject.thoughts
    elif subject.way == "pause" and subject.thoughts:
        out["pauses"] = (1, one.expand(-1, subject.thoughts))
        calls += 1
    end, answer = len(mind.mark("end")), len(mind.mark("answer"))
    if end + answer:
        for name, slot in (("end mark", slice(0, end)), ("answer mark", slice(end, None))):
            mask = torch.zeros(rows, end + answer, dtype=torch.bool, device=mind.device)
            mask[:, slot] = True
            if mask.any():
                out[name] = (calls, mask)
    return out
