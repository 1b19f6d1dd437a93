"""PuzzleVQA: a file of JSON lines a kind, with question, answer, caption and explanation.

declare-lab/LLM-PuzzleTest, `PuzzleVQA/data`; arXiv 2403.13315.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from phosphene.layouts._files import files, first_object, json_lines, safe, within
from phosphene.pack import Layout, PackItem

_NEEDED = ("image", "question", "answer")
_TOLD = ("caption", "explanation", "deduction")


class PuzzleVQA(Layout):
    """`KIND.json` of lines with `image`, `question`, `options`, `answer`, `caption`."""

    name: ClassVar[str] = "puzzlevqa"

    def matches(self, root: Path) -> bool:
        return bool(_kinds(root))

    def items(self, root: Path) -> Iterator[PackItem]:
        for path in _kinds(root):
            for _number, line in json_lines(path, *_NEEDED):
                image = str(line["image"])
                yield PackItem(
                    id=safe(Path(image).stem),
                    kind=path.stem,
                    picture=within(root, path.parent, image),
                    prompt=str(line["question"]),
                    options=tuple(str(option) for option in line.get("options", ())),
                    answer=str(line["answer"]),
                    facts={name: line[name] for name in _TOLD if name in line},
                )


def _kinds(root: Path) -> list[Path]:
    return [
        path
        for path in files(root, ".json")
        if (first := first_object(path)) and {*_NEEDED, "caption"} <= first.keys()
    ]


COMPONENT = PuzzleVQA
