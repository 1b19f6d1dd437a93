"""First frames to start from, found by name and kept with the session."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from phosphene import media
from phosphene.errors import PhospheneError
from phosphene.stage import letterbox

_FIRST = 5_000_000  # seeds of problems: far from those of suites and of training exams
_MANY = 8


def find(asked: Sequence[str], width: int, height: int) -> dict[str, np.ndarray]:
    """Name -> uint8 `(height, width, 3)`.

    Args:
        asked: files, or `task:NAME` or `task:NAME:COUNT`.

    Raises:
        PhospheneError: no such file or task, or two pictures of one name.
    """
    out: dict[str, np.ndarray] = {}
    for text in asked:
        found = _dealt(text, width, height) if text.startswith("task:") else _read(text)
        for name, picture in found.items():
            if name in out:
                raise PhospheneError(f"two pictures are called {name!r}; rename one of the files")
            out[name] = letterbox_any(picture, width, height)
    return out


def _read(text: str) -> dict[str, np.ndarray]:
    path = Path(text).expanduser()
    return {path.stem: media.load_image(path)}


def _dealt(text: str, width: int, height: int) -> dict[str, np.ndarray]:
    from phosphene.suite import make_task
    from phosphene.task import Canvas

    _, name, *rest = text.split(":")
    if len(rest) > 1 or (rest and not rest[0].isdecimal()):
        raise PhospheneError(f"pictures of a task are asked for as task:NAME:COUNT; got {text!r}")
    task = make_task(name, {})
    canvas = Canvas(size=min(width, height))
    seeds = range(_FIRST, _FIRST + (int(rest[0]) if rest else _MANY))
    return {
        f"{name}-{seed - _FIRST}": task.first_frame(task.sample(seed, "train"), canvas)
        for seed in seeds
    }


def letterbox_any(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A picture of any shape on a stage of this one, whole."""
    from PIL import Image

    if picture.shape[:2] == (height, width):
        return picture
    if picture.shape[0] == picture.shape[1]:
        return letterbox(picture, width, height)
    image = Image.fromarray(picture)
    image.thumbnail((width, height), Image.Resampling.BICUBIC)
    out = np.empty((height, width, 3), np.uint8)
    out[:] = np.median(picture.reshape(-1, 3), 0).astype(np.uint8)
    left, top = (width - image.width) // 2, (height - image.height) // 2
    out[top : top + image.height, left : left + image.width] = np.asarray(image)
    return out
