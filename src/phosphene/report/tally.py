"""Tally: what a run's samples add up to, cell by cell. Every number on a page comes from here."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from phosphene.outcome import Bench
from phosphene.result import Result
from phosphene.statistics import Interval, pass_all, pass_at, pass_hat, share, wilson
from phosphene.trace import PROTOCOLS, Protocol
from phosphene.verdict import PARTS

OVERALL = "all cells"


@dataclass(frozen=True)
class Row:
    """One row of a table: a cell, or one half of it where it holds train and test instances.

    Args:
        cell: the cell's name.
        split: `train`, `test`, or both, `train + test`, in the row of all cells.
        items: how many problems.
        samples: K, the least number of samples that an item has.
        most: the largest.
        unmade: samples for which there is no clip; they count as failed.
        shares: protocol -> headline share; protocols that no sample was judged by are absent.
        parts: part -> share of the samples in which it was judged, under `last`.
        unreadable: share of unreadable samples under `last`.
        at: k -> pass@k, under `last`, k = 2, 4, 8, ... K.
        hat: k -> pass^k.
        floors: baseline -> share of items on which one clip of it passes.
    """

    cell: str
    task: str
    split: str
    level: int | None
    fields: dict[str, Any]
    items: int
    samples: int
    most: int
    unmade: int
    shares: dict[Protocol, Interval]
    parts: dict[str, Interval]
    unreadable: Interval
    at: dict[int, Interval]
    hat: dict[int, Interval]
    floors: dict[str, Interval]

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {name: _plain(value) for name, value in vars(self).items()}


def rows(bench: Bench) -> list[Row]:
    """The rows of a run: by cell in the order of its results, `train` beside `test`.

    Raises:
        ValueError: the run has no results.
    """
    groups: dict[tuple[str, str], list[Result]] = {}
    for result in bench.results:
        groups.setdefault((result.cell, result.split), []).append(result)
    order = {cell: i for i, cell in enumerate(dict.fromkeys(cell for cell, _ in groups))}
    keys = sorted(groups, key=lambda key: (order[key[0]], key[1]))
    return [row(groups[key], cell=key[0]) for key in keys]


def row(results: Sequence[Result], cell: str = OVERALL) -> Row:
    """What some samples add up to.

    Raises:
        ValueError: no samples.
    """
    items = list(by_item(results).values())
    k = min(map(len, items), default=0)
    first = results[0] if results else None
    if first is None:
        raise ValueError("there are no samples to add up")
    last = [[r.passed() for r in samples] for samples in items]
    ks = sorted({2**i for i in range(1, k.bit_length()) if 2**i <= k} | ({k} - {1}))
    names = dict.fromkeys(name for r in results for name in r.floors)
    return Row(
        cell=cell,
        task=first.task if len({r.task for r in results}) == 1 else "",
        split=" + ".join(sorted({r.split for r in results})),
        level=first.level if len({r.level for r in results}) == 1 else None,
        fields=dict(first.fields) if len({field_key(r) for r in results}) == 1 else {},
        items=len(items),
        samples=k,
        most=max(map(len, items)),
        unmade=sum(r.file is None for r in results),
        shares={
            p: _share(items, lambda r, p=p: r.verdicts[p].passed if p in r.verdicts else None)
            for p in PROTOCOLS
            if any(p in r.verdicts for r in results)
        },
        parts={part: i for part in PARTS if (i := _part(items, part)) is not None},
        unreadable=_share(items, lambda r: r.verdicts["last"].headline == "unreadable"),
        at={n: pass_all(last, n, pass_at) for n in ks},
        hat={n: pass_all(last, n, pass_hat) for n in ks},
        floors={name: floor for name in names if (floor := _floor(items, name)) is not None},
    )


def by_item(results: Iterable[Result]) -> dict[str, list[Result]]:
    """Item -> its samples, in order."""
    items: dict[str, list[Result]] = {}
    for result in results:
        items.setdefault(result.item, []).append(result)
    return {item: sorted(samples, key=lambda r: r.sample) for item, samples in items.items()}


def field_key(result: Result) -> str:
    """The task at its difficulty, as one comparable text."""
    return f"{result.task} {json.dumps(dict(result.fields), sort_keys=True, default=str)}"


def wordings(results: Sequence[Result]) -> dict[int, Interval]:
    """Wording -> headline share under `last` of the samples that were asked in it."""
    asked = sorted({r.wording for r in results})
    return {
        w: _share(list(by_item(r for r in results if r.wording == w).values()), Result.passed)
        for w in asked
    }


def unmade(results: Iterable[Result]) -> list[tuple[str, int]]:
    """Why clips could not be made, with how often, most frequent first."""
    reasons = (
        next((v.reason for v in r.verdicts.values() if v.reason), "no reason was recorded")
        for r in results
        if r.file is None
    )
    return Counter(reasons).most_common()


def _share(items: list[list[Result]], says: Callable[[Result], bool | None]) -> Interval:
    """Share of samples that `says` is true of, leaving out those it has no word on."""
    told = [[bool(word) for r in samples if (word := says(r)) is not None] for samples in items]
    return share([words for words in told if words])


def _part(items: list[list[Result]], part: str) -> Interval | None:
    def says(result: Result) -> bool | None:
        value = getattr(result.verdicts["last"], part)
        return None if value == "not judged" else value == "passed"

    judged = any(says(r) is not None for samples in items for r in samples)
    return _share(items, says) if judged else None


def _floor(items: list[list[Result]], name: str) -> Interval | None:
    """One clip of a baseline an item, so an item's samples all tell the same."""
    said = [next((r.floors[name] for r in s if name in r.floors), None) for s in items]
    known = [headline == "passed" for headline in said if headline is not None]
    return wilson(sum(known), len(known)) if known else None


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return value._asdict()
    if isinstance(value, dict):
        return {str(k): _plain(v) for k, v in value.items()}
    return value
