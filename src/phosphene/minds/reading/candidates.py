"""Candidates: the words that a thought may be read as, and which of them are true."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.mind import Mind
from phosphene.minds.task import TextProblem


@dataclass(frozen=True, eq=False)
class Candidates:
    """Words with a first token of their own.

    Args:
        words: in order of the alphabet, numbers by size.
        ids: `(candidates,)`, each word's first token, as it is said within a sentence.
        left_out: words that begin with the same token as another and can't be told from it.
    """

    words: tuple[str, ...]
    ids: np.ndarray
    left_out: tuple[str, ...] = ()

    def number(self, word: str) -> int:
        """The word's place among the candidates; -1 where it is none."""
        return self.words.index(word) if word in self.words else -1

    def numbers(self, words: Iterable[str]) -> list[int]:
        """Places of those words that are candidates."""
        return [self.words.index(w) for w in words if w in self.words]

    @property
    def note(self) -> str:
        """What a reader should know of words that were left out; empty where none were."""
        if not self.left_out:
            return ""
        return (
            f"{len(self.left_out)} words begin with a token that others begin with too and are "
            f"left out, e.g. {self.left_out[0]}"
        )


def candidates(mind: Mind, problems: Sequence[TextProblem]) -> Candidates:
    """All words that a named value takes, an answer may be, or a frontier holds.

    Raises:
        PhospheneError: the problems name no values, or their words can't be told apart.
    """
    words: set[str] = set()
    for problem in problems:
        words |= {*problem.values.values(), *problem.options}
        words |= {w for frontier in problem.state.get("frontiers", ()) for w in frontier}
        words |= {w for edge in problem.state.get("edges", ()) for w in edge}
    ids = {word: _first(mind, word) for word in sorted(words, key=_order)}
    held = list(ids.values())
    alone = [word for word, token in ids.items() if held.count(token) == 1]
    if len(alone) < 2:
        raise PhospheneError(
            f"{problems[0].task} has {len(words)} words to read in thoughts, and {len(alone)} of "
            f"them can be told apart by {mind.id}; choose a task with named values"
        )
    clash = tuple(word for word in ids if word not in set(alone))
    return Candidates(tuple(alone), np.array([ids[w] for w in alone]), clash)


def value_names(problems: Sequence[TextProblem]) -> list[str]:
    """Names of the values on the way, in the order of the longest problem.

    Raises:
        PhospheneError: there are none.
    """
    longest = max(problems, key=lambda p: len(p.values))
    names = list(dict.fromkeys([*longest.values, *(n for p in problems for n in p.values)]))
    if not names:
        raise PhospheneError(f"problems of {longest.task} name no values on the way")
    return names


def truths(problems: Sequence[TextProblem], names: Sequence[str], among: Candidates) -> np.ndarray:
    """int `(items, values)`: each value's place among the candidates; -1 where there is none."""
    rows = [[among.number(p.values[n]) if n in p.values else -1 for n in names] for p in problems]
    return np.array(rows)


def _first(mind: Mind, word: str) -> int:
    """First token of a word: with the blank before it, unless that falls into more pieces."""
    spaced, bare = mind.ids(f" {word}"), mind.ids(word)
    chosen = spaced if len(spaced) <= len(bare) else bare
    if not chosen:
        raise PhospheneError(f"the tokenizer of {mind.id} makes no token of {word!r}")
    return chosen[0]


def _order(word: str) -> tuple[int, int, str]:
    return (0, int(word), "") if word.isdigit() else (1, 0, word)
