"""Compare: two runs of one suite, item by item."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.outcome import Bench
from phosphene.result import Result
from phosphene.statistics import Paired, holm
from phosphene.statistics import compare as paired
from phosphene.trace import PROTOCOLS, Protocol

Pair = tuple[Result, Result]
SAME = ("cell", "task", "split", "problem_seed", "wording", "prompt")


@dataclass(frozen=True)
class Compared:
    """One cell of a comparison.

    Args:
        cell: its name.
        items: problems that both runs have.
        samples: pairs of samples.
        paired: A against B.
        holm: p adjusted for the number of cells.
    """

    cell: str
    items: int
    samples: int
    paired: Paired
    holm: float

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {**vars(self), "paired": self.paired.record()}


@dataclass(frozen=True)
class Comparison:
    """Two runs compared on what they share.

    Args:
        a: the first run's backbone.
        b: the second's.
        protocol: which frame was judged.
        cells: cell by cell.
        overall: over all shared items; a test of its own, not adjusted.
        notes: what was left out, and what else differs, a line each.
    """

    a: str
    b: str
    protocol: Protocol
    cells: tuple[Compared, ...]
    overall: Compared
    notes: tuple[str, ...]

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        cells = [cell.record() for cell in self.cells]
        return {**vars(self), "cells": cells, "overall": self.overall.record()}


def compare(a: Bench, b: Bench, protocol: Protocol = "last") -> Comparison:
    """Pair the samples of two runs by item and number, and test their difference.

    Raises:
        PhospheneError: the runs are of different suites, share nothing, have different problems
            under one name, or were not both judged by `protocol`; the message names what differs.
    """
    if protocol not in PROTOCOLS:
        raise PhospheneError(f"no protocol {protocol!r}; there are {', '.join(PROTOCOLS)}")
    for what, left, right in (
        ("suite", a.suite["name"], b.suite["name"]),
        ("suite version", a.suite["version"], b.suite["version"]),
    ):
        if left != right:
            raise PhospheneError(
                f"can't compare {a.root} with {b.root}: {what} {left} against {right}; "
                "bench both on the same suite"
            )
    pairs = _pairs(a, b)
    for bench, results in ((a, [x for x, _ in pairs]), (b, [y for _, y in pairs])):
        if lacking := sum(protocol not in r.verdicts for r in results):
            raise PhospheneError(
                f"can't compare by {protocol!r}: {lacking} samples of {bench.root} were not judged "
                f"by it; run phosphene score {bench.root} or choose another protocol"
            )
    names = list(dict.fromkeys(x.cell for x, _ in pairs))
    groups = {name: [pair for pair in pairs if pair[0].cell == name] for name in names}
    found = {name: _test(group, protocol) for name, group in groups.items()}
    adjusted = holm([test.p for test in found.values()])
    cells = tuple(
        _compared(name, groups[name], found[name], p)
        for name, p in zip(names, adjusted, strict=True)
    )
    everything = _test(pairs, protocol)
    overall = _compared("all cells", pairs, everything, everything.p)
    return Comparison(a.backbone, b.backbone, protocol, cells, overall, _notes(a, b, pairs))


def _pairs(a: Bench, b: Bench) -> list[Pair]:
    """Samples that both runs have, in the order of the first."""
    others = {(r.item, r.sample): r for r in b.results}
    pairs = [(r, others[key]) for r in a.results if (key := (r.item, r.sample)) in others]
    if not pairs:
        raise PhospheneError(
            f"can't compare {a.root} with {b.root}: they share no sample of any item; "
            "bench both on the same suite"
        )
    for x, y in pairs:
        for name in (*SAME, "fields"):
            if getattr(x, name) != getattr(y, name):
                raise PhospheneError(
                    f"can't compare {a.root} with {b.root}: item {x.item}, sample {x.sample} has "
                    f"{name} {getattr(x, name)!r} against {getattr(y, name)!r}; "
                    "bench both on the same suite"
                )
    return pairs


def _test(pairs: Sequence[Pair], protocol: Protocol) -> Paired:
    items: dict[str, list[Pair]] = {}
    for pair in pairs:
        items.setdefault(pair[0].item, []).append(pair)
    return paired(
        [[x.passed(protocol) for x, _ in group] for group in items.values()],
        [[y.passed(protocol) for _, y in group] for group in items.values()],
    )


def _compared(name: str, pairs: Sequence[Pair], test: Paired, p: float) -> Compared:
    return Compared(name, len({x.item for x, _ in pairs}), len(pairs), test, p)


def _notes(a: Bench, b: Bench, pairs: Sequence[Pair]) -> tuple[str, ...]:
    notes = []
    items = {x.item for x, _ in pairs}
    for letter, bench in (("A", a), ("B", b)):
        alone = len(bench.results) - len(pairs)
        if alone:
            lost = len({r.item for r in bench.results} - items)
            notes.append(f"left out: {alone} samples, {lost} whole items of {letter} alone")
    for name in sorted(a.canvas.keys() | b.canvas.keys()):
        left, right = a.canvas.get(name), b.canvas.get(name)
        if left != right:
            notes.append(f"canvas: {name} is {left} for A and {right} for B")
    return tuple(notes)
