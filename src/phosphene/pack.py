"""Pack: a folder of somebody else's benchmark. A layout finds its items, a puzzle reads them."""

from __future__ import annotations

import abc
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.registry import Registry
from phosphene.verdict import Verdict

layouts = Registry("layout", "phosphene.layouts")
puzzles = Registry("puzzle", "phosphene.puzzles")


class Unreadable(Exception):
    """A picture that a puzzle can't read; the message says what was missing. Never a guess."""


@dataclass(frozen=True)
class PackItem:
    """One item of a pack, as its folder tells it; nothing has been read from the picture yet.

    Args:
        id: unique in the pack, stable, usable as a file name.
        kind: the pack's own word for what it is, e.g. `math_level1` or `n_queens`.
        puzzle: the name in `puzzles` of what can read it, None where nothing can.
        picture: the first frame.
        prompt: what a generator is asked, or the question where the pack asks one.
        options: choices offered, if any.
        answer: the answer the pack gives, None where it gives none.
        facts: whatever else the pack tells: symbolic solution, caption, grids.
        final_frame, ground_truth: picture and video of the solution, where the pack has them.
    """

    id: str
    kind: str
    puzzle: str | None = None
    picture: Path | None = None
    prompt: str = ""
    options: tuple[str, ...] = ()
    answer: str | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)
    final_frame: Path | None = None
    ground_truth: Path | None = None


class Layout(abc.ABC):
    """How one benchmark lays out its files. One file in `layouts/` is one layout."""

    name: ClassVar[str]

    @abc.abstractmethod
    def matches(self, root: Path) -> bool:
        """Whether the folder looks like this layout; looks at names and small files only."""

    @abc.abstractmethod
    def items(self, root: Path) -> Iterator[PackItem]:
        """Every item, in a stable order.

        Raises:
            PhospheneError: a file of the pack is damaged; names the file and line.
        """


class Puzzle(abc.ABC):
    """Reads, solves and judges one kind of puzzle picture. One file in `puzzles/` is one kind."""

    name: ClassVar[str]

    @abc.abstractmethod
    def read(self, picture: np.ndarray) -> dict[str, Any]:
        """The problem in a uint8 `(h, w, 3)` picture, JSON-able, from the pixels alone.

        Raises:
            Unreadable: the picture doesn't show such a puzzle clearly.
        """

    @abc.abstractmethod
    def solve(self, parsed: Mapping[str, Any]) -> Any:
        """The solution of a problem that was read, JSON-able.

        Raises:
            Unreadable: the problem has no solution, or more than one where one is asked for.
        """

    def answer(self, parsed: Mapping[str, Any], item: PackItem) -> str | None:
        """The answer to the item's own question, from the picture and the question's words.

        None where the pack asks nothing in words. By default nothing is asked.

        Raises:
            Unreadable: the question can't be understood.
        """
        return None

    @abc.abstractmethod
    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        """Judge a clip that was generated from `picture`, by its last frame and its givens.

        `item` gives the question's words, for kinds whose picture alone asks nothing.

        Raises:
            Unreadable: the picture can't be read or solved.
        """
