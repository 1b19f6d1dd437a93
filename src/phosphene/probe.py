"""Probe: a question put to a running generator, answered in a table with intervals and nulls."""

from __future__ import annotations

import abc
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

from phosphene.registry import Registry

if TYPE_CHECKING:
    from phosphene.notebook import Notebook
    from phosphene.subject import Subject

probes = Registry("probe", "phosphene.probes")
ALPHA = 0.05


@dataclass(frozen=True)
class Finding:
    """One claim, or its refusal.

    Args:
        name: short and stable, e.g. `commitment step`.
        says: one sentence for people, with the figures in it.
        holds: whether the claim stands: its interval clears its null at `ALPHA`, all looks at the
            data counted. False is a null result; None where it could not be asked, `says` why.
        value, low, high: the estimate and its 95 % interval, in `unit`.
        null: what the control gives in the same unit.
        p: of the test that decided, corrected for the number of places looked at.
        n: items that were drawn independently.
        unit: of the value.
    """

    name: str
    says: str
    holds: bool | None
    value: float | None = None
    low: float | None = None
    high: float | None = None
    null: float | None = None
    p: float | None = None
    n: int = 0
    unit: str = ""


@dataclass(frozen=True, eq=False)
class Heat:
    """A heat map, or several on one scale.

    Args:
        title: what is shown.
        x_label, y_label: what the axes count.
        x, y: names along them.
        values: `(panels, y, x)`; nan is left blank.
        panels: a name each, e.g. frames.
        low, high: intervals, shaped like `values`, for hovering; None without.
        marks: bool, shaped like `values`: cells whose claim stands.
        null: what the control gives, in the same unit: the scale's middle.
        unit: of the values.
        notes: for hovering, shaped like `values`, further words a cell.
    """

    title: str
    x_label: str
    y_label: str
    x: Sequence[str]
    y: Sequence[str]
    values: np.ndarray
    panels: Sequence[str] = ("",)
    low: np.ndarray | None = None
    high: np.ndarray | None = None
    marks: np.ndarray | None = None
    null: float = 0.0
    unit: str = ""
    notes: np.ndarray | None = None


@dataclass(frozen=True, eq=False)
class Lines:
    """Curves over a common axis.

    Args:
        title: what is shown.
        x_label, y_label: what the axes count, and in which unit.
        x: numbers along the axis, growing.
        series: name -> `(3, len(x))`: value, low, high.
        null: a level to compare with; None without.
    """

    title: str
    x_label: str
    y_label: str
    x: Sequence[float]
    series: Mapping[str, np.ndarray]
    null: float | None = None


@dataclass(frozen=True, eq=False)
class Strip:
    """Film strips: rows of pictures.

    Args:
        title: what is shown.
        rows: for each row its label and its pictures: caption, uint8 `(h, w, 3)`, and whether what
            it shows is right (None where nothing can be read).
        x_label: what counts along a row.
    """

    title: str
    rows: Sequence[tuple[str, Sequence[tuple[str, np.ndarray, bool | None]]]]
    x_label: str = "denoising step"


@dataclass(frozen=True, eq=False)
class Thought:
    """One thought, as words and as it is.

    Args:
        name: e.g. `thought 2`.
        vector: `(d,)`, as it was fed back.
        words: the likeliest readings, best first: word, share in 0..1, and which named value of the
            problem it is; empty for none.
    """

    name: str
    vector: np.ndarray
    words: Sequence[tuple[str, float, str]]


@dataclass(frozen=True, eq=False)
class Chain:
    """The thoughts about one problem.

    Args:
        question: what was asked.
        values: name and word of what had to be worked out on the way.
        wanted, said: the true answer and the one given.
        right: whether that was right.
        thoughts: in order.
    """

    question: str
    values: Sequence[tuple[str, str]]
    wanted: str
    said: str
    right: bool
    thoughts: Sequence[Thought]


@dataclass(frozen=True, eq=False)
class Thoughts:
    """Chains of thoughts in vectors, read as words.

    Args:
        title: what is shown.
        chains: one a problem.
        unit: of the words' shares.
    """

    title: str
    chains: Sequence[Chain]
    unit: str = ""


Figure = Heat | Lines | Strip | Thoughts


@dataclass(frozen=True, eq=False)
class Result:
    """What a probe leaves.

    Args:
        table: one row an address, of JSON-able values; same keys in every row.
        findings: what it claims, and what it had to leave open.
        figures: to look at, by a short file name each.
        notes: what a reader should know: settings chosen, items left out, and why.
    """

    table: Sequence[Mapping[str, Any]]
    findings: Sequence[Finding]
    figures: Mapping[str, Figure] = field(default_factory=dict)
    notes: Sequence[str] = ()


class Probe(abc.ABC):
    """A frozen dataclass whose fields are its settings. One file in `probes/` is one probe.

    Class attributes:
        name: the file's.
        ASKS: the question, in one line.
        CONTROLS: what it is held against, in one line.
    """

    name: ClassVar[str]
    ASKS: ClassVar[str]
    CONTROLS: ClassVar[str]

    @abc.abstractmethod
    def run(self, subject: Subject, book: Notebook) -> Result:
        """Put the question.

        Args:
            subject: the generator, the task and the number of items.
            book: keeps each finished unit of work, so that an interrupted run goes on; tells of
                progress.

        Raises:
            PhospheneError: the subject has not what the probe looks at; says what is missing.
        """
