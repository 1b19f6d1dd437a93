"""Writes evals/dots/README.md: whether drawn dots solve sums, and whether answers follow the dots;
and assets/readme/dots.png: the first six held-out problems of the last run, not the best.

phosphene bench dots --backbone ember --out runs/dots-ember --steps 2 --set schedule=frame-by-frame
phosphene bench dots --backbone ember/dots --out runs/dots-branch --steps 2 \\
  --set schedule=frame-by-frame
python docs/dots_table.py runs/dots-ember runs/dots-branch
"""

from __future__ import annotations

import sys
from itertools import product
from pathlib import Path

import numpy as np
from PIL import Image

from phosphene import media
from phosphene.ledger import load_results
from phosphene.outcome import Bench, problem_of
from phosphene.result import Result
from phosphene.statistics import compare, wilson
from phosphene.task import Problem
from phosphene.tasks.worked_equations import DOT, LEFT, PITCH_X, ROW, ROWS

HEAD = (
    *("backbone", "problems", "without dots", "with dots", "difference, points", "pairs", "p"),
    "follows the dots",
)
TEXT = f"""# dots: do drawn steps solve sums that were never seen?

The same sums and differences to 9, asked plainly and to be worked out in dots, frame by frame; last
frame, all parts of the verdict. Shares over clips with 95 % Wilson intervals. Problems of one
pair of operands are kin: the difference weighs each of the pairs the same, with a bootstrap over
pairs and an exact or sampled sign-flip test. *Follows the dots*: of the clips whose dots come to
something else than the sum does, how many answers say what the dots come to (two rows of dots in
the frame in which the answer is written). `python docs/dots_table.py RUN ...` wrote this.

| {" | ".join(HEAD)} |
|{" --- |" * len(HEAD)}
"""
HERE = Path(__file__).parent.parent
WRITTEN = 7  # the frame of nine in which the answer is written and the dots still stand


def main(runs: list[Path]) -> None:
    benches = [load_results(run) for run in runs]
    lines = [_line(bench, split) for bench in benches for split in ("test", "train")]
    made = "".join(
        f"\n`{b.command}`; weights `{b.fingerprint[:23]}`, begun {b.created[:10]}.\n"
        for b in benches
    )
    odd = "".join(map(_odd, benches))
    (HERE / "evals/dots/README.md").write_text(TEXT + "".join(lines) + "\n" + odd + made)
    _picture(benches[-1], HERE / "assets/readme/dots.png")


def _odd(bench: Bench) -> str:
    """How it does where an even number of dots moves, and where an odd one does."""
    passed: dict[int, list[bool]] = {0: [], 1: []}
    for result in bench.results:
        if result.task == "worked_equations":
            s = problem_of(result).state
            moving = s["b"] if s["operator"] == "-" else min(s["b"], ROW - s["a"])
            passed[moving % 2].append(result.passed())
    even, odd = (wilson(sum(hits), len(hits)) for hits in passed.values())
    return (
        f"- `{bench.backbone}`, in dots, seen and held out: where an even number of dots moves, "
        f"{even} pass; where an odd one does, {odd}.\n"
    )


def _picture(bench: Bench, path: Path) -> None:
    worked = [r for r in bench.results if r.task == "worked_equations" and r.split == "test"]
    strips = []
    for result in worked[:6]:
        frames = media.load(bench.root / str(result.file)).frames
        assert frames is not None
        strips.append(np.pad(np.concatenate(list(frames), 1), ((0, 4), (0, 0), (0, 0)), "edge"))
    picture = Image.fromarray(np.concatenate(strips))
    picture.resize((picture.width * 2, picture.height * 2), 0).save(path, optimize=True)


def _line(bench: Bench, split: str) -> str:
    here = [r for r in bench.results if r.split == split]
    plain, worked = (
        {r.problem_seed: r for r in here if r.task == task}
        for task in ("equations", "worked_equations")
    )
    kin: dict[str, list[int]] = {}
    for seed, result in plain.items():
        s = problem_of(result).state
        kin.setdefault(f"{s['a']}{s['operator']}{s['b']}", []).append(seed)
    dotted, bare = (
        [[side[k].passed() for k in seeds] for seeds in kin.values()] for side in (worked, plain)
    )
    found = compare(dotted, bare)
    shares = [wilson(sum(r.passed() for r in s.values()), len(s)) for s in (plain, worked)]
    without, with_dots = (f"{s.share:.0%} [{s.low:.0%}, {s.high:.0%}]" for s in shares)
    d = found.difference
    points = f"{100 * d.share:+.0f} [{100 * d.low:+.0f}, {100 * d.high:+.0f}]"
    kind = "held out" if split == "test" else "seen"
    return (
        f"| {bench.backbone} | {kind}, {len(worked)} | {without} | {with_dots} | {points} "
        f"| {len(kin)} | {found.p:.2g} | {_follows(bench, list(worked.values()))} |\n"
    )


def _follows(bench: Bench, worked: list[Result]) -> str:
    """Of the clips whose dots don't come to the true answer, how many write what the dots say."""
    hits = []
    for result in worked:
        problem = problem_of(result)
        clip = media.load(bench.root / str(result.file))
        assert clip.frames is not None
        left = str(_dots(problem, clip.frames[WRITTEN]))
        if left != problem.state["answer"]:
            hits.append(result.verdicts["last"].evidence["answer"] == left)
    if not hits:
        return "no clip's dots differ"
    found = wilson(sum(hits), len(hits))
    return f"{sum(hits)} of {len(hits)} [{found.low:.0%}, {found.high:.0%}]"


def _dots(problem: Problem, frame: np.ndarray) -> int:
    """How many places for dots are darker than half in their middles."""
    size = len(frame)
    paper, ink = np.array(problem.state["colours"], np.float32)
    axis = ink - paper
    dark = (frame - paper) @ (axis / (axis @ axis))
    places = product(ROWS, (LEFT + i * PITCH_X for i in range(ROW)))
    middles = (np.array([(y, x) for y, x in places]) + DOT / 2) * size
    return sum(
        bool(dark[int(y) - 1 : int(y) + 1, int(x) - 1 : int(x) + 1].mean() > 0.5)
        for y, x in middles
    )


if __name__ == "__main__":
    main([Path(run) for run in sys.argv[1:]])
