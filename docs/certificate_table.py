"""Writes evals/certificates/README.md: every committed certificate in a line.

python docs/certificate_table.py
"""

from __future__ import annotations

import json
from pathlib import Path

HERE = Path(__file__).parent.parent / "evals" / "certificates"
HEAD = """# Certificates

Accept rates of each task's scorer at 64 x 64 pixels, written by
`phosphene certify TASK --seeds N --out evals/certificates`; this table by
`python docs/certificate_table.py`. The JSON files hold every rate with its 95 % Wilson interval.
`reads` is the share of well-drawn random answers whose symbols
are read exactly as drawn; `chance` the share of random answers that are right by the rules.

| task | n | oracle | worst null | h264 crf 18, 28, 38 | worst rung else | look | reads | chance |
| --- | --- | --- | --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    lines = [_line(json.loads(path.read_text())) for path in sorted(HERE.glob("*.json"))]
    (HERE / "README.md").write_text(HEAD + "".join(lines))


def _line(c: dict) -> str:
    h264 = [f"{c['ladder'][f'h264 crf {crf}']['share']:.0%}" for crf in (18, 28, 38)]
    others = {k: v for k, v in c["ladder"].items() if not k.startswith("h264")}
    cells = [
        c["task"],
        str(c["seeds"]),
        f"{c['oracle']['share']:.1%} [{c['oracle']['low']:.0%}, {c['oracle']['high']:.0%}]",
        _worst(c["nulls"], max),
        ", ".join(h264),
        _worst(others, min),
        _worst(c["variations"], min),
        f"{c['decoder']['wrong answers']['share']:.1%}",
        f"{c['chance']['share']:.0%}",
    ]
    return f"| {' | '.join(cells)} |\n"


def _worst(part: dict, choose) -> str:
    if not part:
        return "none apply"
    name = choose(part, key=lambda n: part[n]["share"])
    share = part[name]["share"]
    if share == (0 if choose is max else 1):
        return f"{share:.0%}, all"
    return f"{share:.1%} {name}"


if __name__ == "__main__":
    main()
