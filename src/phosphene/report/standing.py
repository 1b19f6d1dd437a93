"""Standing: whether a scorer's certificate holds, today, for the code that judged."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.outcome import Bench
from phosphene.statistics import Interval


@dataclass(frozen=True)
class Standing:
    """A task's certificate as a report shows it.

    Args:
        task: the task's name.
        faults: what is wrong with it, a few words each; empty where it holds.
        oracle: accept rate of right clips.
        null: name and accept rate of the wrong clips that fare best.
        rung: name and accept rate of the degradation that costs most.
        look: the same of hand-drawn looks.
        decoder: name and share of the kind of answer that is read worst.
        chance: share of random answers that are right by the rules.
        seeds: problems that it rests on.
        date: when it was made.
    """

    task: str
    faults: tuple[str, ...]
    oracle: Interval | None = None
    null: tuple[str, Interval] | None = None
    rung: tuple[str, Interval] | None = None
    look: tuple[str, Interval] | None = None
    decoder: tuple[str, Interval] | None = None
    chance: Interval | None = None
    seeds: int | None = None
    date: str = ""

    @property
    def holds(self) -> bool:
        return not self.faults


def standings(bench: Bench) -> dict[str, Standing]:
    """Task -> standing, for every task that the run has samples of."""
    names = dict.fromkeys(r.task for r in bench.results)
    return {name: standing(name, bench.certificates.get(name)) for name in names}


def standing(task: str, record: Mapping[str, Any] | None) -> Standing:
    """Read a certificate's record, and hold it against its targets and today's code."""
    if record is None:
        return Standing(task, ("no certificate",))
    from phosphene.certify import NULL, ORACLE

    oracle = _interval(record.get("oracle"))
    null = _worst(record.get("nulls"), most=True)
    faults = [f"stale: {why}"] if (why := _stale(task, record.get("digest"))) else []
    if oracle is None or null is None:
        faults.append("it lacks its oracle or its nulls")
    elif oracle.share < ORACLE:
        faults.append(f"accepts {oracle.share:.1%} of right clips")
    if null is not None and null[1].share > NULL:
        faults.append(f"accepts {null[1].share:.1%} of '{null[0]}'")
    return Standing(
        task,
        tuple(faults),
        oracle,
        null,
        _worst(record.get("ladder")),
        _worst(record.get("variations")),
        _worst(record.get("decoder")),
        _interval(record.get("chance")),
        record.get("seeds"),
        str(record.get("date", "")),
    )


def _stale(task: str, digest: Any) -> str:
    """Why a certificate is not of the code that would judge now; empty if it is."""
    from phosphene.certificates import digest_of
    from phosphene.task import tasks

    try:
        now = digest_of(tasks.get(task))
    except PhospheneError:
        return "there is no such task here to hold it against"
    return "" if digest == now else "the scorer has changed since"


def _interval(value: Any) -> Interval | None:
    whole = isinstance(value, Mapping) and set(Interval._fields) <= set(value)
    return Interval(**{k: value[k] for k in Interval._fields}) if whole else None


def _worst(rates: Any, most: bool = False) -> tuple[str, Interval] | None:
    rates = rates if isinstance(rates, Mapping) else {}
    found = [(name, i) for name, value in rates.items() if (i := _interval(value))]
    if not found:
        return None
    return (max if most else min)(found, key=lambda pair: pair[1].share)
