"""Result: the judged samples of a bench run, as tables, reports and exports see them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from phosphene.trace import Mark, Protocol
from phosphene.verdict import Verdict


@dataclass(frozen=True)
class Result:
    """One sample of one item, judged.

    Args:
        item: the item's id, unique in its suite and the same for every backbone: `maze-5/0003`.
        cell: the row of the table it belongs to: `maze-5`.
        task: the task's name.
        fields: the task's difficulty fields.
        level: the cell's place on its task's ladder, from 0; None where the suite gives none.
        split: `train` or `test` instances.
        problem_seed: what the problem was dealt from.
        sample: 0..K-1; sample k of an item is asked with the same seed of every backbone.
        wording: which of the problem's prompts was used.
        prompt: its text.
        verdicts: protocol -> verdict; a sample that could not be made is `failed` in all of them.
        marks: what to draw over the last frame.
        file: the clip, relative to the run directory; None where it could not be made.
        key: the sample's address in the run.
        floors: baseline -> headline of one clip of it on the same item, e.g. `static`, `random`.
        seconds: what the sample took to make.
    """

    item: str
    cell: str
    task: str
    fields: Mapping[str, Any]
    level: int | None
    split: str
    problem_seed: int
    sample: int
    wording: int
    prompt: str
    verdicts: Mapping[Protocol, Verdict]
    marks: tuple[Mark, ...] = ()
    file: str | None = None
    key: str = ""
    floors: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0

    def passed(self, protocol: Protocol = "last") -> bool:
        """Whether the headline is `passed`; unreadable and failed samples are not."""
        return self.verdicts[protocol].passed
