"""Conformance of a probe: it finds what was planted, and claims nothing where nothing is."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.observe import make_probe
from phosphene.probe import Result
from phosphene.statistics.intervals import wilson
from phosphene.testing import organisms
from phosphene.testing.organisms import Plant
from phosphene.testing.organisms.hunts import HUNTS, Hunt, Place


@dataclass(frozen=True)
class Trial:
    """A probe put to one planted organism.

    Args:
        truth, found: the place, and where the probe claims it is; None where it claims none.
        wrongly: it also claims what is not so.
    """

    truth: Place
    found: Place | None
    wrongly: bool

    @property
    def hit(self) -> bool:
        return self.found == self.truth


@dataclass(frozen=True)
class Score:
    """How well a probe does on its organisms.

    Args:
        hunt: what is looked for.
        trials: one a planted organism.
        false: kind of null -> for each null organism, whether anything was claimed.
    """

    hunt: Hunt
    trials: Sequence[Trial]
    false: Mapping[str, Sequence[bool]]

    @property
    def hits(self) -> int:
        return sum(t.hit for t in self.trials)

    @property
    def finds(self) -> bool:
        """Whether the interval of the share of places found clears the best fixed guess."""
        return wilson(self.hits, len(self.trials)).low > self.hunt.chance


def hunts(probe: str) -> list[Hunt]:
    """The questions with known answers for a probe.

    Raises:
        PhospheneError: there are none.
    """
    found = [h for h in HUNTS if h.probe == probe]
    if not found:
        raise PhospheneError(
            f"probe {probe!r} has no organism: nothing shows that it finds anything; plant one in "
            f"phosphene/testing/organisms/hunts.py"
        )
    return found


def nulls(hunt: Hunt) -> dict[str, Callable[[int], Plant]]:
    """Kinds of organisms without the place that is looked for, by seed. Of those that can't do the
    task all claims count, so they are asked once a probe, by its first hunt."""
    out: dict[str, Callable[[int], Plant]] = {}
    if hunt is hunts(hunt.probe)[0]:
        out["random weights"] = organisms.random
        if hunt.mute:
            out["random answers"] = organisms.mute
    if hunt.spared is not None:
        out["does the task otherwise"] = hunt.spared
    return out


def ask(hunt: Hunt, plant: Plant, settings: Mapping[str, Any] | None = None) -> Result:
    """Put a hunt's probe to an organism.

    Args:
        settings: of the probe, beside the hunt's own.
    """
    probe = make_probe(hunt.probe, {**hunt.settings, **(settings or {})})
    with TemporaryDirectory() as directory:
        subject = organisms.subject(plant, Path(directory), items=hunt.items)
        return probe.run(subject, Notebook())


def trial(hunt: Hunt, seed: int, **settings: Any) -> Trial:
    """Look for the planted place."""
    plant = hunt.plant(seed)
    result = ask(hunt, plant, settings)
    return Trial(hunt.truth(plant), hunt.found(result), hunt.never(result))


def claims_falsely(hunt: Hunt, kind: str, seed: int, **settings: Any) -> bool:
    """Look where nothing is planted; `kind` is one of `nulls`. Organisms that can't do the task
    allow no claim at all, others none of such a place."""
    result = ask(hunt, nulls(hunt)[kind](seed), settings)
    able = kind == "does the task otherwise"
    return hunt.claims(result) or (not able and any(f.holds for f in result.findings))


def check_probe(name: str, seeds: int = 3, null_seeds: int = 1, **settings: Any) -> list[Score]:
    """Raise AssertionError, saying where, unless a probe finds its planted places more often than
    the best fixed guess would, and claims nothing of organisms without them.

    Args:
        name: of a registered probe.
        seeds, null_seeds: organisms of each kind; with fewer than three, a probe that always finds
            its place still may not clear chance.
        settings: of the probe, beside those of its hunts.

    Raises:
        AssertionError: it does not.
        PhospheneError: no such probe or setting, or no organism for it.
    """
    scores = []
    for hunt in hunts(name):
        trials = [trial(hunt, seed, **settings) for seed in range(seeds)]
        false = {
            kind: [claims_falsely(hunt, kind, seed, **settings) for seed in range(null_seeds)]
            for kind in nulls(hunt)
        }
        score = Score(hunt, trials, false)
        told = [(t.truth, t.found) for t in trials]
        assert score.finds, f"{hunt.name}: not found more often than by guessing: {told}"
        for kind, claimed in {**false, "the organism itself": [t.wrongly for t in trials]}.items():
            allowed = 0.05 * len(claimed) + 1 if len(claimed) >= 20 else 0
            assert sum(claimed) <= allowed, (
                f"{hunt.name}: {sum(claimed)} false claims of {len(claimed)} ({kind})"
            )
        scores.append(score)
    return scores
