"""`phosphene export`: a suite as files, for models that run elsewhere."""

from __future__ import annotations

import sys
from pathlib import Path

from phosphene.cli.console import say, say_json
from phosphene.cli.values import parse_size


def export(
    suite: str,
    /,
    *,
    out: Path,
    samples: int = 1,
    size: str | None = None,
    solutions: bool = False,
    limit: int | None = None,
    quiet: bool = False,
    json: bool = False,
) -> None:
    """Write first frames and prompts; what a model makes of them, bench --from-folder judges.

    Args:
        suite: a name of `phosphene ls suites`, or a YAML file.
        out: directory to write to.
        samples: clips of each item that will be recorded.
        size: size of the first frames in pixels, WIDTHxHEIGHT.
        solutions: also write the solved pictures and clips, which give the answers away.
        limit: only the first so many items of each cell.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.export import export as write

    asked = None if size is None else parse_size(size)
    count = 0
    for folder in write(suite, out, samples=samples, size=asked, solutions=solutions, limit=limit):
        count += 1
        if not quiet and count % 50 == 0:
            sys.stderr.write(f"[{count}] {folder}\n")
    if json:
        say_json({"out": out, "items": count})
    else:
        say(f"{count} items in {out}; record clips named as in {out / 'prompts.jsonl'}, then")
        say(f"phosphene bench {suite} --from-folder CLIPS --samples {samples}")
