"""Hunts: for each probe, organisms with a place to be found, and how its result names that place.

A hunt's place is read off the result as anyone would read it, and only where the probe claims it. A
probe that is registered and has no hunt has not been shown to find anything.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from statistics import median
from typing import Any

import numpy as np

from phosphene.probe import Heat, Result
from phosphene.testing.organisms.plant import DEPTH, FRAMES, HEADS, STEPS, Plant

Place = tuple[int, ...]
DRAWN = range(1, FRAMES)
LAYERS = range(1, DEPTH - 1)


@dataclass(frozen=True)
class Hunt:
    """One question to a probe, with a known answer.

    Args:
        probe: its name.
        place: what is looked for.
        plant: the organism of a seed.
        truth: where the place is in it.
        found: where the result says it is; None where the result claims nothing.
        chance: share of organisms for which the best fixed guess is right.
        spared: an organism that does the task and has no such place, or hides it from the probe;
            None where there is none.
        claims: whether a result says that there is such a place.
        never: whether a result of `plant` says what is not so.
        mute: whether organisms that answer at random lack what is asked.
        settings: of the probe.
        items: problems.
    """

    probe: str
    place: str
    plant: Callable[[int], Plant]
    truth: Callable[[Plant], Place]
    found: Callable[[Result], Place | None]
    chance: float
    spared: Callable[[int], Plant] | None = None
    claims: Callable[[Result], bool] = lambda result: False
    never: Callable[[Result], bool] = lambda result: False
    mute: bool = True
    settings: Mapping[str, Any] = field(default_factory=dict)
    items: int = 24

    @property
    def name(self) -> str:
        return f"{self.probe}: {self.place}"


def claims(*names: str) -> Callable[[Result], bool]:
    """Whether a finding holds whose name begins with one of these."""
    return lambda result: any(f.holds and f.name.startswith(names) for f in result.findings)


def _value(name: str) -> Callable[[Result], Place | None]:
    """The value of a finding that holds."""

    def found(result: Result) -> Place | None:
        finding = next(f for f in result.findings if f.name == name)
        return (round(finding.value),) if finding.holds and finding.value is not None else None

    return found


def _pick(seed: int, *choices: Sequence[int]) -> list[int]:
    """One of each, dealt by the seed."""
    rng = np.random.default_rng([seed, 8])
    return [int(rng.choice(list(c))) for c in choices]


# Lens.


def _shown(seed: int) -> Plant:
    (shown,) = _pick(seed, range(1, STEPS))
    return Plant(shown=shown, before="guess" if seed % 2 else "paper", seed=seed)


def _settled(result: Result) -> Place | None:
    """Guesses may be right by luck, and settle early: the middle sample counts."""
    if not claims("commitment")(result):
        return None
    first: dict[tuple, int] = {}
    for row in result.table:
        if row["committed"]:
            first.setdefault((row["problem"], row["sample"]), row["step"])
    return (round(median(first.values())),)


# Patch, attribution, switch, dominance.


def _layer(seed: int) -> Plant:
    layer, head = _pick(seed, LAYERS, range(HEADS))
    return Plant(layer=layer, head=head, seed=seed)


def _soft(seed: int) -> Plant:
    """Painted softly: a gradient has to get through."""
    return replace(_layer(seed), firm=4.0)


def _carrier(seed: int) -> Plant:
    layer, carrier = _pick(seed, LAYERS, DRAWN[:-1])
    return Plant(layer=layer, carrier=carrier, seed=seed)


def _first_carrier(result: Result) -> Place | None:
    rows = [r for r in result.table if r["carries"] and r["pairs differ in"] == "any"]
    first = min(rows, key=lambda r: (r["layer"], -r["effect"]), default=None)
    return None if first is None else (first["layer"], int(first["group"].split()[1]))


def _overtaken(result: Result) -> Place | None:
    """First layer whose estimate is larger for the answer's tokens than for the givens'."""
    if not claims("estimate and patch agree")(result):
        return None
    for layer in sorted({r["layer"] for r in result.table}):
        size = {
            group: np.mean(
                [
                    abs(r["estimate"])
                    for r in result.table
                    if (r["layer"], r["group"]) == (layer, group)
                ]
            )
            for group in ("answer", "changed givens")
        }
        if size["answer"] > size["changed givens"]:
            return (layer,)
    return None


def _latch(seed: int) -> Plant:
    latch, layer = _pick(seed, range(2, 5), LAYERS)
    return Plant(latch=latch, layer=layer, seed=seed)


def _leaning(seed: int) -> Plant:
    latch, layer, carrier = _pick(seed, range(2, 5), LAYERS, DRAWN)
    return Plant(latch=latch, layer=layer, carrier=carrier, seed=seed)


def _worst(kind: str) -> Callable[[Result], Place | None]:
    def found(result: Result) -> Place | None:
        sign = 1 if kind == "step" else -1
        if not any(
            f.holds and f.value is not None and f.value * sign > 0
            for f in result.findings
            if f.name.startswith("steps or frames")
        ):
            return None
        rows = [r for r in result.table if r["noise in"] == kind and np.isfinite(r["distance"])]
        return (max(rows, key=lambda r: r["distance"])["place"],)

    return found


# Grid, gap, verifier, attention.


def _ahead(seed: int) -> Plant:
    known, layer, carrier = _pick(seed, range(4), LAYERS, DRAWN[:-1])
    (wait,) = _pick(seed + 1000, range(1, STEPS - known))
    return Plant(known=known, shown=known + wait, layer=layer, carrier=carrier, seed=seed)


def _at_once(seed: int) -> Plant:
    plant = _ahead(seed)
    return Plant(known=plant.known, shown=plant.known, layer=plant.layer, seed=seed)


def _emerged(result: Result) -> Place | None:
    """The cell that the finding names."""
    finding = next(f for f in result.findings if f.name == "emergence: answer")
    named = re.search(r"step (\d+), layer (\d+), latent frame (\d+)", finding.says)
    if not finding.holds or named is None:
        return None
    step, layer, frame = map(int, named.groups())
    return step, layer, frame


def _span(result: Result) -> Place | None:
    """First and last step whose gap is at least half of the widest one."""
    if not claims("knows before it shows")(result):
        return None
    widest = max(r["gap"] for r in result.table)
    steps = [r["step"] for r in result.table if r["gap"] >= widest / 2]
    return steps[0], steps[-1]


def _warned(result: Result) -> Place | None:
    return (1,) if claims("early warning")(result) else None


def _chained(seed: int) -> Plant:
    layer, head = _pick(seed, LAYERS, range(HEADS))
    return Plant(layer=layer, head=head, chain=True, seed=seed)


def _strongest(result: Result) -> Place | None:
    """Of the heads that are marked, the one that looks back the most."""
    heads = result.figures["heads answer chain"]
    assert isinstance(heads, Heat)
    assert heads.marks is not None
    if not heads.marks.any():
        return None
    best = np.where(heads.marks, heads.values, -np.inf).argmax()
    layer, head = divmod(int(best), HEADS)
    return layer, head


HUNTS: tuple[Hunt, ...] = (
    Hunt(
        "lens",
        "step at which the answer is painted",
        _shown,
        lambda plant: (plant.shown,),
        _settled,
        1 / 5,
        lambda seed: Plant(seed=seed),
        claims("branching", "flips"),
        settings={"samples": 2},
        items=16,
    ),
    Hunt(
        "grid",
        "first step, layer and frame that hold the answer",
        _ahead,
        lambda plant: (plant.known, plant.layer, plant.carrier),
        _emerged,
        1 / 48,
        never=claims("emergence: decoy", "beyond a linear x0 probe: decoy"),
        settings={"frames": FRAMES, "permutations": 60, "variables": ("answer", "decoy")},
        items=56,
    ),
    Hunt(
        "gap",
        "steps at which the answer is known and not shown",
        _ahead,
        lambda plant: (plant.known, plant.shown - 1),
        _span,
        1 / 12,
        _at_once,
        claims("knows before"),
        settings={"frames": FRAMES, "permutations": 60},
        items=56,
    ),
    Hunt(
        "patch",
        "layer at which the operands are copied",
        _layer,
        lambda plant: (plant.layer,),
        _value("handover from givens to answer"),
        1 / 3,
        settings={"window": STEPS, "groups": ("answer", "changed givens")},
    ),
    Hunt(
        "patch",
        "layer and frame that carry the answer alone",
        _carrier,
        lambda plant: (plant.layer, plant.carrier),
        _first_carrier,
        1 / 12,
        lambda seed: Plant(layer=_layer(seed).layer, seed=seed),
        claims(*(f"frame {f} carries" for f in DRAWN[:-1])),
        settings={"window": STEPS, "groups": tuple(f"frame {f}" for f in DRAWN)},
    ),
    Hunt(
        "attribution",
        "layer at which the operands are copied",
        _soft,
        lambda plant: (plant.layer,),
        _overtaken,
        1 / 3,
        lambda seed: replace(_layer(seed), firm=20.0),
        claims("estimate and patch agree"),
    ),
    Hunt(
        "switch",
        "step from which on the givens count no more",
        _latch,
        lambda plant: (plant.latch,),
        _value("point of no return, step"),
        1 / 3,
        _layer,
        claims("point of no return, step"),
        settings={"depth": 0},
    ),
    Hunt(
        "switch",
        "layer above which the givens count no more",
        _layer,
        lambda plant: (plant.layer + 1,),
        _value("point of no return, layer"),
        1 / 3,
        settings={"steps": 1},
    ),
    Hunt(
        "dominance",
        "frame that the answer hangs on",
        _leaning,
        lambda plant: (plant.carrier,),
        _worst("frame"),
        1 / 5,
        _layer,
        claims("steps or frames"),
        settings={"strength": 6.0, "problems": 32},
        items=40,
    ),
    Hunt(
        "dominance",
        "step that the answer hangs on",
        _latch,
        lambda plant: (plant.latch,),
        _worst("step"),
        1 / 3,
        settings={"strength": 6.0, "problems": 32},
        items=40,
    ),
    Hunt(
        "verifier",
        "that the outcome is written in the noise",
        lambda seed: Plant(slips=True, layer=_layer(seed).layer, seed=seed),
        lambda plant: (1,),
        _warned,
        0.05,
        settings={"permutations": 50},
        items=32,
    ),
    Hunt(
        "attention",
        "layer and head by which frames look at the one before",
        _chained,
        lambda plant: (plant.layer + 1, (plant.head + 2) % HEADS),
        _strongest,
        1 / 12,
        _layer,
        lambda result: (
            claims("answer forward", "answer chain")(result) or _strongest(result) is not None
        ),
        mute=False,
        items=16,
    ),
)
