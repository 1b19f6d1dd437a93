"""Contrast: pairs of prompts that differ in a condition, and how a mind decides on each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind
from phosphene.minds.subject import MindSubject
from phosphene.minds.thinking import State, hear, prepare, start


@dataclass(frozen=True)
class Pair:
    """Two prompts.

    Args:
        a: with the condition.
        b: without it; otherwise the same question.
        want: the word that the condition calls for; empty where behaviour isn't asked about.
        other: the word that is said without it.
        group: pairs of one group are kin, e.g. wordings of one request, and count as one draw.
    """

    a: str
    b: str
    want: str = ""
    other: str = ""
    group: str = ""

    def __post_init__(self) -> None:
        if not self.a.strip() or not self.b.strip():
            raise PhospheneError("a pair needs two prompts, a and b; one is empty")


@dataclass(frozen=True)
class Contrast:
    """Pairs, and where they come from.

    Args:
        pairs: two at least.
        about: what tells a from b, in a few words.
    """

    pairs: tuple[Pair, ...]
    about: str

    def __post_init__(self) -> None:
        if len(self.pairs) < 2:
            raise PhospheneError(f"a contrast needs two pairs or more; got {len(self.pairs)}")

    @property
    def digest(self) -> str:
        """12 hex digits of all pairs."""
        told = json.dumps([asdict(p) for p in self.pairs])
        return hashlib.sha256(told.encode()).hexdigest()[:12]

    @property
    def groups(self) -> np.ndarray:
        """`(pairs,)`: number of each pair's group; a pair without one is a group by itself."""
        names = [p.group or f"pair {i}" for i, p in enumerate(self.pairs)]
        return np.unique(names, return_inverse=True)[1]

    def grouped(self, values: np.ndarray) -> np.ndarray:
        """Means over the pairs of each group: `(pairs, ...)` -> `(groups, ...)`."""
        member = np.eye(self.groups.max() + 1)[self.groups]
        return np.tensordot((member / member.sum(0)).T, values, 1)

    @property
    def asks(self) -> bool:
        """Whether all pairs name the words that behaviour is told by."""
        return all(p.want and p.other for p in self.pairs)


def contrast_of(subject: MindSubject, path: str, want: str = "", other: str = "") -> Contrast:
    """The pairs of a file, or else the task's problems against their twins.

    Of problem and twin neither has a condition that the other lacks: all that differs is the
    content, and the answer with it.

    Args:
        path: of a file of JSON lines `{"a": ..., "b": ..., "want": ..., "other": ..., "group":
            ...}`, of which only a and b must be there; empty for the task's own. The first
            `items` of the subject's setup are taken.
        want, other: words for the lines that name none.
    """
    if path:
        pairs = read_pairs(Path(path).expanduser())[: subject.setup.items]
        filled = [replace(p, want=p.want or want, other=p.other or other) for p in pairs]
        return Contrast(tuple(filled), f"a against b of {Path(path).name}")
    pairs = []
    for problem in subject.problems:
        twin = subject.task.twin(problem)
        words = (want or problem.answer, other or twin.answer)
        pairs.append(Pair(problem.question, twin.question, *words))
    return Contrast(tuple(pairs), f"problems of {subject.task.name} against their twins")


def read_pairs(path: Path) -> list[Pair]:
    """Pairs of a file of JSON lines.

    Raises:
        PhospheneError: it can't be read; a line is no JSON object with the texts a and b, or has
            a key that is not known.
    """
    try:
        lines = path.read_text(encoding="utf-8").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise PhospheneError(f"can't read pairs from {path}: {error}") from error
    return [_pair(line, f"{path}, line {i}") for i, line in enumerate(lines, 1) if line.strip()]


def _pair(line: str, where: str) -> Pair:
    try:
        told: Any = json.loads(line)
    except ValueError as error:
        raise PhospheneError(f"{where} is no JSON: {error}") from error
    known = Pair.__dataclass_fields__
    if not isinstance(told, dict) or not {"a", "b"} <= set(told):
        raise PhospheneError(f'{where} must be {{"a": TEXT, "b": TEXT}}')
    wrong = [k for k, v in told.items() if k not in known or not isinstance(v, str)]
    if wrong:
        raise PhospheneError(f"{where}: {wrong[0]!r} must be a text under {', '.join(known)}")
    return Pair(**told)


@dataclass(frozen=True, eq=False)
class Prompts:
    """Pairs in tokens: all their sides a, then all their sides b.

    Args:
        inputs: a padded batch of `2 n` rows.
        want, other: `(n,)`, first tokens of the pairs' words; None where a pair names none.
        shared: for each row bool `(its tokens,)`: those that the pair's prompts have in common,
            counted from the end.
    """

    inputs: Mapping[str, torch.Tensor]
    want: torch.Tensor | None
    other: torch.Tensor | None
    shared: Sequence[np.ndarray]

    def odds(self, logits: torch.Tensor) -> np.ndarray:
        """Log-odds (nats) of what the condition calls for against the other word: `(2, n)`; nan
        where there are no words.

        Args:
            logits: `(2 n, vocabulary)` where the answer is said.
        """
        if self.want is None or self.other is None:
            return np.full((2, len(logits) // 2), np.nan)
        values = logits.detach().float().cpu()
        rows = torch.arange(len(values))
        odds = values[rows, self.want.repeat(2)] - values[rows, self.other.repeat(2)]
        return odds.double().numpy().reshape(2, -1)


def in_tokens(mind: Mind, pairs: Sequence[Pair]) -> Prompts:
    """Pairs as a mind reads them.

    Raises:
        PhospheneError: the two words of a pair begin with the same token.
    """
    rows = [mind.ids(p.a) for p in pairs] + [mind.ids(p.b) for p in pairs]
    alike = [_shared(a, b) for a, b in zip(rows, rows[len(pairs) :], strict=False)]
    masks = [m[0] for m in alike] + [m[1] for m in alike]
    want = other = None
    if all(p.want and p.other for p in pairs):
        want = torch.tensor([mind.ids(p.want)[0] for p in pairs])
        other = torch.tensor([mind.ids(p.other)[0] for p in pairs])
        same = (want == other).nonzero().flatten().tolist()
        if same:
            pair = pairs[same[0]]
            raise PhospheneError(
                f"{pair.want!r} and {pair.other!r} begin with the same token; choose words that "
                f"differ from the first token on"
            )
    return Prompts(mind.padded(rows), want, other, masks)


def _shared(a: Sequence[int], b: Sequence[int]) -> tuple[np.ndarray, np.ndarray]:
    short = min(len(a), len(b))
    alike = np.array(a[len(a) - short :]) == np.array(b[len(b) - short :])
    before = [np.zeros(len(ids) - short, bool) for ids in (a, b)]
    return np.concatenate([before[0], alike]), np.concatenate([before[1], alike])


def decide(subject: MindSubject, prompts: Prompts) -> State:
    """Read prompts, think in the subject's way, and come to where the answer is said.

    A chain of thought in words is left out: the answer is asked for at once.
    """
    mind = subject.mind
    state = prepare(mind, start(mind, prompts.inputs), subject.way, subject.thoughts)
    mark = mind.mark("answer")
    if mark:
        ids = torch.tensor(mark, device=mind.device).expand(len(state.logits), -1)
        state, _ = hear(mind, state, ids)
    return state
