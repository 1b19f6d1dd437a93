"""`phosphene studio`: a session on a local web page."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from phosphene.cli.console import say
from phosphene.errors import PhospheneError
from phosphene.progress import OnEvent


def studio(
    session: Path,
    /,
    *,
    port: int = 0,
    explore: bool = False,
    budget: int | None = None,
    no_browser: bool = False,
) -> None:
    """Open a page on which a session is watched, heard and steered; Ctrl-C ends it.

    The page is served to this machine alone. What people like, pin, blend or ask for is written
    into the session's log, where the explorer finds it, in this process or in another.

    Args:
        session: the session's directory.
        port: to listen on; 0 for any that is free.
        explore: go on with the search in this process.
        budget: how far, in samples' worth of denoiser calls; the session's own if not given.
        no_browser: only print the page's address.
    """
    from phosphene.studio.server import serve

    if budget is not None and not explore:
        raise PhospheneError("--budget says how far to search; give --explore with it")
    work = partial(_resume, session, budget) if explore else None
    try:
        serve(session, port, work, not no_browser, tell=_tell)
    except KeyboardInterrupt:
        return


def _resume(session: Path, budget: int | None, on_event: OnEvent) -> None:
    from phosphene.explore import resume

    resume(session, on_event, budget=budget)


def _tell(address: str) -> None:
    import sys

    say(address)
    sys.stdout.flush()
