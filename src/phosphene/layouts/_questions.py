"""What AlgoPuzzleVQA and PuzzleVQA share: a file of JSON lines a kind, each line a question."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phosphene.layouts._files import files, first_object, json_lines, safe, within
from phosphene.pack import PackItem

_NEEDED = ("image", "question", "answer")


def kinds(root: Path, told: str) -> list[Path]:
    """The files whose first line asks a question and tells what `told` names."""
    return [
        path
        for path in files(root, ".json")
        if (first := first_object(path)) and {*_NEEDED, told} <= first.keys()
    ]


def asked(root: Path, told: str) -> Iterator[tuple[PackItem, dict[str, Any]]]:
    """Every item, without facts, beside its line.

    Raises:
        PhospheneError: a line that is damaged or leads out of the pack.
    """
    for path in kinds(root, told):
        for _number, line in json_lines(path, *_NEEDED):
            image = str(line["image"])
            item = PackItem(
                id=safe(Path(image).stem),
                kind=path.stem,
                picture=within(root, path.parent, image),
                prompt=str(line["question"]),
                options=tuple(str(option) for option in line.get("options", ())),
                answer=str(line["answer"]),
            )
            yield item, line
