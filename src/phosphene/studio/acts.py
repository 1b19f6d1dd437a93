"""Acts: what people may say to a session, checked before it is written into the log."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Container, Mapping
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.journal import Journal

LARGEST = 16_384  # bytes of one act
LONGEST = 2_000  # characters of a prompt
_RATER = re.compile(r"[a-z0-9][a-z0-9-]{0,31}")
_FIELDS: Mapping[str, frozenset[str]] = {
    **{
        kind: frozenset({"id"})
        for kind in ("like", "dislike", "pin", "unpin", "hide", "more", "away")
    },
    "prefer": frozenset({"id", "over"}),
    "blend": frozenset({"ids"}),
    "prompt": frozenset({"id", "prompt"}),
    "stop": frozenset(),
}


def act(body: bytes, items: Container[str]) -> dict[str, Any]:
    """An event for the log, from the body of a request.

    Args:
        body: JSON: `kind`, `by` (who says it), and the kind's own fields.
        items: ids that may be spoken of.

    Raises:
        PhospheneError: no JSON, an unknown kind, field or id, or a text of the wrong form.
    """
    try:
        said = json.loads(body)
    except (ValueError, RecursionError):
        raise PhospheneError("an act is a JSON object") from None
    if not isinstance(said, dict):
        raise PhospheneError("an act is a JSON object")
    kind = said.get("kind")
    if not isinstance(kind, str) or kind not in _FIELDS:
        raise PhospheneError(f"unknown kind of act; known: {', '.join(_FIELDS)}")
    if said.keys() != {"kind", "by"} | _FIELDS[kind]:
        wanted = ", ".join(sorted({"by"} | _FIELDS[kind]))
        raise PhospheneError(f"{kind} wants exactly the fields {wanted}")
    if not isinstance(said["by"], str) or not _RATER.fullmatch(said["by"]):
        raise PhospheneError("by is a short name of small letters, digits and dashes")
    _check_ids(_ids(said), items)
    if kind == "prompt":
        said["prompt"] = _words(said["prompt"])
    return said


def _ids(said: Mapping[str, Any]) -> list[Any]:
    """Every id in an act."""
    several = said.get("ids", [])
    if not isinstance(several, list) or ("ids" in said and len(several) != 2):
        raise PhospheneError("ids names two items")
    return [*several, *(said[name] for name in ("id", "over") if name in said)]


def _check_ids(ids: list[Any], items: Container[str]) -> None:
    for id in ids:
        if not isinstance(id, str) or id not in items:
            raise PhospheneError("there is no such item in this session")
    if len(set(ids)) != len(ids):
        raise PhospheneError("two different items are wanted")


def _words(text: object) -> str:
    """A prompt on one line."""
    if not isinstance(text, str):
        raise PhospheneError("a prompt is a text")
    try:
        text.encode()
    except UnicodeEncodeError:
        raise PhospheneError("a prompt is a text of whole characters") from None
    words = " ".join(text.split())
    if not words or len(words) > LONGEST or not words.isprintable():
        raise PhospheneError(f"a prompt has 1 to {LONGEST} printable characters")
    return words


def write(journal: Journal, event: Mapping[str, Any]) -> None:
    """Add an event to the log; it is on the disk when this returns.

    Raises:
        OSError: the disk refused; the log is as it was.
    """
    line = json.dumps({**event, "time": round(time.time(), 3)}, separators=(",", ":"))
    journal.append(line.encode())
