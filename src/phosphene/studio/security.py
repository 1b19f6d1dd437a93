"""Security: the page answers to the browser on this machine, and to no other page in it.

What is feared is not the network (the server is bound to loopback) but other sites open in the same
browser: a name that is rebound to 127.0.0.1, a form or script that posts here, a frame around the
page.

References:
    OWASP, Cross-Site Request Forgery Prevention Cheat Sheet,
    https://cheatsheetseries.owasp.org/cheatsheets/Cross-Site_Request_Forgery_Prevention_Cheat_Sheet.html
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Callable, MutableMapping
from dataclasses import dataclass, field
from typing import Any

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]

_NAMES = ("127.0.0.1", "localhost", "[::1]")
_READING = ("GET", "HEAD")
_POLICY = "; ".join(
    (
        "default-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
        "object-src 'none'",
    )
)
_HEADERS = {
    "content-security-policy": _POLICY,
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-resource-policy": "same-origin",
    "cross-origin-opener-policy": "same-origin",
}


@dataclass(frozen=True)
class Lock:
    """Who may do what.

    Args:
        port: that the server listens on.
        token: what a request that changes anything must carry in `X-Phosphene-Token`.
    """

    port: int
    token: str = field(default_factory=lambda: secrets.token_urlsafe(24), repr=False)

    def refusal(self, method: str, headers: list[tuple[bytes, bytes]]) -> tuple[int, str] | None:
        """Status and reason for which a request is refused; None where it may pass."""
        given: dict[str, list[str]] = {}
        for name, value in headers:
            given.setdefault(name.decode("latin-1").lower(), []).append(value.decode("latin-1"))
        hosts = {f"{name}:{self.port}" for name in _NAMES}
        if len(given.get("host", [])) != 1 or given["host"][0].lower() not in hosts:
            return 421, "this server answers to its own loopback address only"
        origins = {f"http://{host}" for host in hosts}
        for origin in given.get("origin", []):
            if origin.lower() not in origins:
                return 403, "asked from another page"
        if method in _READING:
            return None
        if "origin" not in given:
            return 403, "a change must say which page it comes from (Origin)"
        tokens = given.get("x-phosphene-token", [])
        if len(tokens) != 1 or not secrets.compare_digest(tokens[0].encode(), self.token.encode()):
            return 403, "wrong token; open the page by the address that phosphene studio printed"
        return None


class Guarded:
    """An app behind a lock; every answer carries the headers that keep other pages out."""

    def __init__(self, app: App, lock: Lock) -> None:
        self._app = app
        self._lock = lock

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._app(scope, receive, send)
            return
        if scope["type"] != "http":
            raise RuntimeError(f"the studio speaks HTTP alone, not {scope['type']}")

        async def guarded(message: Message) -> None:
            if message["type"] == "http.response.start":
                raw = [(k.encode(), v.encode()) for k, v in _HEADERS.items()]
                message["headers"] = [*message.get("headers", ()), *raw]
            await send(message)

        refused = self._lock.refusal(scope["method"], scope["headers"])
        if refused is None:
            await self._app(scope, receive, guarded)
            return
        from starlette.responses import JSONResponse

        status, reason = refused
        # The rest of a refused request is not read: the connection ends with the answer.
        headers = {"cache-control": "no-store", "connection": "close"}
        await JSONResponse({"error": reason}, status, headers)(scope, receive, guarded)
