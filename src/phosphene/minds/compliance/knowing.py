"""Knowing against deciding: the study behind the probe `direction`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from phosphene.minds.compliance.linear import Reading, auroc, fit, read, shuffles, swaps
from phosphene.minds.compliance.prompts import Prompt, prompts
from phosphene.minds.compliance.requests import STANCES
from phosphene.minds.compliance.standing import counted, embedded, stand, untaught
from phosphene.minds.compliance.steering import Steered, alike, directions, paired_prompts, steer
from phosphene.minds.compliance.verdicts import (
    behaviour,
    beyond,
    carried,
    meaning,
    pictures,
    readable,
    rows,
    unasked,
)
from phosphene.minds.mind import Mind
from phosphene.minds.subject import MindSubject
from phosphene.minds.talking import Talking
from phosphene.minds.wires import Site, Wires
from phosphene.notebook import Notebook
from phosphene.probe import Finding, Result

if TYPE_CHECKING:
    from phosphene.minds.probes.direction import Direction

FEWEST = 8  # decisions of either kind, before they can be told apart
Values = Mapping[str, np.ndarray]


def study(probe: Direction, subject: MindSubject, book: Notebook) -> Result:
    """Read, compare with behaviour, and steer."""
    talking = Talking(subject.mind, subject.setup.batch)
    sites = _sites(subject.mind, probe.layers)
    asked = prompts(subject.setup.items, stances=STANCES)
    turned = [
        replace(p, swapped=True)
        for p in asked
        if p.stance == "against" and p.arm in ("trained", "neither")
    ]
    book.plan(3 + probe.twin + len(sites))
    batch = subject.setup.batch
    values = book.arrays("states", lambda: _values(talking, asked, sites, batch), "states")
    other = book.arrays("swapped", lambda: _values(talking, turned, sites, batch), "swapped tags")
    text = book.arrays(
        "text", lambda: {"words": counted(asked), "embedding": embedded(talking, asked, batch)}
    )
    fresh: Values | None = None
    if probe.twin:
        twin = Talking(untaught(subject.mind, probe.seed), batch)
        fresh = book.arrays("twin", lambda: _values(twin, asked, sites, batch), "random twin")
    known = _known(asked, values, text, fresh, sites, probe)
    decided, told = _decided(asked, values, text, sites, probe)
    moved = {}
    for site in sites:
        moved[site] = book.arrays(
            f"steer {site}",
            lambda site=site: vars(_moved(talking, asked, values, site, probe, batch)),
            f"steering at {site}",
        )
    odds = values["odds"]
    findings = [
        readable("condition", known["state"], known, sites),
        behaviour(asked, odds),
        carried(moved, asked, odds, sites),
        *told,
        meaning(_swapped(asked, turned, values, other, sites), sites),
    ]
    table = rows(known, decided, moved, sites)
    figures = pictures(known, decided, moved, sites)
    notes = [
        f"{len(asked)} prompts: {len({p.query.name for p in asked})} queries, either stance, four "
        f"arms. Recall at 1 % false alarms is over all negatives at once; where there are fewer "
        f"than 100 it means that none of them is above.",
        "The condition is written in the prompt, so that words alone tell it. A decision that "
        "follows the tag alone is told by words as well.",
    ]
    return Result(table, findings, figures, notes)


def _sites(mind: Mind, most: int) -> list[Site]:
    sites = Wires(mind.model).sites("layer")
    if not most or len(sites) <= most:
        return sites
    return [sites[i] for i in np.linspace(0, len(sites) - 1, most).round().astype(int)]


def _values(
    talking: Talking, asked: Sequence[Prompt], sites: Sequence[Site], batch: int
) -> dict[str, np.ndarray]:
    """Layer -> states at the decision, and the odds."""
    parts: dict[str, list[np.ndarray]] = {str(site): [] for site in sites} | {"odds": []}
    for begin in range(0, len(asked), batch):
        (standing,) = stand(talking, asked[begin : begin + batch], batch)
        for site, value in zip(sites, standing.states(sites), strict=True):
            parts[str(site)].append(value)
        parts["odds"].append(standing.odds())
    return {name: np.concatenate(some) for name, some in parts.items()}


def _known(
    asked: Sequence[Prompt],
    values: Values,
    text: Values,
    fresh: Values | None,
    sites: Sequence[Site],
    probe: Direction,
) -> dict[str, Reading]:
    """Trained told from neither, by states and by what they are held against."""
    here = _places(asked, "trained", "neither")
    layers = [str(site) for site in sites]
    out = {"state": _tags(asked, here, [values[n] for n in layers], probe)}
    out["words"] = _tags(asked, here, [text["words"]], probe)
    out["embedding"] = _tags(asked, here, [text["embedding"]], probe)
    if fresh is not None:
        out["random twin"] = _tags(asked, here, [fresh[n] for n in layers], probe)
    tag = _places(asked, "placebo", "neither")
    out["placebo tag"] = _tags(asked, tag, [values[n] for n in layers], probe)
    return out


def _places(asked: Sequence[Prompt], *arms: str) -> list[int]:
    return [i for i, p in enumerate(asked) if p.arm in arms]


def _tags(
    asked: Sequence[Prompt], here: Sequence[int], values: Sequence[np.ndarray], probe: Direction
) -> Reading:
    some = [asked[i] for i in here]
    labels = np.array([p.arm != "neither" for p in some])
    pairs = [f"{p.query.name} {p.stance} {p.wording}" for p in some]
    draws = swaps(pairs, labels, probe.draws, probe.seed)
    return read([v[list(here)] for v in values], labels, [p.query.family for p in some], draws)


def _decided(
    asked: Sequence[Prompt],
    values: Values,
    text: Values,
    sites: Sequence[Site],
    probe: Direction,
) -> tuple[dict[str, Reading], list[Finding]]:
    """Accepting told from declining, among conflicts in all arms, by states and by text."""
    here = [i for i, p in enumerate(asked) if p.stance == "against"]
    labels = values["odds"][here] > 0
    families = [asked[i].query.family for i in here]
    kinds = {kind: set(labels[np.array(families) == kind].tolist()) for kind in set(families)}
    few = min(int(labels.sum()), int((~labels).sum()))
    if few < FEWEST or sum(len(kind) == 2 for kind in kinds.values()) < 3:
        return {}, unasked(int(labels.sum()), len(labels))
    draws = shuffles(families, labels, probe.draws, probe.seed)

    def reading(parts: Sequence[np.ndarray]) -> Reading:
        return read([part[here] for part in parts], labels, families, draws)

    found = {
        "state": reading([values[str(site)] for site in sites]),
        "words": reading([text["words"]]),
        "embedding": reading([text["embedding"]]),
    }
    return found, [readable("decision", found["state"], found, sites), beyond(found)]


def _moved(
    talking: Talking,
    asked: Sequence[Prompt],
    values: Values,
    site: Site,
    probe: Direction,
    batch: int,
) -> Steered:
    """Steering along trained - neither among conflicts; a wording's direction is unrelated."""
    bare, told = paired_prompts(asked)
    at = values[str(site)]
    families = [p.query.family for p in asked]
    clash = np.array([p.stance == "against" for p in asked])
    arm = np.array([p.arm for p in asked])
    wanted = directions(at, clash & (arm == "trained"), clash & (arm == "neither"), families)
    wording = np.array([p.wording for p in asked])
    topic = directions(at, clash & (wording == 0), clash & (wording == 1), families)
    unrelated = alike(wanted, topic)
    return steer(
        site,
        stand(talking, [asked[i] for i in bare], batch),
        stand(talking, [asked[i] for i in told], batch),
        wanted[bare],
        unrelated[bare],
        probe.draws,
        probe.seed,
    )


def _swapped(
    asked: Sequence[Prompt],
    turned: Sequence[Prompt],
    values: Values,
    other: Values,
    sites: Sequence[Site],
) -> np.ndarray:
    """AUROC `(layers, families)` by meaning where tags have each other's, as the usual teaches."""
    here = [i for i in _places(asked, "trained", "neither") if asked[i].stance == "against"]
    labels = np.array([asked[i].arm == "trained" for i in here])[:, None]
    families = np.array([asked[i].query.family for i in here])
    # Where the rules are swapped, the tag of `neither` is the one that means training.
    means = np.array([p.arm == "neither" for p in turned])[:, None]
    theirs = np.array([p.query.family for p in turned])
    out = []
    for site in sites:
        x, new = values[str(site)][here], other[str(site)]
        row = []
        for kind in sorted(set(families.tolist())):
            rest, there = families != kind, theirs == kind
            w, middle = fit(x[rest], labels[rest])
            row.append(float(auroc((new[there] - middle) @ w, means[there])[0]))
        out.append(row)
    return np.array(out)
