"""Where the files that travel with Phosphene are: inside an installed wheel, or in a checkout."""

from __future__ import annotations

from pathlib import Path

from phosphene.errors import PhospheneError


def _roots() -> tuple[Path, Path]:
    package = Path(__file__).parent
    return package, package.parent.parent


def shipped(name: str) -> Path:
    """The path of a file or folder that travels with Phosphene, e.g. `evals/core/suite.yaml`.

    Raises:
        PhospheneError: it is not there, which means a broken installation.
    """
    for root in _roots():
        if (root / name).exists():
            return root / name
    raise PhospheneError(f"{name} is missing; reinstall phosphene or restore it")


def shipped_names(folder: str, file: str) -> list[str]:
    """Names of the folders in `folder` that hold `file`, sorted."""
    return sorted({p.parent.name for root in _roots() for p in (root / folder).glob(f"*/{file}")})


def asset(name: str) -> Path:
    """The path of `assets/NAME` (a file or folder); raises as `shipped` does."""
    return shipped(f"assets/{name}")
