"""Server: the Studio on 127.0.0.1."""

from __future__ import annotations

import asyncio
import json
import socket
import threading
import webbrowser
from collections.abc import Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from phosphene.errors import PhospheneError
from phosphene.journal import Journal
from phosphene.progress import OnEvent
from phosphene.studio import acts
from phosphene.studio.feed import MOST, Feed
from phosphene.studio.item import MEDIA
from phosphene.studio.running import Running
from phosphene.studio.security import App, Guarded, Lock
from phosphene.studio.state import State

_PAGE = Path(__file__).parent / "page"
_TYPES = {
    ".html": "text/html",
    ".css": "text/css",
    ".js": "text/javascript",
    ".svg": "image/svg+xml",
}
_MEDIA = {
    "mp4": "video/mp4",
    "mkv": "video/x-matroska",
    "png": "image/png",
    "gif": "image/gif",
    "wav": "audio/wav",
}
_FRESH = {"cache-control": "no-store"}
_FOREVER = {"cache-control": "private, max-age=31536000, immutable"}


class Studio:
    """A session's page: what is served where.

    Args:
        root: the session's directory.
        explore: runs the session's explorer; see `Running`.

    Raises:
        PhospheneError: there is no session at `root`.
    """

    def __init__(self, root: Path, explore: Callable[[OnEvent], object] | None = None) -> None:
        self.root = root.resolve()
        self.state = State(self.root)
        self.state.refresh()
        self.running = Running(explore)
        self._journal = Journal(self.root / "events.jsonl", self.root / ".lock")
        self._pages = {p.name: p.read_bytes() for p in _PAGE.iterdir() if p.suffix in _TYPES}

    def app(self, lock: Lock) -> App:
        """The ASGI application, behind a lock."""
        routes = [
            Route("/", self._page),
            Route("/{name:str}", self._page),
            Route("/media/{folder:str}/{name:str}", self._media),
            Route("/api/state", self._whole),
            Route("/api/item/{id:str}", self._item),
            Route("/api/events", self._events),
            Route("/api/act", self._act, methods=["POST"]),
        ]
        errors: Mapping[Any, Any] = {HTTPException: _refuse, ClientDisconnect: _gone}
        app = Starlette(routes=routes, lifespan=self._life, exception_handlers=errors)
        # Every address has one form; a redirect to another would only leak that it exists.
        app.router.redirect_slashes = False
        return Guarded(app, lock)

    @asynccontextmanager
    async def _life(self, app: Starlette):
        self._feed = Feed(self.state, self.running)
        following = asyncio.create_task(self._feed.follow())
        self.running.start()
        yield
        following.cancel()

    async def _page(self, request: Request) -> Response:
        name = request.path_params.get("name", "index.html")
        if name not in self._pages:
            raise HTTPException(404, "there is no such page")
        kind = _TYPES[Path(name).suffix]
        headers = {"cache-control": "no-cache"}
        return Response(self._pages[name], headers=headers, media_type=kind)

    async def _media(self, request: Request) -> Response:
        name = "media/{folder}/{name}".format(**request.path_params)
        path = self.root / name
        # Resolved, so that no link inside the session leads out of it or to another name.
        if not MEDIA.fullmatch(name) or path.resolve() != path or not path.is_file():
            raise HTTPException(404, "there is no such file")
        kind = _MEDIA[name.rpartition(".")[2]]
        return FileResponse(path, headers=_FOREVER, media_type=kind)

    async def _whole(self, request: Request) -> Response:
        return Response(
            await asyncio.to_thread(self._state_text), media_type="application/json", headers=_FRESH
        )

    def _state_text(self) -> str:
        whole = {**self.state.since(0), "session": self._facts(), "explorer": self.running.record()}
        return json.dumps(whole, separators=(",", ":"))

    def _facts(self) -> dict[str, Any]:
        """What the page says about the session as a whole."""
        manifest = self.state.manifest
        search = manifest.get("search", {})
        return {
            "name": self.root.name,
            "backbone": manifest.get("backbone", ""),
            "explorer": search.get("explorer", ""),
            "seed": search.get("seed"),
            "budget": manifest.get("budget"),
        }

    async def _item(self, request: Request) -> Response:
        try:
            return JSONResponse(self.state.details(request.path_params["id"]), headers=_FRESH)
        except PhospheneError as error:
            raise HTTPException(404, str(error)) from None

    async def _events(self, request: Request) -> Response:
        if self._feed.listeners >= MOST:
            raise HTTPException(503, f"{MOST} pages listen already; close one")
        since = request.headers.get("last-event-id") or request.query_params.get("since", "0")
        if not (since.isascii() and since.isdecimal() and len(since) < 16):
            raise HTTPException(400, "since is a line number of the log")
        # A log that was put back from a copy is shorter than what the page has seen: all over.
        line = int(since) if int(since) <= self.state.line else 0
        stream = self._feed.listen(line)
        return StreamingResponse(stream, headers=_FRESH, media_type="text/event-stream")

    async def _act(self, request: Request) -> Response:
        if request.headers.get("content-type", "").partition(";")[0] != "application/json":
            raise HTTPException(415, "an act is sent as application/json")
        body = b""
        async for part in request.stream():
            body += part
            if len(body) > acts.LARGEST:
                raise HTTPException(413, f"an act has at most {acts.LARGEST} bytes")
        try:
            event = acts.act(body, self.state.items)
        except PhospheneError as error:
            raise HTTPException(400, str(error)) from None
        try:
            await asyncio.to_thread(acts.write, self._journal, event)
        except OSError as error:
            raise HTTPException(507, f"the log can't be written: {error.strerror}") from None
        await asyncio.to_thread(self.state.refresh)
        self._feed.wake()
        return JSONResponse({"line": self.state.line}, headers=_FRESH)


async def _refuse(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    headers = {**_FRESH, **(error.headers or {})}
    return JSONResponse({"error": error.detail}, error.status_code, headers)


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=499)


def listening(port: int) -> socket.socket:
    """A socket on 127.0.0.1; 0 for any free port.

    Raises:
        PhospheneError: the port is taken or not allowed.
    """
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("127.0.0.1", port))
    except (OSError, OverflowError) as error:
        sock.close()
        reason = getattr(error, "strerror", None) or str(error)
        raise PhospheneError(
            f"can't listen on port {port} ({reason.lower()}); give another --port, or 0 for any"
        ) from None
    return sock


def server(app: App) -> uvicorn.Server:
    """A server for one page and the few who look at it."""
    config = uvicorn.Config(
        app,
        log_level="critical",
        access_log=False,
        server_header=False,
        limit_concurrency=256,
        # Listeners stay for as long as they are let.
        timeout_graceful_shutdown=1,
    )
    return uvicorn.Server(config)


def serve(
    root: Path,
    port: int,
    explore: Callable[[OnEvent], object] | None,
    browse: bool,
    tell: Callable[[str], None],
) -> None:
    """Serve a session's page until interrupted.

    Args:
        root: the session's directory.
        port: 0 for any free one.
        explore: runs the session's explorer; see `Running`.
        browse: open the page in the person's browser.
        tell: called once with the page's address, its token included.

    Raises:
        PhospheneError: no session at `root`, or a port that is taken.
    """
    studio = Studio(root, explore)
    sock = listening(port)
    lock = Lock(sock.getsockname()[1])
    address = f"http://127.0.0.1:{lock.port}/#token={lock.token}"
    tell(address)
    if browse:
        # The socket is bound: a browser that is faster than the server waits in its queue.
        sock.listen()
        threading.Thread(target=webbrowser.open, args=(address,), daemon=True).start()
    server(studio.app(lock)).run(sockets=[sock])
