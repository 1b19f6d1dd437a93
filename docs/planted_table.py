"""Scores every probe on organisms with a planted mechanism; writes evals/planted.

    python docs/planted_table.py                    # what is missing of 20 seeds, then the table
    python docs/planted_table.py --probe lens --seeds 5 --jobs 2

Each trial is kept as soon as it is done, so an interrupted run goes on where it was.
"""

from __future__ import annotations

import argparse
import json
import sys
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

from phosphene.statistics.intervals import wilson
from phosphene.testing.check_probe import claims_falsely, nulls, trial
from phosphene.testing.organisms.hunts import HUNTS, Hunt

HERE = Path(__file__).parent.parent / "evals" / "planted"
SEEDS = 20
ORDER = (("planted", "random weights"), ("does the task otherwise",), ("random answers",))
HEAD = """# Planted truth

Each probe before small generators whose mechanism is known because it was built by hand
(`phosphene.testing.organisms`): does it find the place, and does it claim one where there is none?
Written by `python docs/planted_table.py`; every trial is in `results.json`.

An organism adds up two colours in the manner of a video diffusion transformer: five blocks of four
heads, six frames of 4x4 tokens, six denoising steps, its residual stream turned at random, with
features and heads that mean nothing and a decoy colour that every answer token holds and none uses.
A place counts as found only if the probe claims it and names it exactly. `chance` is the share of
organisms for which the best fixed guess is right. False claims: any claim about an organism with
shuffled weights (random weights); any claim about one that draws well-formed answers at random; a
claim of such a place in one that does the task without it; a claim on the planted organism that is
not so (a decoy that emerges). Intervals are Wilson's, 95 %.

| probe | looked for | found | chance | random weights | random answers | without it | on itself |
| --- | --- | --- | --- | --- | --- | --- | --- |
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--probe", action="append")
    parser.add_argument("--jobs", type=int, default=1)
    asked = parser.parse_args()
    kept = _load()
    chosen = [h for h in HUNTS if not asked.probe or h.probe in asked.probe]
    wanted = [
        (hunt.name, kind, seed)
        for kinds in ORDER
        for seed in range(asked.seeds)
        for hunt in chosen
        for kind in kinds
        if kind == "planted" or kind in nulls(hunt)
        if str(seed) not in kept.get(hunt.name, {}).get(kind, {})
    ]
    with ProcessPoolExecutor(asked.jobs) as pool:
        work = {pool.submit(_done, *place): place for place in wanted}
        for future in as_completed(work):
            name, kind, seed = work[future]
            kept.setdefault(name, {}).setdefault(kind, {})[str(seed)] = future.result()
            _save(kept)
            _write(kept)
            sys.stdout.write(f"{name} {kind} {seed} {future.result()}\n")
    _write(kept)


def _write(kept: dict[str, Any]) -> None:
    """The table, as far as it goes."""
    lines = [_line(hunt, kept[hunt.name]) for hunt in HUNTS if hunt.name in kept]
    (HERE / "README.md").write_text(HEAD + "".join(lines))


def _done(name: str, kind: str, seed: int) -> Any:
    """One trial: what was planted, what was found and whether anything was made up; or, for a null,
    whether anything was claimed."""
    hunt = next(h for h in HUNTS if h.name == name)
    if kind != "planted":
        return claims_falsely(hunt, kind, seed)
    found = trial(hunt, seed)
    return {"truth": found.truth, "found": found.found, "wrongly": found.wrongly}


def _load() -> dict[str, Any]:
    path = HERE / "results.json"
    return json.loads(path.read_text()) if path.exists() else {}


def _save(kept: dict[str, Any]) -> None:
    HERE.mkdir(parents=True, exist_ok=True)
    ordered = {
        name: {
            kind: dict(sorted(done.items(), key=lambda kv: int(kv[0])))
            for kind, done in kept[name].items()
        }
        for name in sorted(kept)
    }
    lines = json.dumps(ordered, indent=1)
    partial = HERE / "results.partial"
    partial.write_text(lines + "\n")
    partial.replace(HERE / "results.json")


def _line(hunt: Hunt, kept: dict[str, Any]) -> str:
    planted = list(kept.get("planted", {}).values())
    hits = sum(t["found"] is not None and list(t["found"]) == list(t["truth"]) for t in planted)
    itself = [t["wrongly"] for t in planted]
    kinds = ("random weights", "random answers", "does the task otherwise")
    cells = [
        hunt.probe,
        hunt.place,
        _share(hits, len(planted)),
        f"{hunt.chance:.0%}",
        *(_share(sum(k.values()), len(k)) if (k := kept.get(kind)) else "-" for kind in kinds),
        _share(sum(itself), len(itself)) if hunt.probe == "grid" else "-",
    ]
    return f"| {' | '.join(cells)} |\n"


def _share(count: int, n: int) -> str:
    if not n:
        return "-"
    found = wilson(count, n)
    return f"{count} of {n} [{found.low:.0%}, {found.high:.0%}]"


if __name__ == "__main__":
    main()
