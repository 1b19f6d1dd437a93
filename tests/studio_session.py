"""A session's log as the explorer writes it, of any size, and a Studio that serves it."""

from __future__ import annotations

import base64
import hashlib
import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.studio.security import Lock
from phosphene.studio.server import Studio, listening, server

POSTER = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)


class Written:
    """A session directory that grows by whole rounds.

    Args:
        root: where; made here.
        width: length of the one embedding's vectors.
    """

    def __init__(self, root: Path, width: int = 24) -> None:
        root.mkdir(parents=True, exist_ok=True)
        self.root = root
        self.log = root / "events.jsonl"
        self._rng = np.random.default_rng(0)
        self._width = width
        self._rounds = 0
        self._calls = 0
        self.ids: list[str] = []
        search = {"explorer": "portfolio", "seed": 0}
        manifest = {"schema": 1, "kind": "explore", "backbone": "ember", "budget": 64}
        (root / "session.json").write_text(json.dumps({**manifest, "search": search}))

    def add(self, event: dict[str, Any]) -> None:
        """One line."""
        with self.log.open("a") as file:
            file.write(json.dumps({**event, "time": 1.0}) + "\n")

    def round(self, count: int = 8, heard: int = 0, **changes: Any) -> list[str]:
        """A round of `count` samples, asked, made and told; `changes` go into every proposal."""
        ids = [f"{self._rounds:04d}-{i:02d}" for i in range(count)]
        genome = {"prompt": "a red ball", "atoms": {"colour": "red"}}
        asked = [
            {"id": id, "genome": genome, "operator": "pcn" if self.ids else "fresh"}
            | ({"parents": [self.ids[i % len(self.ids)]]} if self.ids else {})
            | changes
            for i, id in enumerate(ids)
        ]
        self.add({"kind": "asked", "round": self._rounds, "heard": heard, "proposals": asked})
        for id in ids:
            self.add(self.made(id))
        self._calls += 8 * count
        self.add(
            {
                "kind": "told",
                "round": self._rounds,
                "calls": self._calls,
                "admitted": ids,
                "quality": {id: round(float(self._rng.random()), 4) for id in ids},
                "novelty": dict.fromkeys(ids, 0.5),
                "size": len(self.ids) + count,
                "best": 0.9,
            }
        )
        self.ids += ids
        self._rounds += 1
        return ids

    def made(self, id: str) -> dict[str, Any]:
        """The event of a sample with a poster on the disk and a vector at random."""
        digest = hashlib.sha256(POSTER).hexdigest()
        name = f"media/{digest[:2]}/{digest}.png"
        (self.root / name).parent.mkdir(parents=True, exist_ok=True)
        (self.root / name).write_bytes(POSTER)
        vector = self._rng.normal(size=self._width).astype("<f2")
        vectors = {"pixels": base64.b64encode(vector.tobytes()).decode()}
        scores = {"sharpness": 1.5, "coherence": None}
        event = {"kind": "made", "id": id, "calls": 8, "scores": scores, "vectors": vectors}
        return {**event, "media": name, "poster": name}

    def events(self) -> list[dict[str, Any]]:
        """The log, line by line."""
        return [json.loads(line) for line in self.log.read_bytes().splitlines()]


class Served:
    """A running Studio, and requests to it."""

    def __init__(self, lock: Lock, studio: Studio) -> None:
        self.lock = lock
        self.studio = studio

    @property
    def origin(self) -> str:
        return f"http://127.0.0.1:{self.lock.port}"

    def ask(
        self,
        path: str,
        method: str = "GET",
        body: bytes | None = None,
        headers: dict[str, str] | None = None,
    ) -> tuple[int, dict[str, str], bytes]:
        """Status, headers by small names, and body."""
        connection = HTTPConnection("127.0.0.1", self.lock.port, timeout=20)
        try:
            connection.request(method, path, body, headers or {})
            answer = connection.getresponse()
            return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()
        finally:
            connection.close()

    def say(self, act: Any, **headers: str) -> tuple[int, Any]:
        """An act, as the page sends it; `headers` replace the page's own (`_` for `-`)."""
        page = {
            "Content-Type": "application/json",
            "Origin": self.origin,
            "X-Phosphene-Token": self.lock.token,
        } | {k.replace("_", "-"): v for k, v in headers.items()}
        body = act if isinstance(act, bytes) else json.dumps(act).encode()
        status, _, answer = self.ask("/api/act", "POST", body, page)
        return status, json.loads(answer)


@contextmanager
def served(root: Path, explore: Any = None) -> Iterator[Served]:
    """The Studio of a session, on a port of its own, in a thread."""
    studio = Studio(root, explore)
    sock = listening(0)
    lock = Lock(sock.getsockname()[1])
    running = server(studio.app(lock))
    thread = threading.Thread(target=running.run, kwargs={"sockets": [sock]}, daemon=True)
    thread.start()
    while not running.started:
        time.sleep(0.01)
    try:
        yield Served(lock, studio)
    finally:
        running.should_exit = True
        thread.join(10)
        sock.close()
