"""Writes evals/emergence/results: the page of curves and a table of what each checkpoint can do.

phosphene bench emergence --backbone ember --checkpoint all --steps 4 --json > emergence.json
python docs/emergence_table.py emergence.json
"""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

from phosphene.ledger import load_results

RESULTS = Path(__file__).parent.parent / "evals/emergence/results"
TEXT = """# emergence: results

`{command}`; plain looks, last frame,
all parts of the verdict, one sample an item, {n} items a cell; 95 % Wilson intervals. Cells that
end in `-seen` are of the training split. `emergence.html` draws the curves.

| cell | {names} | random |
| --- |{rules} --- |
{rows}"""


def main(found: Path) -> None:
    told = json.loads(found.read_text())
    rows = told["rows"]
    names = list(dict.fromkeys(row["checkpoint"] for row in rows))
    text = TEXT.format(
        command=load_results(Path(told["run"]) / names[0]).command,
        n=rows[0]["n"],
        names=" | ".join(names),
        rules=" --- |" * len(names),
        rows="".join(_row(rows, cell, names) for cell in dict.fromkeys(r["cell"] for r in rows)),
    )
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "README.md").write_text(text)
    shutil.copyfile(told["page"], RESULTS / "emergence.html")


def _row(rows: list[dict[str, Any]], cell: str, names: list[str]) -> str:
    here = {row["checkpoint"]: row for row in rows if row["cell"] == cell}
    shares = [
        f"{r['passed']:.0%} [{r['low']:.0%}, {r['high']:.0%}]" for r in (here[n] for n in names)
    ]
    chance = here[names[0]]["random"]
    return f"| {cell} | {' | '.join(shares)} | {'' if chance is None else f'{chance:.0%}'} |\n"


if __name__ == "__main__":
    main(Path(sys.argv[1]))
