"""AlgoPuzzleVQA: a file of JSON lines a kind, with question, answer and symbolic solution.

declare-lab/LLM-PuzzleTest, `AlgoPuzzleVQA/data`; arXiv 2403.03864.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from phosphene.layouts._questions import asked, kinds
from phosphene.pack import Layout, PackItem

_PUZZLES = {
    "clock": "clock",
    "maze": "maze",
    "n_queens": "n_queens",
    "number_slide": "number_slide",
    "number_slide_easy": "number_slide",
    "tower_of_hanoi": "tower_of_hanoi",
}


class AlgoPuzzleVQA(Layout):
    """`KIND.json` of lines with `image`, `question`, `options`, `answer`, `solution`."""

    name: ClassVar[str] = "algopuzzlevqa"

    def matches(self, root: Path) -> bool:
        return bool(kinds(root, "solution"))

    def items(self, root: Path) -> Iterator[PackItem]:
        for item, line in asked(root, "solution"):
            facts = line.get("solution") or {}
            yield replace(item, puzzle=_PUZZLES.get(item.kind), facts=facts)


COMPONENT = AlgoPuzzleVQA
