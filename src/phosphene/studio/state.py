"""State: a session's log, folded into what the page shows; it follows the log as it grows."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.journal import Journal
from phosphene.session import PEOPLE, read_manifest
from phosphene.studio.charting import Chart, Coverage
from phosphene.studio.descriptors import Descriptors
from phosphene.studio.item import ID, Item, file_of, number

_OPINIONS = {"like": 1, "dislike": -1}
_WISHES = frozenset({"more", "away", "blend", "prompt"})
_log = logging.getLogger("phosphene")


class State:
    """Everything the page shows, from the log alone; safe to use from several threads.

    Args:
        root: the session's directory.

    Attributes:
        items: id -> finished sample, in order of making.
        line: lines of the log taken in so far.
        told: one row a closed round, for the timeline.
        failed, previews: how many there were.
        heard: how many of people's events the explorer has taken in.

    Raises:
        PhospheneError: there is no session at `root`, or one of another schema.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.manifest = read_manifest(root)
        self._journal = Journal(root / "events.jsonl", root / ".lock")
        self._lock = threading.RLock()
        self._asked: dict[str, dict[str, Any]] = {}
        self._scores: dict[str, dict[str, float | None]] = {}
        self._descriptors = Descriptors()
        self._chart = Chart(self._descriptors)
        self._coverage: Coverage | None = None
        self._untold: list[tuple[dict[str, Any], list[int]]] = []
        self._drawn = 0  # line at which the map was last drawn anew
        self.items: dict[str, Item] = {}
        self.line = self.spent = self.failed = self.previews = self.heard = self._said = 0
        self.told: list[dict[str, Any]] = []
        self._rounds: dict[int, list[int]] = {}
        self._wished: list[int] = []  # which of people's events ask for something
        self._stopped = False

    def refresh(self) -> bool:
        """Take in what was added to the log; returns whether anything was."""
        with self._lock:
            lines = self._journal.read()
            for at, line in lines:
                self.line = at
                try:
                    self._fold(json.loads(line), at)
                except (ValueError, KeyError, TypeError, AttributeError):
                    _log.debug("line %d of the log can't be read", at)
            if lines and self._chart.update():
                self._drawn = self.line
            self._cover()
            return bool(lines)

    def _fold(self, event: dict[str, Any], at: int) -> None:
        kind = event["kind"]
        if kind == "asked":
            self.heard = max(self.heard, int(event["heard"]))
            for record in event["proposals"]:
                if ID.fullmatch(record["id"]):
                    self._asked.setdefault(record["id"], record)
        elif kind == "made":
            self._make(event, at)
        elif kind == "told":
            self._tell(event, at)
        elif kind in PEOPLE:
            self._said += 1
            if kind in _WISHES:
                self._wished.append(self._said)
            self._hear(kind, event, at)

    def _make(self, event: Mapping[str, Any], at: int) -> None:
        id = event["id"]
        asked = self._asked[id]
        if id in self._scores:
            return  # a round that was made again after a kill: the first one counts
        self._scores[id] = {str(k): number(v) for k, v in event.get("scores", {}).items()}
        self.spent += int(event["calls"])
        if event.get("failed"):
            self.failed += 1
            return
        if asked.get("stop") is not None:
            self.previews += 1
            return
        round = int(id.partition("-")[0])
        place = self._descriptors.add(event.get("vectors", {}))
        if place is not None:
            self._rounds.setdefault(round, []).append(place)
        self.items[id] = Item(
            id=id,
            round=round,
            operator=str(asked["operator"]),
            parents=tuple(p for p in asked.get("parents", ()) if ID.fullmatch(p)),
            prompt=str(asked["genome"].get("prompt", "")),
            spent=self.spent,
            media=file_of(event.get("media")),
            poster=file_of(event.get("poster")),
            place=place,
            changed=at,
        )

    def _tell(self, event: Mapping[str, Any], at: int) -> None:
        admitted = set(event.get("admitted", ()))
        quality, novelty = event.get("quality", {}), event.get("novelty", {})
        heights = []
        for id in {*quality, *novelty, *admitted} & self.items.keys():
            item = self.items[id]
            item.quality, item.novelty = number(quality.get(id)), number(novelty.get(id))
            item.admitted = id in admitted
            item.changed = at
            heights += [] if item.quality is None else [item.quality]
        row = {
            "line": at,
            "round": int(event["round"]),
            "calls": int(event["calls"]),
            "size": int(event.get("size", 0)),
            "best": number(event.get("best")),
            "mean": round(sum(heights) / len(heights), 4) if heights else None,
        }
        self._untold.append((row, self._rounds.pop(row["round"], [])))

    def _cover(self) -> None:
        """Add closed rounds to the timeline, with what they covered."""
        rounds = [places for _, places in self._untold]
        if self._coverage is None and len(first := next(filter(None, rounds), [])) > 1:
            self._coverage = Coverage(self._descriptors, first)
        covered = [0.0] * len(rounds) if self._coverage is None else self._coverage.take(rounds)
        for (row, _), share in zip(self._untold, covered, strict=True):
            self.told.append({**row, "coverage": round(share, 4)})
        self._untold.clear()

    def _hear(self, kind: str, event: Mapping[str, Any], at: int) -> None:
        if kind == "stop":
            self._stopped = True
            return
        item = self.items.get(event.get("id", ""))
        if item is None:
            return
        if kind in _OPINIONS:
            item.opinions[str(event.get("by", ""))] = _OPINIONS[kind]
        elif kind in ("pin", "unpin"):
            item.pinned = kind == "pin"
        elif kind == "hide":
            item.hidden = True
        item.changed = at

    def since(self, line: int) -> dict[str, Any]:
        """What has changed since that line of the log, JSON-able; all of it since 0.

        `rows` are items whole, each with its place on the map as `x`, `y`; `told` closed rounds.
        """
        with self._lock:
            redrawn = self._drawn > line
            changed = [i for i in self.items.values() if redrawn or i.changed > line]
            return {
                "line": self.line,
                "drawing": self._chart.drawing,
                "rows": [self._row(item) for item in changed],
                "told": [row for row in self.told if row["line"] > line],
                "spent": self.spent,
                "failed": self.failed,
                "previews": self.previews,
                "waiting": sum(number > self.heard for number in self._wished),
                "stopped": self._stopped,
            }

    def _row(self, item: Item) -> dict[str, Any]:
        row = item.row()
        if item.place is not None and item.place < len(self._chart.places):
            x, y = self._chart.places[item.place].tolist()
            row["x"], row["y"] = round(x, 4), round(y, 4)
        return row

    def details(self, id: str) -> dict[str, Any]:
        """The recipe and the scores of an item.

        Raises:
            PhospheneError: there is no such item.
        """
        with self._lock:
            if id not in self.items:
                raise PhospheneError(f"there is no item {id[:40]!r} in this session")
            return {"recipe": self._asked[id], "scores": self._scores[id]}
