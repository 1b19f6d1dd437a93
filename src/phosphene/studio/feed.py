"""Feed: news of a session as server-sent events, to any number of pages.

References:
    HTML Standard, section 9.2, Server-sent events,
    https://html.spec.whatwg.org/multipage/server-sent-events.html
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator

from phosphene.studio.running import Running
from phosphene.studio.state import State

TICK = 0.4  # seconds between two looks at the log
BEAT = 15.0  # seconds of silence after which a comment keeps the line open
MOST = 64  # pages that may listen at once
_log = logging.getLogger("phosphene")


class Feed:
    """Follows the log and wakes those who listen.

    Args:
        state: of the session.
        running: the explorer in this process, or none.
    """

    def __init__(self, state: State, running: Running) -> None:
        self._state = state
        self._running = running
        self._news = asyncio.Event()
        self.listeners = 0

    async def follow(self) -> None:
        """Look at the log again and again, until cancelled."""
        version = self._running.version
        while True:
            try:
                grown = await asyncio.to_thread(self._state.refresh)
            except OSError as error:
                _log.warning("the session's log can't be read: %s", error)
                grown = False
            if grown or self._running.version != version:
                version = self._running.version
                self.wake()
            await asyncio.sleep(TICK)

    def wake(self) -> None:
        """There is news."""
        self._news.set()
        self._news = asyncio.Event()

    async def listen(self, line: int) -> AsyncIterator[str]:
        """Server-sent events: what has changed since that line of the log, and so on.

        Each event's id is the line up to which it tells; a page that lost its line goes on there.
        """
        self.listeners += 1
        version = -1
        try:
            yield "retry: 1000\n\n"
            while True:
                news = self._news
                if self._state.line > line or self._running.version != version:
                    version = self._running.version
                    line, text = await asyncio.to_thread(self._since, line)
                    yield f"id: {line}\nevent: change\ndata: {text}\n\n"
                    continue
                try:
                    await asyncio.wait_for(news.wait(), BEAT)
                except TimeoutError:
                    yield ": beat\n\n"
        finally:
            self.listeners -= 1

    def _since(self, line: int) -> tuple[int, str]:
        change = {**self._state.since(line), "explorer": self._running.record()}
        return change["line"], json.dumps(change, separators=(",", ":"))
