"""What verbs say on stdout: lines for people, or one JSON object."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from typing import Any


def say(line: str = "") -> None:
    """One line for people."""
    sys.stdout.write(line + "\n")


def say_json(value: Any) -> None:
    """The one JSON value that a verb prints under `--json`; paths and fractions become text."""
    sys.stdout.write(json.dumps(value, indent=2, default=str) + "\n")


def say_table(rows: Sequence[Sequence[Any]]) -> None:
    """Rows of cells in columns as wide as they need; the last column runs free."""
    widths = [max(len(str(row[i])) for row in rows) for i in range(len(rows[0]))] if rows else []
    for row in rows:
        cells = [str(cell).ljust(width) for cell, width in zip(row, widths, strict=True)]
        say("  ".join(cells).rstrip())
