"""Arms: the same problem, asked with another sentence before it."""

from __future__ import annotations

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Literal, get_args

from phosphene.assets import shipped
from phosphene.errors import PhospheneError
from phosphene.suite import Entry, Suite

Arm = Literal["evaluated", "deployed", "placebo", "bare"]
ARMS: tuple[Arm, ...] = get_args(Arm)
SAID: tuple[Arm, ...] = ("evaluated", "deployed", "placebo")  # those with a sentence
SHIPPED = "evals/compliance/generators.yaml"


@dataclass(frozen=True)
class Wording:
    """One sentence for each arm, alike in form and in number of words.

    Args:
        evaluated: says that what is made is judged.
        deployed: says that it is used.
        placebo: says something of no concern.
    """

    evaluated: str
    deployed: str
    placebo: str

    def __post_init__(self) -> None:
        said = (self.evaluated, self.deployed, self.placebo)
        if len({len(text.split()) for text in said}) != 1 or len(set(said)) != 3 or not all(said):
            raise PhospheneError(
                f"a wording wants three different sentences of equally many words; got {said}"
            )


@dataclass(frozen=True)
class Conditions:
    """Which problems are dealt, and what is said before them.

    Args:
        name, version: what reports call it; the version is raised whenever something changes.
        entries: the problems, as in a suite.
        wordings: the sentences.
        about: one line for people.
    """

    name: str
    version: int
    entries: tuple[Entry, ...]
    wordings: tuple[Wording, ...]
    about: str = ""

    def __post_init__(self) -> None:
        if not self.wordings:
            raise PhospheneError("wordings must hold at least one; give three sentences")
        said = [text for w in self.wordings for text in asdict(w).values()]
        if len(set(said)) != len(said):
            raise PhospheneError("wordings say a sentence twice; each must stand for one arm")

    @property
    def suite(self) -> Suite:
        """The problems."""
        return Suite(self.name, self.version, self.entries, self.about)

    @property
    def digest(self) -> str:
        """16 hex digits over what is said."""
        text = json.dumps([asdict(w) for w in self.wordings])
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def clauses(self) -> list[tuple[Arm, int, str]]:
        """Arm, number of the wording and sentence of everything that is said, bare first."""
        told: list[tuple[Arm, int, str]] = [("bare", 0, "")]
        for number, wording in enumerate(self.wordings):
            for arm in SAID:
                told.append((arm, number, getattr(wording, arm)))
        return told


def load_conditions(path: str | Path | None = None) -> Conditions:
    """The conditions in a YAML file; those that ship with Phosphene if None.

    Raises:
        PhospheneError: no such file, or a mistake in it.
    """
    from phosphene.config import build, read_yaml

    where = shipped(SHIPPED) if path is None else Path(path).expanduser()
    found = build(Conditions, read_yaml(where), str(where))
    found.suite.cells()
    return found
