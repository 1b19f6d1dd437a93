"""The default mind against its twins on the same held-out graphs; prints the README's table."""

from __future__ import annotations

import argparse

import numpy as np

from phosphene.minds.opening import open_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.statistics import wilson
from phosphene.statistics.paired import compare

TWINS = (
    ("mind/prosqa-cot", "steps in words"),
    ("mind", "4 thoughts"),
    ("mind/prosqa-pause", "4 pauses, same curriculum"),
    ("mind/prosqa-none", "no thought"),
)


def main() -> None:
    """One row a mind; differences are paired with the mind that thinks."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=512)
    items = parser.parse_args().items
    right: dict[str, np.ndarray] = {}
    tokens: dict[str, float] = {}
    hops: list[int] = []
    for name, _ in TWINS:
        subject = MindSubject(open_mind(name), MindSetup(items=items, batch=128))
        hops = [int(p.state["hops"]) for p in subject.problems]
        answered = [(some, subject.answer(some)) for some in subject.batches()]
        right[name] = np.concatenate([subject.right(some, got) for some, got in answered])
        tokens[name] = float(np.mean([n for _, got in answered for n in got.tokens]))
    depths = sorted(set(hops))
    head = ["way", "right", *(f"{h} hops" for h in depths), "less than thoughts, points", "tokens"]
    print(f"| {' | '.join(head)} |")  # noqa: T201
    print("|---" * (len(depths) + 4) + "|")  # noqa: T201
    own = right["mind"]
    for name, way in TWINS:
        cells = [wilson(int(right[name].sum()), len(own)).brief()]
        for h in depths:
            here = right[name][np.array(hops) == h]
            cells.append(wilson(int(here.sum()), len(here)).brief())
        paired = compare([[bool(x)] for x in own], [[bool(x)] for x in right[name]])
        less = "" if name == "mind" else f"{paired.difference.points()}, p = {paired.p:.1g}"
        print(f"| {way} | " + " | ".join(cells) + f" | {less} | {tokens[name]:.1f} |")  # noqa: T201


if __name__ == "__main__":
    main()
