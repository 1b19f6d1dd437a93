"""Writes evals/SUITE/results of runs: their rows as parquet, and a table of them.

phosphene bench SUITE --backbone ember --out runs/SUITE
python docs/result_table.py runs/SUITE ...
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from phosphene.interchange.rows import rows, write_parquet
from phosphene.ledger import load_results
from phosphene.outcome import Bench
from phosphene.statistics import wilson

HERE = Path(__file__).parent.parent / "evals"


def main(runs: list[Path]) -> None:
    found: dict[str, list[Bench]] = {}
    for bench in map(load_results, runs):
        found.setdefault(bench.suite["name"], []).append(bench)
    for suite, benches in found.items():
        folder = HERE / suite / "results"
        folder.mkdir(exist_ok=True)
        for bench in benches:
            write_parquet(bench, folder / f"{bench.backbone.replace('/', '-')}.parquet")
        tables = "".join(map(_table, benches))
        (folder / "README.md").write_text(f"# {suite}: results\n{tables}")


def _table(bench: Bench) -> str:
    found = rows(bench)
    out = f"""
`{bench.command}`, weights `{bench.fingerprint[:23]}`, begun
{bench.created[:10]}, last frame, one sample an item; shares with 95 % Wilson intervals.
`static` and `random` are what a held first frame and a well-drawn random answer score on the same
items.

| cell | n | passed | answer alone | static | random |
| --- | --- | --- | --- | --- | --- |
"""
    for cell in dict.fromkeys(row["cell"] for row in found):
        here = [row for row in found if row["cell"] == cell]
        read = [[r["last.headline"], r["last.answer"], *_floors(r)] for r in here]
        shares = [_share(part.count("passed"), len(here)) for part in zip(*read, strict=True)]
        out += f"| {cell} | {len(here)} | {' | '.join(shares)} |\n"
    return out


def _floors(row: dict) -> list[str]:
    found = json.loads(row["floors"])
    return [found["static"], found["random"]]


def _share(passed: int, n: int) -> str:
    found = wilson(passed, n)
    return f"{found.share:.0%} [{found.low:.0%}, {found.high:.0%}]"


if __name__ == "__main__":
    main([Path(run) for run in sys.argv[1:]])
