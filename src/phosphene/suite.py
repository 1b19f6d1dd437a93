"""Suite: which problems are dealt. One YAML file is a suite; everyone gets the same items."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from phosphene.assets import shipped, shipped_names
from phosphene.errors import PhospheneError, unknown
from phosphene.task import Canvas, Problem, Split, Task, tasks

FIRST_SEED = 5 * 10**9  # far from the seeds of training, exams and certificates


@dataclass(frozen=True)
class Entry:
    """Some cells of a suite's table: one task at one or more difficulties.

    Args:
        task: the task's name.
        fields: its difficulty.
        rungs: places on the task's ladder, from 0, whose fields are added to `fields`; all of them
            where the list is empty, and no ladder at all where None.
        splits: `test` instances were never trained on by construction, `train` ones may have been.
        items: problems in each cell.
        level: place on a difficulty curve of the suite's own making, where there are no rungs.
        prompts: what is asked, in turn, in place of the task's own wordings.
    """

    task: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    rungs: tuple[int, ...] | None = None
    splits: tuple[Split, ...] = ("test",)
    items: int = 10
    level: int | None = None
    prompts: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        if self.level is not None and self.rungs is not None:
            raise PhospheneError("give level or rungs, not both: a rung is its own level")
        if self.items < 1:
            raise PhospheneError(f"items must be at least 1; got {self.items}")
        if not self.splits:
            raise PhospheneError("splits must name test, train or both")


@dataclass(frozen=True)
class Cell:
    """One row of the table: its id, its task with fields, and how many items it has."""

    id: str
    title: str
    task: str
    fields: Mapping[str, Any]
    level: int | None
    split: Split
    items: int
    prompts: tuple[str, ...] = ()


@dataclass(frozen=True)
class Item:
    """One problem of a suite.

    Args:
        id: `CELL_NNNN`, unique in the suite and usable as a file name.
        cell: where it belongs.
        number: its place in the cell, from 0.
        problem_seed: what its problem is dealt from.
    """

    id: str
    cell: Cell
    number: int
    problem_seed: int

    @property
    def seed(self) -> int:
        """63-bit seed of every backbone's samples of this item: the same for all of them."""
        word = f"{self.cell.task} {json.dumps(dict(self.cell.fields), sort_keys=True)} "
        word += f"{self.cell.split} {self.problem_seed}"
        return int.from_bytes(hashlib.sha256(word.encode()).digest()[:8], "big") >> 1

    def deal(self) -> tuple[Task, Problem]:
        """The task and the problem, asked for in the suite's words where it has its own."""
        task = make_task(self.cell.task, self.cell.fields)
        problem = task.sample(self.problem_seed, self.cell.split)
        return task, replace(problem, prompts=self.cell.prompts or problem.prompts)


@dataclass(frozen=True)
class Suite:
    """A named, versioned set of problems.

    Args:
        name: what reports call it.
        version: raised whenever an item changes.
        about: one line for people.
        entries: what is dealt.
        seed: another seed deals other items of the same kinds.
        canvas: what clips are asked for where neither the backbone nor the user says otherwise.
    """

    name: str
    version: int
    entries: tuple[Entry, ...]
    about: str = ""
    seed: int = 0
    canvas: Canvas = field(default_factory=Canvas)

    def __post_init__(self) -> None:
        if not self.entries:
            raise PhospheneError("entries must name at least one task")

    @property
    def digest(self) -> str:
        """16 hex digits over everything that decides which items there are."""
        cells = [{k: v for k, v in asdict(c).items() if v != ()} for c in self.cells()]
        text = json.dumps([*cells, self.seed], sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]

    def cells(self) -> list[Cell]:
        """Every row of the table, in order.

        Raises:
            PhospheneError: an unknown task, field or rung, or two cells that are the same.
        """
        found: list[Cell] = []
        for entry in self.entries:
            ladder = tasks.get(entry.task).LADDER
            rungs = range(len(ladder)) if entry.rungs == () else entry.rungs
            for rung in (None,) if rungs is None else rungs:
                if rung is not None and rung not in range(len(ladder)):
                    raise PhospheneError(
                        f"suite {self.name}: {entry.task} has rungs 0..{len(ladder) - 1}; "
                        f"got {rung}"
                    )
                values = {**entry.fields, **({} if rung is None else ladder[rung])}
                for split in entry.splits:
                    found.append(_cell(entry, values, rung, split))
        ids = [cell.id for cell in found]
        twice = sorted({i for i in ids if ids.count(i) > 1})
        if twice:
            raise PhospheneError(f"suite {self.name} has the cell {twice[0]} twice; drop one")
        return found

    def items(self) -> list[Item]:
        """Every problem, cell by cell."""
        first = FIRST_SEED + self.seed * 10**6
        return [
            Item(f"{cell.id}_{i:04d}", cell, i, first + i)
            for cell in self.cells()
            for i in range(cell.items)
        ]


def _cell(entry: Entry, values: Mapping[str, Any], rung: int | None, split: Split) -> Cell:
    task = make_task(entry.task, values)
    plain = {name: getattr(task, name) for name in values}
    told = ", ".join(f"{k.replace('_', ' ')} {v}" for k, v in plain.items() if k != "variety")
    name = entry.task if rung is None else f"{entry.task}-{rung}"
    if rung is None:
        words = [f"{k}{v}" for k, v in plain.items() if k != "variety"]
        name += "".join("-" + re.sub(r"[^0-9A-Za-z.]+", "", word) for word in words)
    if entry.prompts:
        name += "-said"
    if split == "train":
        name += "-seen"
    title = entry.task.replace("_", " ") + (f" ({told})" if told else "")
    title += " in other words" if entry.prompts else ""
    level = entry.level if rung is None else rung
    return Cell(name, title, entry.task, plain, level, split, entry.items, entry.prompts)


def make_task(name: str, values: Mapping[str, Any]) -> Task:
    """A task with these fields.

    Raises:
        PhospheneError: no such task, an unknown field, or a value it refuses.
    """
    from phosphene.config import build

    return build(tasks.get(name), values, f"task {name}")


def load_suite(name: str | Path) -> Suite:
    """The suite called `name` among those that ship with Phosphene, or in a YAML file.

    Raises:
        PhospheneError: no such suite (near names are offered), or a mistake in the file.
    """
    from phosphene.config import build, read_yaml

    path = Path(name)
    if path.suffix not in (".yaml", ".yml"):
        if str(name) not in suite_names():
            hint = "(or give a .yaml file)"
            raise unknown("suite", str(name), suite_names(), hint)
        path = shipped(f"evals/{name}/suite.yaml")
    content = read_yaml(path)
    if isinstance(content.get("entries"), list):
        content["entries"] = [
            {"task": e} if isinstance(e, str) else _rungs_of(e) for e in content["entries"]
        ]
    suite = build(Suite, content, str(path))
    suite.cells()
    return suite


def _rungs_of(entry: Any) -> Any:
    """`rungs: all` in a file is an empty list here."""
    if isinstance(entry, dict) and entry.get("rungs") == "all":
        return {**entry, "rungs": []}
    return entry


def suite_names() -> list[str]:
    """The suites that ship with Phosphene."""
    return shipped_names("evals", "suite.yaml")
