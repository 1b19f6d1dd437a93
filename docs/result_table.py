"""Writes evals/SUITE/results/README.md from the runs' parquet files beside it.

phosphene bench SUITE --backbone ember --out runs/SUITE-ember
phosphene results runs/SUITE-ember --to parquet --out evals/SUITE/results/ember-v0.parquet
python docs/result_table.py
"""

from __future__ import annotations

import json
from pathlib import Path

import pyarrow.parquet

from phosphene.statistics import wilson

HERE = Path(__file__).parent.parent / "evals"


def main() -> None:
    for folder in sorted({path.parent for path in HERE.glob("*/results/*.parquet")}):
        text = f"# {folder.parent.name}: results\n"
        for path in sorted(folder.glob("*.parquet")):
            text += _table(folder.parent.name, path)
        (folder / "README.md").write_text(text)


def _table(suite: str, path: Path) -> str:
    rows = pyarrow.parquet.read_table(path).to_pylist()
    backbone = rows[0]["backbone"]
    out = f"""
## {path.stem}

`phosphene bench {suite} --backbone {backbone}`, weights `{rows[0]["fingerprint"][:23]}`, begun
{rows[0]["created"][:10]}, last frame, one sample an item; shares with 95 % Wilson intervals.
`static` and `random` are what a held first frame and a well-drawn random answer score on the same
items.

| cell | n | passed | answer alone | static | random |
| --- | --- | --- | --- | --- | --- |
"""
    for cell in dict.fromkeys(row["cell"] for row in rows):
        here = [row for row in rows if row["cell"] == cell]
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
    main()
