"""`phosphene demo`: let Ember draw, and look at it on one page."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path

from phosphene.cli.console import say, say_json


def demo(
    *, out: Path = Path("demo"), clips: int = 24, quiet: bool = False, json: bool = False
) -> None:
    """Generate a grid of Ember clips with sound, judge them, and write one HTML page.

    Args:
        out: directory for the page, its clips and summary.json.
        clips: how many of each family and split to generate and count.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.demo import demo as show

    with redirect_stdout(sys.stderr):
        page = show(out, clips=clips, quiet=quiet)
    if json:
        say_json({"page": page})
    else:
        say(str(page))
