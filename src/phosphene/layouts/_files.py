"""What the layouts share: names that are safe, JSON that says where it is damaged."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from phosphene.errors import PhospheneError

PICTURES = (".png", ".jpg", ".jpeg", ".webp")
_DEPTH = 4


def files(root: Path, *suffixes: str) -> list[Path]:
    """Files below `root` whose names end so, at most a few folders deep, in the order of names."""
    found = []
    for path in root.rglob("*"):
        parts = path.relative_to(root).parts
        hidden = any(part.startswith((".", "__MACOSX")) for part in parts)
        if not hidden and len(parts) <= _DEPTH and path.suffix.lower() in suffixes:
            found.append(path)
    return sorted(path for path in found if path.is_file())


def safe(name: str) -> str:
    """The name with every character that a file name shouldn't hold as `_`; never `..`."""
    clean = re.sub(r"[^0-9A-Za-z._+-]+", "_", name).strip("._ ")
    if not clean:
        raise PhospheneError(f"{name!r} can't be the name of an item; use letters and digits")
    return clean


def within(root: Path, base: Path, name: str) -> Path:
    """The path `name` under `base`, refused where it leaves `root`.

    Raises:
        PhospheneError: an absolute name, or one that climbs out.
    """
    path = base / name
    if Path(name).is_absolute() or not path.resolve().is_relative_to(root.resolve()):
        raise PhospheneError(f"{name!r} leads out of the pack {root}; names must stay inside")
    return path


def first_object(path: Path) -> dict[str, Any] | None:
    """The first line of a file of JSON lines, None where that is no JSON object."""
    try:
        with path.open(encoding="utf-8") as lines:
            value = json.loads(next((line for line in lines if line.strip()), ""))
    except (OSError, ValueError):
        return None
    return value if isinstance(value, dict) else None


def json_lines(path: Path, *needed: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Number (from 1) and object of every line; blank lines are passed over.

    Raises:
        PhospheneError: a line that is no JSON object or lacks one of `needed`; file and line.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise PhospheneError(f"{path} can't be read as text: {error}") from error
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except ValueError as error:
            raise PhospheneError(f"{path}:{number} is damaged: {error}; mend the line") from error
        if not isinstance(value, dict):
            raise PhospheneError(f"{path}:{number} must be a JSON object")
        if missing := [name for name in needed if name not in value]:
            raise PhospheneError(f"{path}:{number} lacks {' and '.join(missing)}")
        yield number, value


def json_file(path: Path) -> Any:
    """The one JSON value of a file.

    Raises:
        PhospheneError: unreadable or damaged; file and line.
    """
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except json.JSONDecodeError as error:
        raise PhospheneError(f"{path}:{error.lineno} is damaged: {error.msg}") from error
    except (OSError, ValueError) as error:
        raise PhospheneError(f"{path} can't be read: {error}") from error
