"""A server of our own that speaks the OpenAI protocol: for tests, and to try an endpoint out.

with serving(lambda turns: "accept.") as base:
    Endpoint(base, "any").reply([chat])
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

Turns = list[dict[str, str]]
Trouble = int | str | None


@dataclass(eq=False)
class Script:
    """What the server does.

    Args:
        reply: of the turns, what is said.
        score: of the turns, token -> log-probability of the answer's first token; None for a
            server that tells none.
        troubles: what befalls the first requests, in order: a status, `cut` (the line is cut),
            `garbage` (no JSON), None (nothing).
        key: bearer token that is wanted; empty for none.
        seen: bodies of all requests, in order.
    """

    reply: Callable[[Turns], str]
    score: Callable[[Turns], dict[str, float]] | None = None
    troubles: Sequence[Trouble] = ()
    key: str = ""
    seen: list[dict[str, Any]] = field(default_factory=list)
    lock: Any = field(default_factory=threading.Lock)

    def answer(self, body: dict[str, Any]) -> dict[str, Any]:
        """The JSON object of one completion."""
        turns = body["messages"]
        choice: dict[str, Any] = {
            "index": 0,
            "finish_reason": "stop",
            "message": {"role": "assistant", "content": self.reply(turns)},
        }
        if body.get("logprobs") and self.score is not None:
            told = sorted(self.score(turns).items(), key=lambda kv: -kv[1])
            top = [{"token": t, "logprob": p} for t, p in told[: body.get("top_logprobs", 1)]]
            choice["logprobs"] = {"content": [{**top[0], "top_logprobs": top}]}
        return {"object": "chat.completion", "model": body["model"], "choices": [choice]}


@contextmanager
def serving(reply: Callable[[Turns], str] | Script) -> Iterator[str]:
    """A server on this machine while the block lasts; gives its base address."""
    script = reply if isinstance(reply, Script) else Script(reply)
    server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(script))
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/v1"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def _handler(script: Script) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            with script.lock:
                place = len(script.seen)
                script.seen.append(body)
            trouble = script.troubles[place] if place < len(script.troubles) else None
            if trouble == "cut":
                self.close_connection = True
                return
            if trouble == "garbage":
                self._send(200, b"<html>busy</html>")
                return
            if isinstance(trouble, int):
                self._send(trouble, b'{"error": {"message": "not now"}}')
                return
            if script.key and self.headers.get("Authorization") != f"Bearer {script.key}":
                self._send(401, b'{"error": {"message": "wrong key"}}')
                return
            if self.path != "/v1/chat/completions":
                self._send(404, b'{"error": {"message": "no such path"}}')
                return
            self._send(200, json.dumps(script.answer(body)).encode())

        def _send(self, status: int, data: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, format: str, *args: Any) -> None:
            """Nothing is logged."""

    return Handler
