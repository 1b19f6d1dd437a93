"""PuzzleVQA: a file of JSON lines a kind, with question, answer, caption and explanation.

declare-lab/LLM-PuzzleTest, `PuzzleVQA/data`; arXiv 2403.13315.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from phosphene.layouts._questions import asked, kinds
from phosphene.pack import Layout, PackItem

_TOLD = ("caption", "explanation", "deduction")


class PuzzleVQA(Layout):
    """`KIND.json` of lines with `image`, `question`, `options`, `answer`, `caption`."""

    name: ClassVar[str] = "puzzlevqa"

    def matches(self, root: Path) -> bool:
        return bool(kinds(root, "caption"))

    def items(self, root: Path) -> Iterator[PackItem]:
        for item, line in asked(root, "caption"):
            yield replace(item, facts={name: line[name] for name in _TOLD if name in line})


COMPONENT = PuzzleVQA
