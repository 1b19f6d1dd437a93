"""`phosphene compare`: is one run better than another, and would more items tell?"""

from __future__ import annotations

from pathlib import Path

from phosphene.cli.console import say, say_json, say_table
from phosphene.trace import Protocol


def compare(a: Path, b: Path, /, *, protocol: Protocol = "last", json: bool = False) -> None:
    """Test two runs of one suite against each other, on the samples that both have.

    Args:
        a: a bench run's directory.
        b: another's.
        protocol: last, first-stable, majority or best (an oracle's choice).
        json: one JSON object on stdout and nothing else.
    """
    from phosphene.compare import compare as test
    from phosphene.ledger import load_results

    found = test(load_results(a), load_results(b), protocol)
    if json:
        say_json(found.record())
        return
    say(f"A {found.a}, B {found.b}; {protocol} frame; differences in points with 95 % intervals")
    head = ("cell", "items", "pairs", "A", "B", "A - B", "p (Holm)", "power", "items more")
    rows: list[tuple[str, ...]] = [head]
    for cell in (*found.cells, found.overall):
        t = cell.paired
        more = "settled" if cell.holm < 0.05 else "none seen" if t.more is None else str(t.more)
        numbers = (t.a.brief(), t.b.brief(), t.difference.points(), f"{cell.holm:.2g}")
        rows.append(
            (cell.cell, str(cell.items), str(cell.samples), *numbers, f"{t.power:.0%}", more)
        )
    say_table(rows)
    t = found.overall.paired
    say(f"overall: odds ratio {t.odds:.2f}, Cohen's h {t.h:+.2f}")
    if t.detectable < 1:
        points = f"{100 * t.detectable:.0f} points"
        say(f"{found.overall.items} items show {points} or more four times in five")
    else:
        say(f"{found.overall.items} items are too few to show any difference four times in five")
    for note in found.notes:
        say(note)
