"""Journal: an append-only file of JSON lines that several processes may write, and that survives
being killed, filled up or damaged at any byte."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def locked(path: Path) -> Iterator[None]:
    """Hold an exclusive lock on `path` among processes and threads; it dies with its holder."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    finally:
        os.close(fd)


class Journal:
    """Lines in, lines out. Each `read` gives what has been added since the one before.

    Args:
        path: the file; it comes into being with the first line.
        lock: a file beside it that writers hold while they write.
    """

    def __init__(self, path: Path, lock: Path) -> None:
        self.path = path
        self.lock = lock
        self._offset = 0
        self._line = 0

    def read(self) -> list[tuple[int, bytes]]:
        """The complete lines not yet read, each with its number (from 1)."""
        try:
            with open(self.path, "rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return []
        # What follows the last newline is still being written, or never will be: see `heal`.
        data = data[: data.rfind(b"\n") + 1]
        lines = data.split(b"\n")[:-1]
        first = self._line + 1
        self._offset += len(data)
        self._line += len(lines)
        return list(enumerate(lines, first))

    def append(self, line: bytes) -> None:
        """Add one line, on the disk when this returns.

        Raises:
            OSError: the disk refused; the file is as it was before.
        """
        assert b"\n" not in line
        with locked(self.lock), self._opened() as fd:
            start = self._heal(fd)
            rest = memoryview(line + b"\n")
            try:
                while rest:
                    rest = rest[os.write(fd, rest) :]
                os.fsync(fd)
            except OSError:
                os.ftruncate(fd, start)
                raise

    def heal(self) -> int:
        """Cut off a last line that its writer did not live to finish; returns its length."""
        if not self.path.exists():
            return 0
        with locked(self.lock), self._opened() as fd:
            before = os.fstat(fd).st_size
            return before - self._heal(fd)

    @contextmanager
    def _opened(self) -> Iterator[int]:
        fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            yield fd
        finally:
            os.close(fd)

    @staticmethod
    def _heal(fd: int) -> int:
        """Truncate to the end of the last complete line; returns the size."""
        size = end = os.fstat(fd).st_size
        while end > 0:
            start = max(0, end - 4096)
            newline = os.pread(fd, end - start, start).rfind(b"\n")
            if newline >= 0:
                end = start + newline + 1
                break
            end = start
        if end != size:
            os.ftruncate(fd, end)
        return end
