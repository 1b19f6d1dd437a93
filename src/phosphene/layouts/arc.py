"""ARC: a JSON file a task with `train` and `test` pairs of grids; ConceptARC keeps one folder a
concept.

victorvikram/ConceptARC (arXiv 2305.07141), fchollet/ARC-AGI (arXiv 1911.01547).
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

from phosphene.errors import PhospheneError
from phosphene.layouts._files import files, json_file, safe
from phosphene.pack import Layout, PackItem

_PROMPT = (
    "Each pair of grids follows one rule: the left grid becomes the right grid. "
    "Complete the last pair by the same rule."
)
_SIDE = 30


class Arc(Layout):
    """Task files with lists `train` and `test`; each test pair is an item, its grids are facts.

    The grids are the items: there are no pictures, and `facts` holds `train`, the test's `input`
    and, where it's told, its `output`, as rows of colours 0..9.
    """

    name: ClassVar[str] = "arc"

    def matches(self, root: Path) -> bool:
        return any(_looks(path) for path in files(root, ".json"))

    def items(self, root: Path) -> Iterator[PackItem]:
        seen: set[str] = set()
        for path in files(root, ".json"):
            if not _looks(path):
                continue
            task = json_file(path)
            train = [_pair(path, f"train[{i}]", pair) for i, pair in enumerate(task["train"])]
            folder = path.relative_to(root).parent
            stem = safe(path.stem if path.stem not in seen else f"{folder.name}_{path.stem}")
            seen.add(path.stem)
            for i, pair in enumerate(task["test"]):
                test = _pair(path, f"test[{i}]", pair)
                output = test.get("output")
                yield PackItem(
                    id=stem if len(task["test"]) == 1 else f"{stem}_{i}",
                    kind=folder.name or root.resolve().name,
                    prompt=_PROMPT,
                    answer=None if output is None else json.dumps(output, separators=(",", ":")),
                    facts={"train": train, **test},
                )


def _looks(path: Path) -> bool:
    """By the start of the file alone where that already says no."""
    with path.open("rb") as file:
        start = file.read(4096)
    if not start.lstrip().startswith(b"{") or (b'"train"' not in start and b'"test"' not in start):
        return False
    try:
        task = json_file(path)
    except PhospheneError:
        # A damaged task is still a task: reading it says what is wrong.
        return b'"input"' in start
    return isinstance(task, dict) and all(isinstance(task.get(k), list) for k in ("train", "test"))


def _pair(path: Path, where: str, pair: Any) -> dict[str, list[list[int]]]:
    if not isinstance(pair, dict) or "input" not in pair:
        raise PhospheneError(f"{path}: {where} is no pair of grids")
    return {
        name: _grid(path, f"{where}.{name}", pair[name])
        for name in ("input", "output")
        if pair.get(name) is not None
    }


def _grid(path: Path, where: str, grid: Any) -> list[list[int]]:
    rows = grid if isinstance(grid, list) else []
    widths = {len(row) if isinstance(row, list) else 0 for row in rows}
    if not 1 <= len(rows) <= _SIDE or len(widths) != 1 or not 1 <= min(widths) <= _SIDE:
        raise PhospheneError(f"{path}: {where} must be 1 to {_SIDE} rows of 1 to {_SIDE} cells")
    if any(type(cell) is not int or not 0 <= cell <= 9 for row in rows for cell in row):
        raise PhospheneError(f"{path}: {where} must hold whole numbers 0..9")
    return rows


COMPONENT = Arc
