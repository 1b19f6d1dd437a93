"""Notebook: the finished units of a long piece of work, kept so that none is done twice."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.journal import Journal
from phosphene.media.disk import write_text
from phosphene.progress import Event, OnEvent

T = TypeVar("T")


class Notebook:
    """Units of work under one directory; a killed process loses the unit it was at, no more.

    Args:
        root: the directory; None keeps everything in memory.
        about: JSON-able description of the work; a directory that holds another is refused.
        on_event: told of each unit.

    Raises:
        PhospheneError: the directory holds other work.
    """

    def __init__(
        self,
        root: Path | None = None,
        about: Mapping[str, Any] | None = None,
        on_event: OnEvent | None = None,
    ) -> None:
        self.root = root
        self._on_event = on_event or (lambda event: None)
        self._units: dict[str, Any] = {}
        self._arrays: dict[str, dict[str, np.ndarray]] = {}
        self._journal: Journal | None = None
        self._done, self._total = 0, 0
        if root is None:
            return
        root.mkdir(parents=True, exist_ok=True)
        self._sign(root / "work.json", dict(about or {}))
        self._journal = Journal(root / "units.jsonl", root / "units.lock")
        self._journal.heal()
        for number, line in self._journal.read():
            try:
                unit = json.loads(line)
                self._units[unit["key"]] = unit["value"]
            except (ValueError, KeyError, TypeError) as error:
                raise PhospheneError(
                    f"{root / 'units.jsonl'}, line {number} is damaged; delete that line, and its "
                    f"unit is done again"
                ) from error

    @staticmethod
    def _sign(path: Path, about: dict[str, Any]) -> None:
        text = json.dumps(about, indent=2, sort_keys=True) + "\n"
        if not path.exists():
            write_text(text, path)
            return
        try:
            held = json.loads(path.read_text())
        except ValueError as error:
            raise PhospheneError(
                f"{path} is damaged; delete {path.parent} or choose another --out"
            ) from error
        about = json.loads(text)
        other = [k for k in {*held, *about} if held.get(k) != about.get(k)]
        if other:
            name = sorted(other)[0]
            raise PhospheneError(
                f"{path.parent} holds other work: {name} is {held.get(name)!r} there, "
                f"{about.get(name)!r} here; choose another --out"
            )

    def plan(self, units: int) -> None:
        """So many more units are to come: what progress is counted against."""
        self._total += units

    def once(self, key: str, make: Callable[[], T], text: str = "") -> T:
        """The JSON-able result of a unit: looked up, or made and kept.

        Args:
            key: names the unit within this work; everything it depends on beside `about`.
            make: does it.
            text: a few words for the progress line.
        """
        if key not in self._units:
            value = make()
            line = json.dumps({"key": key, "value": value}, allow_nan=True)
            if self._journal is not None:
                self._journal.append(line.encode())
            self._units[key] = json.loads(line)["value"]
            self._tell("made", text or key)
        else:
            self._tell("found", text or key)
        return self._units[key]

    def arrays(
        self, key: str, make: Callable[[], Mapping[str, np.ndarray]], text: str = ""
    ) -> Mapping[str, np.ndarray]:
        """As `once`, for named arrays, one safetensors file a unit."""
        if self.root is None:
            if key not in self._arrays:
                self._arrays[key] = dict(make())
                self._tell("made", text or key)
            return self._arrays[key]
        from safetensors.numpy import load_file, save_file

        folder = self.root / "arrays"
        folder.mkdir(exist_ok=True)
        path = folder / f"{hashlib.sha256(key.encode()).hexdigest()[:24]}.safetensors"
        if path.exists():
            self._tell("found", text or key)
            return load_file(path)
        value = {k: np.ascontiguousarray(v) for k, v in make().items()}
        partial = path.with_suffix(".partial")
        save_file(value, partial)
        partial.replace(path)
        self._tell("made", text or key)
        return value

    def say(self, text: str) -> None:
        """A line for people."""
        self._on_event(Event("note", self._done, max(self._total, self._done), text=text))

    def _tell(self, kind: Any, text: str) -> None:
        self._done += 1
        self._total = max(self._total, self._done)
        self._on_event(Event(kind, self._done, self._total, text=text))


def batches(items: Sequence[T], size: int) -> Iterable[Sequence[T]]:
    """Consecutive slices of at most `size`."""
    return (items[i : i + size] for i in range(0, len(items), size))
