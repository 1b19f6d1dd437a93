"""Writes evals/targets/README.md: how far Ember is from what it was meant to reach.

phosphene bench targets --backbone ember --out runs/targets-together --steps 4
phosphene bench targets --backbone ember --out runs/targets-frames --steps 2 \\
  --set schedule=frame-by-frame
python docs/targets_table.py runs/targets-together runs/targets-frames
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from phosphene.ledger import load_results
from phosphene.outcome import Bench, problem_of
from phosphene.result import Result
from phosphene.statistics import Interval, wilson
from phosphene.tasks.bounce import Bounce, impacts

NEAR = 2 / 64  # sides: two pixels of 64
ON_TIME = 0.06  # seconds

# What is asked for, by cell.
WANTED = {
    "equations, seen pairs": "95 %",
    "equations, held-out pairs": "60 %",
    "worked equations, held-out pairs": "60 %",
    "maze 5x5": "80 %",
    "maze 7x7": "60 %",
    "counting to 9": "90 %",
    "symmetry": "90 %",
    "bounce, place in the last frame within 2 px": "all",
    "bounce, impacts with a knock within 60 ms": "90 %",
}
TEXT = """# targets: how far is Ember?

Plain looks, last frame, all parts of the verdict, 95 % Wilson intervals. `answer alone` leaves out
whether the givens were kept and the way was legal. `random` is a well-drawn random answer on the
same items. `python docs/targets_table.py RUN ...` wrote this.
"""
RUN = """
## {title}

`{command}`; weights `{weights}`, begun {created}.

| what | n | passed | answer alone | random | wanted |
| --- | --- | --- | --- | --- | --- |
{rows}"""


def main(runs: list[Path]) -> None:
    text = TEXT + "".join(_section(load_results(run)) for run in runs)
    (Path(__file__).parent.parent / "evals/targets/README.md").write_text(text)


def _section(bench: Bench) -> str:
    rows: list[tuple[str, int, Interval, Interval | None, Interval | None]] = []
    for cell in dict.fromkeys(r.cell for r in bench.results):
        here = [r for r in bench.results if r.cell == cell]
        right = [r.verdicts["last"].answer == "passed" for r in here]
        passed = [r.passed() for r in here]
        chance = [r.floors.get("random") == "passed" for r in here]
        rows.append((_name(here[0]), len(here), *map(_share, (passed, right, chance))))
    rows += [(name, len(hits), _share(hits), None, null) for name, hits, null in _bounce(bench)]
    one_by_one = "frame-by-frame" in bench.command
    return RUN.format(
        title="One frame after another" if one_by_one else "All frames together",
        command=bench.command,
        weights=bench.fingerprint[:23],
        created=bench.created[:10],
        rows="".join(_line(*row) for row in rows),
    )


def _bounce(bench: Bench) -> list[tuple[str, list[bool], Interval | None]]:
    """Whether the ball ends within two pixels, and whether each impact is heard in time; by chance,
    in time with the knocks of the next problem's clip."""
    results = [r for r in bench.results if r.task == "bounce"]
    problems = [problem_of(r) for r in results]
    evidence = [r.verdicts["last"].evidence for r in results]
    strict = Bounce(tolerance=NEAR)
    near = [strict.right(p, e["answer"]) for p, e in zip(problems, evidence, strict=True)]
    seconds = float(bench.asked().frames / bench.asked().fps)
    knocks = [np.array(e["heard"] or [np.inf]) for e in evidence]
    heard, chance = (
        [
            bool(np.abs(k - t).min() <= ON_TIME)
            for p, k in zip(problems, ks, strict=True)
            for t in impacts(p, seconds)
        ]
        for ks in (knocks, knocks[1:] + knocks[:1])
    )
    return [
        ("bounce, place in the last frame within 2 px", near, None),
        ("bounce, impacts with a knock within 60 ms", heard, _share(chance)),
    ]


def _name(r: Result) -> str:
    held = "seen pairs" if r.split == "train" else "held-out pairs"
    names = {
        "equations": f"equations, {held}",
        "worked_equations": f"worked equations, {held}",
        "maze": f"maze {r.fields.get('largest')}x{r.fields.get('largest')}",
        "counting": "counting to 9",
    }
    return names.get(r.task, r.task)


def _share(hits: list[bool]) -> Interval:
    return wilson(sum(hits), len(hits))


def _line(
    name: str, n: int, passed: Interval, right: Interval | None, chance: Interval | None
) -> str:
    shares = " | ".join("" if s is None else _said(s) for s in (passed, right, chance))
    return f"| {name} | {n} | {shares} | {WANTED.get(name, '')} |\n"


def _said(share: Interval) -> str:
    return f"{share.share:.0%} [{share.low:.0%}, {share.high:.0%}]"


if __name__ == "__main__":
    main([Path(run) for run in sys.argv[1:]])
