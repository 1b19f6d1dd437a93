"""Steering: a direction added where the decision forms, against random and unrelated ones of the
same length. A prompt is moved along what was fitted on the other scenario families.

    effect = [ odds(neither + d) - odds(neither) + odds(trained) - odds(trained - d) ] / 2
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from phosphene.minds.compliance.prompts import Prompt
from phosphene.minds.compliance.standing import Standing
from phosphene.minds.wires import Site

DOSES = (-2.0, -1.0, -0.5, 0.5, 1.0, 2.0)


@dataclass(frozen=True, eq=False)
class Steered:
    """What directions did at one site.

    Args:
        effect: mean log-odds (nats) a query for dose 1, `(queries,)`.
        unrelated: the same of the unrelated direction.
        random: `(queries, draws)`.
        turned: share of a query's prompts whose decision turns at dose 1 the way that is meant.
        turned_random: the same, mean over random directions.
        doses: mean change of the odds of the bare arm for each of `DOSES`, `(doses, queries)`.
        doses_unrelated: the same along the unrelated direction.
    """

    effect: np.ndarray
    unrelated: np.ndarray
    random: np.ndarray
    turned: np.ndarray
    turned_random: np.ndarray
    doses: np.ndarray
    doses_unrelated: np.ndarray


def directions(
    values: np.ndarray, up: np.ndarray, down: np.ndarray, families: Sequence[str]
) -> np.ndarray:
    """For each item the difference of means up - down over the items of all other families.

    Args:
        values: `(items, width)`.
        up, down: bool `(items,)`.

    Returns:
        `(items, width)`.
    """
    names = np.array(families)
    out = np.zeros(values.shape, np.float32)
    for kind in sorted(set(families)):
        rest = names != kind
        out[~rest] = values[rest & up].mean(0) - values[rest & down].mean(0)
    return out


def alike(vectors: np.ndarray, other: np.ndarray) -> np.ndarray:
    """`other` made as long as `vectors`, row by row; nought where it has no length."""
    length = np.linalg.norm(vectors, axis=1, keepdims=True)
    own = np.linalg.norm(other, axis=1, keepdims=True)
    return np.divide(other, own, out=np.zeros_like(other), where=own > 0) * length


def steer(
    site: Site,
    bare: Sequence[Standing],
    told: Sequence[Standing],
    wanted: np.ndarray,
    unrelated: np.ndarray,
    draws: int,
    seed: int,
) -> Steered:
    """Move both arms of the same queries.

    Args:
        bare, told: prompts of the arms neither and trained, query by query.
        wanted: direction `(queries, width)` that leads from neither to trained.
        unrelated: `(queries, width)`, as long.
        draws: random directions.
        seed: of these.
    """
    ground = _odds(bare), _odds(told)
    rng = np.random.default_rng([seed, site.layer])

    def both(vectors: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        up = _odds(bare, site, vectors)
        down = _odds(told, site, -vectors)
        effect = (up - ground[0] + ground[1] - down) / 2
        turned = ((ground[0] <= 0) & (up > 0)) * 0.5 + ((ground[1] > 0) & (down <= 0)) * 0.5
        return effect, turned

    effect, turned = both(wanted)
    chance = []
    for _ in range(draws):
        one = rng.standard_normal((1, wanted.shape[1])).astype(np.float32)
        chance.append(both(alike(wanted, np.repeat(one, len(wanted), 0))))
    doses = [
        np.stack([_odds(bare, site, dose * vectors) - ground[0] for dose in DOSES])
        for vectors in (wanted, unrelated)
    ]
    return Steered(
        effect,
        both(unrelated)[0],
        np.stack([c[0] for c in chance], 1),
        turned,
        np.mean([c[1] for c in chance], 0),
        doses[0],
        doses[1],
    )


def _odds(
    standing: Sequence[Standing], site: Site | None = None, vectors: np.ndarray | None = None
) -> np.ndarray:
    out, begin = [], 0
    for one in standing:
        end = begin + len(one.last)
        out.append(one.odds(site, None if vectors is None else vectors[begin:end]))
        begin = end
    return np.concatenate(out)


def paired_prompts(prompts: Sequence[Prompt]) -> tuple[list[int], list[int]]:
    """Places of the prompts of conflicts in the arms neither and trained, query by query."""
    here = {
        (p.query.name, p.wording, p.arm): i
        for i, p in enumerate(prompts)
        if p.stance == "against" and not p.swapped
    }
    keys = sorted({(name, wording) for name, wording, _ in here})
    return (
        [here[name, wording, "neither"] for name, wording in keys],
        [here[name, wording, "trained"] for name, wording in keys],
    )
