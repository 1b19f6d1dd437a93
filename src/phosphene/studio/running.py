"""Running: the explorer at work in a thread of the Studio's process."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.progress import Event, OnEvent

_log = logging.getLogger("phosphene")


class Running:
    """What the explorer is doing, as far as it tells.

    Args:
        explore: searches until it is done and tells its progress; None for a page that only
            watches, while the explorer runs elsewhere or not at all.

    Attributes:
        version: goes up whenever there is news.
    """

    def __init__(self, explore: Callable[[OnEvent], object] | None) -> None:
        self._explore = explore
        self._last: Event | None = None
        self._ended = False
        self._error = ""
        self.version = 0

    def start(self) -> None:
        """Begin, in a thread that ends with the process: a session survives that at any moment."""
        if self._explore is not None:
            threading.Thread(target=self._work, name="phosphene-explore", daemon=True).start()

    def record(self) -> dict[str, Any]:
        """`state` (watching, running, done, failed), `text`, `finished` and `total`; JSON-able."""
        out: dict[str, Any] = {"state": self._state}
        if self._last is not None:
            out |= {"finished": self._last.finished, "total": self._last.total}
            out |= {"text": self._last.text, "doing": self._last.kind}
        if self._error:
            out["text"] = self._error
        return out

    @property
    def _state(self) -> str:
        if self._explore is None:
            return "watching"
        if self._error:
            return "failed"
        return "done" if self._ended else "running"

    def _tell(self, event: Event) -> None:
        self._last = event
        self.version += 1

    def _work(self) -> None:
        assert self._explore is not None
        try:
            self._explore(self._tell)
        except PhospheneError as error:
            self._error = " ".join(str(error).split())
        except Exception as error:
            _log.exception("the explorer stopped")
            self._error = f"the explorer stopped: {type(error).__name__}: {error}"[:500]
        self._ended = True
        self.version += 1
