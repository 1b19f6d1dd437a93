"""Where the files that travel with Phosphene are: inside an installed wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import PhospheneError


def asset(name: str) -> Path:
    """The path of `assets/NAME` (a file or folder).

    Raises:
        PhospheneError: it is not there, which means a broken installation.
    """
    package = Path(__file__).parent
    for root in (package / "assets", package.parent.parent / "assets"):
        if (root / name).exists():
            return root / name
    raise PhospheneError(f"asset {name!r} is missing; reinstall phosphene or restore assets/")
