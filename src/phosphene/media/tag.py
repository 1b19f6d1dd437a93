"""Tag: the one JSON text inside every file: what was written, and the recipe that made it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.media.integrity import AGAIN

VERSION = 1


@dataclass(frozen=True)
class Facts:
    """What a file was written to hold; `load` holds the file to it.

    Args:
        frames, width, height: of the pictures (true size, before padding); 0 for sound alone.
        fps: exact, as text (`"24000/1001"`).
        samples, channels, rate: of the sound; 0 for none.
        digest: `Clip.digest` where the format is exact, else None.
    """

    frames: int
    width: int
    height: int
    fps: str
    samples: int
    channels: int
    rate: int
    digest: str | None

    @classmethod
    def of(cls, clip: Clip, exact: bool) -> Facts:
        width, height = clip.size or (0, 0)
        channels, samples = clip.audio.shape if clip.audio is not None else (0, 0)
        return cls(
            frames=0 if clip.frames is None else len(clip.frames),
            width=width,
            height=height,
            fps=str(clip.fps),
            samples=samples,
            channels=channels,
            rate=clip.rate or 0,
            digest=clip.digest if exact else None,
        )

    def check(self, clip: Clip) -> None:
        """Raise unless `clip` is what was written.

        Raises:
            PhospheneError: says what was written and what came back.
        """
        found = Facts.of(clip, exact=self.digest is not None)
        for name, was in asdict(self).items():
            now = getattr(found, name)
            if was != now:
                raise PhospheneError(f"{name} was {was} when written and is {now} now{AGAIN}")


@dataclass(frozen=True)
class Tag:
    """The facts and the recipe, as they travel."""

    facts: Facts
    recipe: Mapping[str, Any] | None

    def text(self) -> str:
        """ASCII JSON with its own SHA-256: no container can re-encode it or cut it unnoticed.

        Raises:
            PhospheneError: the recipe is not JSON.
        """
        try:
            body = _dumps({"phosphene": VERSION, "clip": asdict(self.facts), "recipe": self.recipe})
        except (TypeError, ValueError, RecursionError) as error:
            raise PhospheneError(
                f"the recipe is not JSON ({error}); use finite numbers, strings, lists and dicts"
            ) from error
        return _dumps({"sha256": _sha256(body), "body": json.loads(body)})


def parse(text: str | None) -> Tag | None:
    """The tag in a file's comment; None if the comment is missing or someone else's.

    Raises:
        PhospheneError: it is a tag, but damaged or of a later version.
    """
    if text is None or not text.startswith('{"sha256":'):
        return None
    try:
        outer = json.loads(text)
        body = outer["body"]
        whole = _sha256(_dumps(body)) == outer["sha256"]
    except (ValueError, KeyError, RecursionError):
        whole, body = False, {}
    if not whole:
        raise PhospheneError(f"its recipe is damaged{AGAIN}")
    if body["phosphene"] != VERSION:
        raise PhospheneError(
            f"its recipe has version {body['phosphene']}, this release reads {VERSION}; "
            "upgrade phosphene"
        )
    facts = Facts(**body["clip"])
    Fraction(facts.fps)
    return Tag(facts, body["recipe"])


def _dumps(value: Any) -> str:
    return json.dumps(value, ensure_ascii=True, allow_nan=False)


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
