"""Disk: whole files in, whole files out, and errors that name the file."""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from phosphene.errors import PhospheneError


def read(path: str | Path) -> bytes:
    """All bytes of a file.

    Raises:
        PhospheneError: it is missing, unreadable or empty.
    """
    try:
        data = Path(path).expanduser().read_bytes()
    except OSError as error:
        raise PhospheneError(f"{(error.strerror or str(error)).lower()}; check the path") from error
    if not data:
        raise PhospheneError("the file is empty; copy or make it again")
    return data


def write(data: bytes, path: Path, check: Callable[[bytes], None]) -> None:
    """Put `data` at `path` in one step, once `check` has accepted what can be read back.

    A process killed on the way leaves a `*.partial` file next to `path`, never a short `path`.

    Raises:
        PhospheneError: the disk is full or refuses, or `check` raised. An older file stays.
    """
    partial = path.with_name(f"{path.name[:40]}.{uuid.uuid4().hex[:8]}.partial")
    try:
        with partial.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        check(partial.read_bytes())
        os.replace(partial, path)
        _sync_directory(path.parent)
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        mend = "free some space and run it again" if full else "check the directory and its rights"
        raise PhospheneError(f"{(error.strerror or str(error)).lower()}; {mend}") from error
    finally:
        partial.unlink(missing_ok=True)


def write_text(text: str, path: Path) -> None:
    """Put UTF-8 text at `path` in one step.

    Raises:
        PhospheneError: the disk is full or refuses, or returns something else. An older file stays.
    """
    data = text.encode()

    def check(back: bytes) -> None:
        if back != data:
            raise PhospheneError("the disk returns something else than was written; check it")

    with naming(f"can't write {path}"):
        write(data, path, check)


def _sync_directory(path: Path) -> None:
    """Make the new name itself survive a power cut."""
    if os.name != "posix":  # elsewhere a directory can't be opened
        return
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


@contextmanager
def naming(what: str) -> Iterator[None]:
    """Put what was attempted, and on which file, before any error from within."""
    try:
        yield
    except PhospheneError as error:
        raise PhospheneError(f"{what}: {error}") from error
