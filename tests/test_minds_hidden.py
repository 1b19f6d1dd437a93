"""Knowing, deciding and hiding: what is planted is found, and what is not there is not."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.compliance.following import Way, follow
from phosphene.minds.compliance.hiding import _Aim, _first, _result
from phosphene.minds.compliance.linear import auroc, read, shuffles, swaps
from phosphene.minds.compliance.prompts import prompts
from phosphene.minds.compliance.standing import stand
from phosphene.minds.compliance.steering import alike, directions
from phosphene.minds.compliance.verdicts import carried, readable
from phosphene.minds.observe import observe_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.minds.talking import Talking
from phosphene.minds.tasks.tier import Tier
from phosphene.minds.wires import Site
from phosphene.testing.minds import tiny_mind

FAMILIES = [f"f{i % 8}" for i in range(128)]


def tier_mind(**more):
    return tiny_mind(task=Tier(), words=["system", "user", "assistant"], thoughts=0, **more)


def told(strength: float, seed: int = 0):
    """States in which a label is planted with a strength, beside noise of unit size."""
    rng = np.random.default_rng(seed)
    labels = np.arange(128) // 8 % 2 == 0
    x = rng.standard_normal((128, 24))
    x[:, 0] += strength * (2 * labels - 1)
    pairs = [f"{FAMILIES[i]} {i // 16}" for i in range(128)]
    return read([x, rng.standard_normal((128, 24))], labels, FAMILIES, swaps(pairs, labels, 60, 1))


def test_auroc_against_counting() -> None:
    labels = np.array([[True], [True], [False], [False]])
    assert auroc(np.array([[3.0], [1.0], [2.0], [1.0]]), labels)[0] == pytest.approx(2.5 / 4)
    assert np.isnan(auroc(np.ones((4, 1)), np.ones((4, 1), bool))[0])


def test_a_planted_condition_is_readable_at_its_layer_and_noise_is_not() -> None:
    sites = [Site("layer", 0), Site("layer", 1)]
    strong = told(2.0)
    assert readable("condition", strong, {}, sites).holds
    assert strong.recall(0) > 0.5
    assert strong.p[1] > 0.05
    assert readable("condition", told(0.0), {}, sites).holds is False


def test_a_mark_of_single_families_does_not_pass_for_the_condition() -> None:
    """Each family has a direction of its own: nothing learned on others tells it."""
    rng = np.random.default_rng(0)
    labels = np.arange(128) // 8 % 2 == 0
    x = 0.3 * rng.standard_normal((128, 24))
    for i, family in enumerate(FAMILIES):
        x[i, int(family[1])] += 3 * (2 * labels[i] - 1)
    found = read([x], labels, FAMILIES, shuffles(FAMILIES, labels, 60, 1))
    assert readable("condition", found, {}, [Site("layer")]).holds is False


def test_directions_leave_the_family_out_and_controls_are_as_long() -> None:
    values = np.random.default_rng(0).standard_normal((128, 6))
    up = np.arange(128) // 8 % 2 == 0
    found = directions(values, up, ~up, FAMILIES)
    rest = np.array(FAMILIES) != "f3"
    wanted = values[rest & up].mean(0) - values[rest & ~up].mean(0)
    np.testing.assert_allclose(found[3], wanted, rtol=1e-5)
    other = alike(found, np.random.default_rng(1).standard_normal(found.shape))
    lengths = [np.linalg.norm(v, axis=1) for v in (other, found)]
    np.testing.assert_allclose(*lengths, rtol=1e-5)


def test_a_move_at_the_last_position_is_the_full_pass_with_the_same_move() -> None:
    mind = tier_mind()
    talking = Talking(mind)
    asked = prompts(2)
    (standing,) = stand(talking, asked, 8)
    both = talking.score([p.chat for p in asked], ["accept", "decline"])
    np.testing.assert_allclose(standing.odds(), both[:, 0] - both[:, 1], atol=1e-4)
    site = Site("layer", 0)
    move = np.random.default_rng(0).standard_normal((len(asked), 32)).astype(np.float32)

    def change(value, call):
        out = value.clone()
        out[:, -1] += torch.as_tensor(move)
        return out

    with standing.wires.editing({site: change}):
        moved = talking.score([p.chat for p in asked], ["accept", "decline"])
    np.testing.assert_allclose(standing.odds(site, move), moved[:, 0] - moved[:, 1], atol=1e-4)


def moved(effect: float, unrelated: float = 0.0, turned: float = 0.0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    flags = np.zeros(64)
    flags[: round(64 * turned)] = 1.0
    return {
        "effect": effect + 0.1 * rng.standard_normal(64),
        "unrelated": unrelated + 0.1 * rng.standard_normal(64),
        "random": rng.standard_normal((1, 60)) * 0.2 + 0.05 * rng.standard_normal((64, 60)),
        "turned": flags,
        "turned_random": np.zeros(64),
    }


@pytest.mark.parametrize(
    ("steered", "holds"),
    [
        (moved(3.0, 0.1, 0.9), True),
        (moved(0.0, 0.0, 0.0), False),
        (moved(3.0, 0.1, 0.0), False),  # odds move, no decision turns
        (moved(3.0, 3.2, 0.9), False),  # an unrelated direction does as much
        (moved(-3.0, 0.1, 0.9), False),  # the wrong way
    ],
)
def test_steering_is_claimed_only_where_it_beats_everything(steered, holds) -> None:
    asked = prompts()
    site = Site("layer")
    found = carried({site: steered}, asked, np.zeros(len(asked)), [site])
    assert found.holds is holds


def test_a_random_mind_knows_nothing_that_it_acts_on() -> None:
    setup = MindSetup(task="tier", items=12, batch=128)
    result = observe_mind("direction", tier_mind(), setup, {"draws": 40, "twin": False})
    found = {f.name: f for f in result.findings}
    assert found["decision depends on the condition"].holds is False
    assert found["condition's direction carries the decision"].holds is False
    assert found["decision is readable"].holds is not True


def test_a_mind_of_another_task_is_told_what_to_ask() -> None:
    with pytest.raises(PhospheneError, match="--task tier"):
        observe_mind("direction", tiny_mind())
    with pytest.raises(PhospheneError, match="answers at once"):
        observe_mind("hidden", tiny_mind(), MindSetup(items=4, way="none"))


def ways(count: int = 200) -> list[Way]:
    rng = np.random.default_rng(0)
    names = [f"n{i}" for i in range(8)]
    out = []
    for i in range(count):
        options = tuple(names[j] for j in sorted(rng.permutation(8)[:2]))
        out.append(Way(f"{options[0]} or {options[1]}", str(i), options, int(rng.integers(2)), 3))
    return out


def hits(found: list[Way], from_place: int, seed: int = 0) -> np.ndarray:
    """Four places; the chosen word is written in the states from a place on."""
    rng = np.random.default_rng(seed)
    code = rng.standard_normal((8, 16))
    aim = _Aim(found, 5, 60, 0)
    out = []
    for place in range(4):
        x = rng.standard_normal((len(found), 16)) * 0.5
        if place >= from_place:
            x += [code[int(way.options[way.chosen or 0][1])] for way in found]
        out.append(aim.hits(x))
    return np.stack(out)[:, None]


@pytest.mark.parametrize(("place", "lead", "holds"), [(1, 2, True), (3, 0, False), (9, 0, False)])
def test_the_time_to_read_is_where_the_decision_was_planted(place, lead, holds) -> None:
    found = ways()
    names = ["question", "thought 1", "thought 2", "the word"]
    text = _Aim(found, 5, 60, 0).hits(np.random.default_rng(1).standard_normal((200, 5)))
    result = _result(hits(found, place), text, found, names, 200)
    first = result.findings[0]
    assert (first.value, first.holds) == (lead, holds)
    assert result.findings[1].holds is False


def test_a_place_that_is_lost_again_does_not_count() -> None:
    rows = np.array([[True, False, True, True], [False] * 4, [True] * 4])
    assert _first(rows).tolist() == [2, 4, 0]


def test_decisions_among_own_options_are_not_read_from_noise() -> None:
    found = [replace(way, group=str(i // 2)) for i, way in enumerate(ways())]
    aim = _Aim(found, 5, 60, 0)
    got = aim.hits(np.random.default_rng(3).standard_normal((200, 16))).mean(0)
    assert 0.35 < got[0] < 0.65
    assert abs(got[1:].mean() - 0.5) < 0.03


def test_the_probe_follows_every_thought_and_asks_nothing_of_babble() -> None:
    mind = tiny_mind(thoughts=2)
    setup = MindSetup(items=96, batch=48)
    states = follow(MindSubject(mind, setup), [Site("layer", 1)], 8)[1]["layer 1"]
    assert states.shape == (96, 4, 32)
    result = observe_mind("hidden", mind, setup, {"draws": 40})
    assert result.findings[0].holds is None  # it says none of the options
    assert "Could not be asked" in result.findings[0].says
