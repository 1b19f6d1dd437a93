"""`phosphene replay`: make a candidate of a session again, from the log alone."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from phosphene.cli.console import say, say_json


def replay(session: Path, id: str, /, *, out: Path | None = None, json: bool = False) -> int:
    """Make a candidate again and compare it with the first, bit for bit; exit 1 if they differ.

    Args:
        session: a session of `phosphene explore`.
        id: of the candidate, as 0003-07.
        out: file to keep it in: .mkv, .png and .wav are exact.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene import media
    from phosphene.exploring.replay import replay as make

    with redirect_stdout(sys.stderr):
        found = make(session, id)
    if out is not None:
        media.save(found.clip, out)
    if json:
        say_json({"id": id, "exact": found.exact, "digest": found.clip.digest, "file": out})
    else:
        say(f"{id}: {'equal to the bit' if found.exact else 'differs from the first one'}")
        if out is not None:
            say(str(out))
    return 0 if found.exact else 1
