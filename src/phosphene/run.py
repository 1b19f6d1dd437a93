"""Run: a directory that keeps what has been made, so that the same command finishes the rest.

manifest.json   what kind of run this is
records.jsonl   one line a sample, made or failed; only ever added to
media/          the files, named by place and key: 0003-1f0c9a52be77.mp4
claims/         locks on the samples being made right now
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import json
import logging
import os
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from phosphene import __version__
from phosphene.errors import PhospheneError
from phosphene.journal import Journal, locked

SCHEMA = 1
Key = Field(pattern=r"^[0-9a-f]{64}$")
_log = logging.getLogger("phosphene")


class DiskError(PhospheneError):
    """The disk is full or refuses: going on would fail the same way, so a run stops."""


class Record(BaseModel):
    """One line of `records.jsonl`; of several with one key the last counts.

    Fields: `key` addresses the sample (`recipe.key`); `index` is its place in the run; `file` is
    relative to the run directory and `sha256` its content; `reason` says why it failed; `recipe`
    is the `Recipe` without its pictures.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    key: str = Key
    status: Literal["done", "failed"]
    index: int = Field(ge=0)
    file: str | None = None
    sha256: str | None = None
    reason: str | None = None
    recipe: dict[str, Any] = {}


class Run:
    """A run directory, shared safely by any number of processes. Build one with `Run.open`."""

    def __init__(self, root: Path, manifest: dict[str, Any]) -> None:
        self.root = root
        self.manifest = manifest
        self._journal = Journal(root / "records.jsonl", root / ".lock")
        self._records: dict[str, Record] = {}
        self._intact: dict[str, bool] = {}
        self._claims: dict[str, int] = {}
        self._guard = threading.Lock()

    @classmethod
    def open(cls, path: str | Path, manifest: Mapping[str, Any]) -> Run:
        """Open the run at `path`, or start one there.

        Args:
            path: a directory; made where it doesn't exist.
            manifest: what this run is, e.g. `{"kind": "generate"}`; a run that is there already
                must agree in every one of these fields.

        Raises:
            PhospheneError: the directory holds something else, or can't be written.
        """
        root = Path(path).expanduser()
        manifest = json.loads(json.dumps(dict(manifest)))
        try:
            root.mkdir(parents=True, exist_ok=True)
            kept = {"manifest.json", "records.jsonl"}
            names = {p.name for p in root.iterdir() if not p.name.startswith(".")}
            if names and not names & kept:
                raise PhospheneError(
                    f"{root} is not empty and holds no run (no manifest.json); give an empty or "
                    f"a new directory"
                )
            with locked(root / ".lock"):
                if not (root / "manifest.json").exists():
                    _write_json(root, manifest)
            found = _read_manifest(root)
            for name in ("media", "claims"):
                (root / name).mkdir(exist_ok=True)
        except OSError as error:
            raise disk_error(error, root) from error
        for name, value in manifest.items():
            if found.get(name) != value:
                raise PhospheneError(
                    f"{root} holds a run with {name} {found.get(name)!r}, not {value!r}; give "
                    f"another directory"
                )
        run = cls(root, found)
        cut = run._journal.heal()
        if cut:
            _log.warning(
                "%s: its last line was cut short (%d bytes); dropped", run._journal.path, cut
            )
        run.refresh()
        return run

    @classmethod
    def load(cls, path: str | Path) -> Run:
        """Look into the run at `path` without writing anything.

        Raises:
            PhospheneError: there is none, or its manifest can't be read.
        """
        root = Path(path).expanduser()
        if not (root / "manifest.json").is_file():
            raise PhospheneError(f"{root} holds no run (no manifest.json)")
        run = cls(root, _read_manifest(root))
        run.refresh()
        return run

    def records(self) -> list[Record]:
        """The last record of every sample, in order of first appearance."""
        return list(self._records.values())

    def record(self, key: str) -> Record | None:
        """The last record of one sample, None if there is none."""
        return self._records.get(key)

    def done(self, key: str) -> bool:
        """Is this sample finished, its file there and unaltered?"""
        record = self._records.get(key)
        if record is None or record.status != "done":
            return False
        if key not in self._intact:
            self._intact[key] = self._is_intact(record)
        return self._intact[key]

    def path(self, record: Record) -> Path:
        """Where the file of a finished sample lies."""
        assert record.file is not None
        return self.root / record.file

    def media_path(self, key: str, index: int, suffix: str) -> Path:
        """Where the file of sample `key` belongs. Nothing a user wrote is part of the name."""
        return self.root / "media" / f"{index:04d}-{key[:12]}{suffix}"

    def append(self, record: Record) -> None:
        """Add a record; it is on the disk when this returns.

        Raises:
            PhospheneError: the disk is full or failing; every earlier record is unharmed.
        """
        try:
            self._journal.append(record.model_dump_json(exclude_none=True).encode())
        except OSError as error:
            raise disk_error(error, self._journal.path) from error
        self.refresh()

    def refresh(self) -> None:
        """Take in what this and other processes have added since the last look."""
        bad: list[int] = []
        with self._guard:
            for number, line in self._journal.read():
                try:
                    record = Record.model_validate_json(line)
                except ValidationError:
                    bad.append(number)
                    continue
                if record.file is not None and not self._inside(record.file):
                    bad.append(number)
                    continue
                self._records[record.key] = record
                self._intact.pop(record.key, None)
        if bad:
            more = f" and {len(bad) - 1} more" if len(bad) > 1 else ""
            _log.warning(
                "%s:%d%s: unreadable record; kept as it is, everything else counts, and a sample "
                "known from there alone is made again",
                self._journal.path,
                bad[0],
                more,
            )

    def claim(self, key: str) -> bool:
        """Take sample `key` for this process, unless another has it. Dies with the process."""
        path = self.root / "claims" / key
        try:
            while True:
                fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
                try:
                    fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                except BlockingIOError:
                    os.close(fd)
                    return False
                # The holder before us may have removed the file between our open and our lock.
                if _is_still(fd, path):
                    break
                os.close(fd)
        except OSError as error:
            raise disk_error(error, path) from error
        self._claims[key] = fd
        return True

    def release(self, key: str) -> None:
        """Give up a claim, once its record is written."""
        fd = self._claims.pop(key)
        (self.root / "claims" / key).unlink(missing_ok=True)
        os.close(fd)

    def release_all(self) -> None:
        for key in tuple(self._claims):
            self.release(key)

    def _inside(self, file: str) -> bool:
        return (self.root / file).resolve().is_relative_to(self.root.resolve())

    def _is_intact(self, record: Record) -> bool:
        path = self.path(record)
        try:
            intact = file_digest(path) == record.sha256
        except OSError:
            intact = False
        if not intact:
            _log.warning(
                "%s: missing or changed since it was recorded; made again if need be", path
            )
        return intact


def _is_still(fd: int, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(fd), path.stat())
    except FileNotFoundError:
        return False


def file_digest(path: Path) -> str:
    """SHA-256 of a file's bytes."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def disk_error(error: OSError, path: Path) -> DiskError:
    """What people are told when the disk refuses: what, where, and that nothing is lost."""
    if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return DiskError(
            f"no room left on the disk for {path}; free some and run the same command again, "
            f"finished samples are kept"
        )
    return DiskError(f"can't write {path}: {error.strerror or error}")


def _read_manifest(root: Path) -> dict[str, Any]:
    path = root / "manifest.json"
    try:
        found = json.loads(path.read_bytes())
        number = found["schema"]
    except (ValueError, KeyError, TypeError) as error:
        raise PhospheneError(
            f"{path} is not a run's manifest ({error}); remove it to have it written anew"
        ) from error
    if number != SCHEMA:
        raise PhospheneError(
            f"{path} has schema {number!r}, this phosphene {__version__} reads {SCHEMA}; upgrade "
            f"phosphene"
        )
    return found


def _write_json(root: Path, manifest: Mapping[str, Any]) -> None:
    record = {"schema": SCHEMA, "phosphene": __version__, **manifest}
    partial = root / ".manifest.partial"
    with open(partial, "w") as file:
        json.dump(record, file, indent=2)
        file.flush()
        os.fsync(file.fileno())
    os.replace(partial, root / "manifest.json")
