"""Session: a directory in which a search is written down as it happens; the log is the truth.

session.json    what is searched, and how
events.jsonl    one line an event, of the explorer and of people; only ever added to
index.sqlite    the same for asking questions in SQL; written from the log, can be deleted
media/ab/...    clips and posters, named by the SHA-256 of their bytes
latents/        final latents that archive repulsion refers to, likewise
control/        random search at equal cost, a session itself

All paths inside are relative: a session can be moved, copied and sent.
"""

from __future__ import annotations

import base64
import contextlib
import fcntl
import json
import logging
import os
import time
import uuid
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import __version__, media
from phosphene.candidate import Proposal
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.journal import Journal
from phosphene.media.disk import write_text
from phosphene.recipe import Recipe
from phosphene.run import disk_error, file_digest

SCHEMA = 1
PEOPLE = frozenset(
    {"like", "dislike", "pin", "unpin", "hide", "prefer", "more", "away", "blend", "prompt", "stop"}
)
_BEFORE = (".lock", ".explorer", "control", "repeats", "media")
_POSTER = 160  # pixels, the longer side at most
_log = logging.getLogger("phosphene")


@dataclass(frozen=True, eq=False)
class Asked:
    """One round: what was proposed, and how much of people's wishes had been heard by then.

    Args:
        round: its number, from 0.
        heard: how many of people's events were taken in before.
        count: how many finished samples the explorer was asked for.
        proposals: id -> proposal, in order.
    """

    round: int
    heard: int
    count: int
    proposals: Mapping[str, Proposal]


@dataclass(frozen=True, eq=False)
class Made:
    """What came of one proposal, before it was compared with anything.

    Args:
        id: of the candidate.
        calls: denoiser evaluations charged.
        digest: of the exact clip.
        media, poster: files relative to the session.
        scores: quality -> raw score.
        vectors: embedding -> float32, as stored in 16 bits.
        latent: digest of the final latent, if it was kept.
        seconds: its share of the time its batch took.
        failed: why nothing was made.
    """

    id: str
    calls: int
    digest: str = ""
    media: str | None = None
    poster: str | None = None
    scores: Mapping[str, float | None] = field(default_factory=dict)
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    latent: str | None = None
    seconds: float = 0.0
    failed: str = ""

    def record(self) -> dict[str, Any]:
        """The event, JSON-able."""
        out: dict[str, Any] = {"kind": "made", "id": self.id, "calls": self.calls}
        for name in ("digest", "media", "poster", "latent", "failed"):
            if getattr(self, name):
                out[name] = getattr(self, name)
        out["scores"] = dict(self.scores)
        out["vectors"] = {k: pack(v) for k, v in self.vectors.items()}
        out["seconds"] = round(self.seconds, 3)
        return out

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Made:
        names = ("id", "calls", "digest", "media", "poster", "scores", "latent", "seconds")
        values = {n: event[n] for n in (*names, "failed") if n in event}
        return cls(**values, vectors={k: unpack(v) for k, v in event.get("vectors", {}).items()})


def pack(vector: np.ndarray) -> str:
    """A vector as text: base64 of little-endian 16-bit floats."""
    return base64.b64encode(np.asarray(vector).astype("<f2").tobytes()).decode()


def unpack(text: str) -> np.ndarray:
    """The float32 vector that `pack` put away, rounded to 16 bits."""
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float32)


class Session:
    """A session directory, shared safely by any number of processes.

    Attributes:
        root: the directory.
        manifest: what is searched, and how.
        rounds: number -> what was asked.
        made: id -> what came of it.
        told: number -> the event that closed the round.
        people: people's events, in order.
        tried: id -> what came of making it, and near relatives of it, once more.
        pictures: name -> file of a first frame, relative to the session.
        errors: line numbers that could not be read.
    """

    def __init__(self, root: Path, manifest: dict[str, Any]) -> None:
        self.root = root
        self.manifest = manifest
        self._journal = Journal(root / "events.jsonl", root / ".lock")
        self.rounds: dict[int, Asked] = {}
        self.made: dict[str, Made] = {}
        self.told: dict[int, dict[str, Any]] = {}
        self.people: list[dict[str, Any]] = []
        self.tried: dict[str, dict[str, Any]] = {}
        self.pictures: dict[str, str] = {}
        self.errors: list[int] = []

    @classmethod
    def open(cls, path: str | Path, manifest: Mapping[str, Any]) -> Session:
        """Open the session at `path` to go on with it, or start one there.

        Raises:
            PhospheneError: the directory holds something else, or a session of another search.
        """
        root = Path(path).expanduser()
        wanted = json.loads(json.dumps(dict(manifest)))
        try:
            root.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise disk_error(error, root) from error
        if not (root / "session.json").exists():
            if any(p.name not in _BEFORE for p in root.iterdir()):
                raise PhospheneError(
                    f"{root} is not empty and holds no session (no session.json); give a new "
                    f"directory"
                )
            record = {"schema": SCHEMA, "kind": "explore", "phosphene": __version__, **wanted}
            write_text(json.dumps(record, indent=1) + "\n", root / "session.json")
        found = read_manifest(root)
        for name, value in wanted.items():
            if found.get(name) != value and name != "budget":
                raise PhospheneError(
                    f"{root} holds a session with {name} {_short(found.get(name))}, not "
                    f"{_short(value)}; give another directory, or the same settings"
                )
        if {**found, **wanted} != found:
            found |= wanted
            write_text(json.dumps(found, indent=1) + "\n", root / "session.json")
        session = cls(root, found)
        cut = session._journal.heal()
        if cut:
            _log.warning("%s: its last line was cut short (%d bytes); dropped", root, cut)
        session.refresh()
        return session

    @classmethod
    def load(cls, path: str | Path) -> Session:
        """Look into the session at `path` without going on with it.

        Raises:
            PhospheneError: there is none.
        """
        root = Path(path).expanduser()
        session = cls(root, read_manifest(root))
        session.refresh()
        return session

    def append(self, event: Mapping[str, Any]) -> None:
        """Add an event; it is on the disk when this returns.

        Raises:
            DiskError: the disk is full or failing; every earlier event is unharmed.
        """
        line = json.dumps({**event, "time": round(time.time(), 3)}, separators=(",", ":"))
        try:
            self._journal.append(line.encode())
        except OSError as error:
            raise disk_error(error, self._journal.path) from error
        self.refresh()

    def refresh(self) -> None:
        """Take in what this and other processes have added since the last look."""
        bad = []
        for number, line in self._journal.read():
            try:
                self._fold(json.loads(line))
            except (ValueError, KeyError, TypeError, PhospheneError):
                bad.append(number)
        if bad:
            self.errors += bad
            _log.warning(
                "%s: line %d%s can't be read; left as it is, everything else counts",
                self._journal.path,
                bad[0],
                f" and {len(bad) - 1} more" if len(bad) > 1 else "",
            )

    def _fold(self, event: dict[str, Any]) -> None:
        kind = event["kind"]
        if kind == "asked":
            proposals = {}
            for record in event["proposals"]:
                values = dict(record)
                id = values.pop("id")
                proposals[id] = Proposal.of(values)
            self.rounds[event["round"]] = Asked(
                event["round"], event["heard"], event["count"], proposals
            )
        elif kind == "made":
            # A round that was made again after a kill gives the same; the first one counts.
            self.made.setdefault(event["id"], Made.of(event))
        elif kind == "told":
            self.told[event["round"]] = event
        elif kind == "tried":
            self.tried[event["id"]] = event
        elif kind == "pictures":
            self.pictures = dict(event["files"])
        elif kind in PEOPLE:
            self.people.append(event)

    def proposal(self, id: str) -> Proposal:
        """What was asked under this id.

        Raises:
            PhospheneError: there is no such candidate.
        """
        asked = self.rounds.get(round_of(id))
        if asked is None or id not in asked.proposals:
            raise PhospheneError(f"there is no candidate {id!r} in {self.root}")
        return asked.proposals[id]

    def keep(self, clip: Clip, recipe: Recipe | None, lossless: bool = False) -> str:
        """Write a clip under the name of its content; returns its path in the session."""
        suffix = media.suffix_for(clip, lossless)
        return self._addressed(
            clip, suffix, None if recipe is None else recipe.model_dump(mode="json")
        )

    def keep_poster(self, clip: Clip) -> str | None:
        """Write a small picture of a clip's last frame, likewise; None for sound alone."""
        if clip.frames is None:
            return None
        from PIL import Image

        last = Image.fromarray(clip.frames[-1])
        last.thumbnail((_POSTER, _POSTER))
        return self._addressed(Clip(np.asarray(last)[None]), ".png", None)

    def keep_pictures(self, pictures: Mapping[str, np.ndarray]) -> None:
        """Write down the first frames that candidates may start from."""
        with ThreadPoolExecutor(8) as pool:  # what takes time is the disk
            clips = [Clip(p[None]) for p in pictures.values()]
            paths = pool.map(lambda clip: self._addressed(clip, ".png", None), clips)
            files = dict(zip(pictures, paths, strict=True))
        self.append({"kind": "pictures", "files": files})

    def _addressed(self, clip: Clip, suffix: str, recipe: Mapping[str, Any] | None) -> str:
        folder = self.root / "media"
        folder.mkdir(exist_ok=True)
        partial = folder / f"new-{uuid.uuid4().hex}{suffix}"
        media.save(clip, partial, recipe)
        digest = file_digest(partial)
        place = folder / digest[:2]
        place.mkdir(exist_ok=True)
        os.replace(partial, place / f"{digest}{suffix}")
        return f"media/{digest[:2]}/{digest}{suffix}"

    @contextlib.contextmanager
    def exploring(self) -> Iterator[None]:
        """Hold the session as the one process that explores it; people may write meanwhile.

        Raises:
            PhospheneError: another process does.
        """
        fd = os.open(self.root / ".explorer", os.O_RDWR | os.O_CREAT, 0o644)
        try:
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise PhospheneError(
                    f"{self.root} is being explored by another process; wait for it or stop it"
                ) from None
            yield
        finally:
            os.close(fd)

    def sweep(self) -> None:
        """Remove what a killed process left half-written."""
        for partial in (self.root / "media").glob("new-*"):
            partial.unlink(missing_ok=True)


def round_of(id: str) -> int:
    """The round that a candidate belongs to; -1 for what is no candidate's id."""
    number, _, place = id.partition("-")
    return int(number) if number.isdecimal() and place.isdecimal() else -1


def name_of(round: int, place: int) -> str:
    """A candidate's id."""
    return f"{round:04d}-{place:02d}"


def asked_event(asked: Asked) -> dict[str, Any]:
    """The event that opens a round."""
    named = [{"id": id, **p.record()} for id, p in asked.proposals.items()]
    facts = {"round": asked.round, "heard": asked.heard, "count": asked.count}
    return {"kind": "asked", **facts, "proposals": named}


def read_manifest(root: Path) -> dict[str, Any]:
    """What is searched, and how.

    Raises:
        PhospheneError: no session there, a damaged one, or one of another schema.
    """
    path = root / "session.json"
    try:
        found = json.loads(path.read_bytes())
        number = found["schema"]
    except FileNotFoundError:
        raise PhospheneError(f"{root} holds no session (no session.json)") from None
    except (ValueError, KeyError, TypeError) as error:
        raise PhospheneError(f"{path} is damaged ({error}); restore it from a copy") from error
    if number != SCHEMA:
        raise PhospheneError(
            f"{path} has schema {number!r}, this phosphene {__version__} reads {SCHEMA}; upgrade "
            f"phosphene"
        )
    return found


def _short(value: Any) -> str:
    text = json.dumps(value)
    return text if len(text) <= 80 else f"{text[:77]}..."
