"""`phosphene recreate`: make a sample again from the recipe inside its file."""

from __future__ import annotations

import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from phosphene.cli.console import say, say_json
from phosphene.cli.loading import ALLOW_PICKLE, TRUST_REMOTE_CODE
from phosphene.errors import PhospheneError


def recreate(
    file: Path,
    /,
    *,
    out: Path | None = None,
    backbone: str | None = None,
    force: bool = False,
    allow_pickle: Annotated[bool, Parameter(help=ALLOW_PICKLE)] = False,
    trust_remote_code: Annotated[bool, Parameter(help=TRUST_REMOTE_CODE)] = False,
    json: bool = False,
) -> int:
    """Make a sample again, compare the two, and print the new one's path.

    The status is 1 where they differ by more than rounding or lossy compression explain.

    Args:
        file: a file that `phosphene generate` wrote; its recipe is inside.
        out: file for the new sample; NAME-again in this directory if not given.
        backbone: where the weights lie now, if elsewhere.
        force: go on though the weights are not those the file was made with.
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.recreate import recreate as again

    target = out or Path(f"{file.stem}-again{file.suffix}")
    if target.suffix.lower() != file.suffix.lower():
        raise PhospheneError(f"--out {target} must end in {file.suffix}, as {file} does")
    if target.exists() and target.samefile(file):
        raise PhospheneError(f"--out {target} is the file to compare with; give another")
    with redirect_stdout(sys.stderr):
        made = again(
            file,
            target,
            backbone=backbone,
            force=force,
            allow_pickle=allow_pickle,
            trust_remote_code=trust_remote_code,
        )
    for warning in made.warnings:
        sys.stderr.write(f"phosphene: {warning}\n")
    if json:
        facts = {"likeness": made.likeness, "reason": made.reason}
        say_json({"file": made.path, **facts, "warnings": list(made.warnings)})
    else:
        say(str(made.path))
        sys.stderr.write(f"{made.likeness}: {made.reason}\n")
    return 1 if made.likeness == "different" else 0
