"""AlgoPuzzleVQA: a file of JSON lines a kind, with question, answer and symbolic solution.

declare-lab/LLM-PuzzleTest, `AlgoPuzzleVQA/data`; arXiv 2403.03864.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import ClassVar

from phosphene.layouts._files import files, first_object, json_lines, safe, within
from phosphene.pack import Layout, PackItem

_PUZZLES = {
    "clock": "clock",
    "maze": "maze",
    "n_queens": "n_queens",
    "number_slide": "number_slide",
    "number_slide_easy": "number_slide",
    "tower_of_hanoi": "tower_of_hanoi",
}
_NEEDED = ("image", "question", "answer")


class AlgoPuzzleVQA(Layout):
    """`KIND.json` of lines with `image`, `question`, `options`, `answer`, `solution`."""

    name: ClassVar[str] = "algopuzzlevqa"

    def matches(self, root: Path) -> bool:
        return bool(_kinds(root))

    def items(self, root: Path) -> Iterator[PackItem]:
        for path in _kinds(root):
            for _number, line in json_lines(path, *_NEEDED):
                image = str(line["image"])
                yield PackItem(
                    id=safe(Path(image).stem),
                    kind=path.stem,
                    puzzle=_PUZZLES.get(path.stem),
                    picture=within(root, path.parent, image),
                    prompt=str(line["question"]),
                    options=tuple(str(option) for option in line.get("options", ())),
                    answer=str(line["answer"]),
                    facts=line.get("solution") or {},
                )


def _kinds(root: Path) -> list[Path]:
    return [
        path
        for path in files(root, ".json")
        if (first := first_object(path)) and {*_NEEDED, "solution"} <= first.keys()
    ]


COMPONENT = AlgoPuzzleVQA
