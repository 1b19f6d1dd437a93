"""Shelf: the minds that travel with Phosphene, told from their files; no weights are loaded."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from phosphene.minds.opening import embedded, place


def shelf() -> list[dict[str, Any]]:
    """A row each: name, task, fields, way, thoughts and the number of parameters."""
    return [_told(name, Path(place(name).name)) for name in embedded()]


def _told(name: str, folder: Path) -> dict[str, Any]:
    manner = json.loads((folder / "mind.json").read_text())
    told = {key: manner.get(key) for key in ("task", "fields", "way", "thoughts")}
    return {"name": name, **told, "parameters": _parameters(folder)}


def _parameters(folder: Path) -> int:
    """Numbers in the weights, counted from the files' headers."""
    from safetensors import safe_open

    config = json.loads((folder / "config.json").read_text())
    # A head that is the embedding itself may be in the file twice.
    twice = "lm_head.weight" if config.get("tie_word_embeddings") else ""
    count = 0
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "numpy") as held:
            names = [name for name in held.keys() if name != twice]  # noqa: SIM118
            count += sum(math.prod(held.get_slice(name).get_shape()) for name in names)
    return count
