"""Item: one finished sample of a session, as the page shows it."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

# What the log says is shown and fetched only where it has the form that a session writes.
ID = re.compile(r"\d{4,9}-\d{2,6}")
MEDIA = re.compile(r"media/([0-9a-f]{2})/(?=\1)[0-9a-f]{64}\.(mp4|mkv|png|gif|wav)")


@dataclass(slots=True)
class Item:
    """A row.

    Args:
        id, round, operator, parents, prompt: as proposed.
        spent: denoiser calls of the session up to it.
        media, poster: files relative to the session; None where none is kept.
        place: its row among the descriptors; None where no embedding saw it.
        changed: line of the log that last changed it.
        quality, novelty: 0..1 and cosine distance; None until its round is told.
        admitted: whether it differs from what was there.
        opinions: rater -> 1 (like) or -1 (dislike), the latest of each.
        pinned, hidden: what people did with it.
    """

    id: str
    round: int
    operator: str
    parents: tuple[str, ...]
    prompt: str
    spent: int
    media: str | None
    poster: str | None
    place: int | None
    changed: int
    quality: float | None = None
    novelty: float | None = None
    admitted: bool = False
    opinions: dict[str, int] = field(default_factory=dict)
    pinned: bool = False
    hidden: bool = False

    def row(self) -> dict[str, Any]:
        """JSON-able, without what is empty."""
        out: dict[str, Any] = {
            "id": self.id,
            "round": self.round,
            "operator": self.operator,
            "prompt": self.prompt,
            "spent": self.spent,
        }
        for name in ("parents", "media", "poster", "admitted", "opinions", "pinned", "hidden"):
            if value := getattr(self, name):
                out[name] = value
        for name in ("quality", "novelty"):
            if (value := getattr(self, name)) is not None:
                out[name] = value
        return out


def file_of(value: object) -> str | None:
    """A path of the log if it has the form of content-addressed media, else None."""
    return value if isinstance(value, str) and MEDIA.fullmatch(value) else None


def number(value: object) -> float | None:
    """A finite number of the log, else None."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return float(value) if abs(value) < 1e300 else None
