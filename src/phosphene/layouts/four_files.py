"""Four files an item: `DOMAIN_task/ID/` with `first_frame.png`, `prompt.txt`, and where they're
known `final_frame.png` and `ground_truth.mp4`. Read and written.

hokindeng/VMEvalKit, `data/questions`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from phosphene import media
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.layouts._files import json_file, safe
from phosphene.media import disk
from phosphene.pack import Layout, PackItem

_METADATA = ("metadata.json", "question_metadata.json")
_PUZZLES = {"sudoku": "sudoku", "math": "math", "tic_tac_toe": "tic_tac_toe"}


class FourFiles(Layout):
    """Folders that hold `first_frame.png` and `prompt.txt`."""

    name: ClassVar[str] = "four_files"

    def matches(self, root: Path) -> bool:
        return any((p.parent / "prompt.txt").is_file() for p in root.rglob("first_frame.png"))

    def items(self, root: Path) -> Iterator[PackItem]:
        for prompt in sorted(root.rglob("prompt.txt")):
            folder = prompt.parent
            kind = folder.parent.name.removesuffix("_task") or "task"
            facts: dict[str, Any] = {}
            for name in _METADATA:
                if (folder / name).is_file():
                    facts["metadata"] = json_file(folder / name)
                    break
            if (folder / "goal.txt").is_file():
                facts["goal"] = _text(folder / "goal.txt")
            yield PackItem(
                id=safe(folder.name),
                kind=kind,
                puzzle=_PUZZLES.get(kind),
                picture=folder / "first_frame.png",
                prompt=_text(prompt),
                facts=facts,
                final_frame=_there(folder / "final_frame.png"),
                ground_truth=_there(folder / "ground_truth.mp4"),
            )


def write(
    root: Path,
    id: str,
    first_frame: np.ndarray,
    prompt: str,
    final_frame: np.ndarray | None = None,
    ground_truth: Clip | None = None,
    metadata: dict[str, Any] | None = None,
    domain: str = "phosphene",
) -> Path:
    """Write one item; returns its folder, `ROOT/DOMAIN_task/ID`.

    Args:
        id: letters, digits, `.`, `_`, `+`, `-`; it becomes the folder's name.
        first_frame, final_frame: uint8 `(h, w, 3)`.
        metadata: JSON-able; goes to `metadata.json`.

    Raises:
        PhospheneError: an id or domain that can't be a folder's name, or a file can't be written.
    """
    for name in (id, domain):
        if safe(name) != name:
            raise PhospheneError(f"{name!r} can't be a folder's name; {safe(name)!r} can")
    folder = root / f"{domain}_task" / id
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise PhospheneError(f"can't make the folder {folder}: {error.strerror}") from error
    disk.write_text(prompt, folder / "prompt.txt")
    if metadata is not None:
        told = json.dumps(metadata, indent=2, sort_keys=True)
        disk.write_text(told + "\n", folder / "metadata.json")
    for name, frame in (("first_frame.png", first_frame), ("final_frame.png", final_frame)):
        if frame is not None:
            media.save(Clip(frame[None]), folder / name)
    if ground_truth is not None:
        media.save(ground_truth, folder / "ground_truth.mp4")
    return folder


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PhospheneError(f"{path} can't be read as text: {error}") from error


def _there(path: Path) -> Path | None:
    return path if path.is_file() else None


COMPONENT = FourFiles
