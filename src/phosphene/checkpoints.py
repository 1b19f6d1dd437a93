"""Checkpoints: the sets of weights that one backbone has, over its training and its sizes.

They lie in `checkpoints/NAME` of a training run's directory, or of Ember's in `assets/ember`.
Weights that were trained on aside, towards something else, lie in `branches/NAME`: they open by
name as checkpoints do, and are none of the ages that `all` goes through.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from phosphene.assets import asset
from phosphene.errors import PhospheneError, unknown

FOLDER, ASIDE = "checkpoints", "branches"


@dataclass(frozen=True)
class Checkpoint:
    """One set of weights.

    Args:
        name: its folder's.
        backbone: what it is opened by: `ember/NAME`, or a directory.
        directory: the pipeline.
        weights: how many numbers it has learned.
        examples: how many examples it has seen.
    """

    name: str
    backbone: str
    directory: Path
    weights: int
    examples: int


def checkpoints(backbone: str) -> list[Checkpoint]:
    """Every checkpoint of a backbone: the smallest model first, and of one size the youngest.

    Args:
        backbone: `ember`, or the directory of a training run.

    Raises:
        PhospheneError: it has none.
    """
    found = _in(backbone, FOLDER)
    if not found:
        raise PhospheneError(
            f"backbone {backbone!r} has no checkpoints: {_root(backbone) / FOLDER} holds none; "
            f"give ember or the directory of a run of `phosphene train ember` whose config says "
            f"what to keep"
        )
    return sorted(found, key=lambda c: (c.weights, c.examples, c.name))


def checkpoint(backbone: str, name: str) -> Checkpoint:
    """The checkpoint or branch of that name.

    Raises:
        PhospheneError: there is none; the message offers the nearest names.
    """
    found = {c.name: c for c in [*checkpoints(backbone), *_in(backbone, ASIDE)]}
    if name not in found:
        raise unknown("checkpoint", name, list(found))
    return found[name]


def _root(backbone: str) -> Path:
    return asset("ember") if backbone == "ember" else Path(backbone).expanduser()


def _in(backbone: str, folder: str) -> list[Checkpoint]:
    """What a folder of a backbone's holds."""
    return [
        Checkpoint(
            p.name, f"ember/{p.name}" if backbone == "ember" else str(p), p, _weights(p), _seen(p)
        )
        for p in sorted(p.parent for p in (_root(backbone) / folder).glob("*/model_index.json"))
    ]


def _weights(directory: Path) -> int:
    """Counted from the files' headers; the weights themselves stay unread."""
    from safetensors import safe_open

    total = 0
    for path in directory.glob("*/*.safetensors"):
        with safe_open(path, "pt") as file:
            for key in file.keys():  # noqa: SIM118  (safe_open is no mapping)
                size = 1
                for side in file.get_slice(key).get_shape():
                    size *= side
                total += size
    return total


def _seen(directory: Path) -> int:
    try:
        return int(json.loads((directory / "training.json").read_text())["samples"])
    except (OSError, ValueError, KeyError) as error:
        raise PhospheneError(
            f"{directory / 'training.json'} doesn't say how many samples were seen: {error}"
        ) from error
