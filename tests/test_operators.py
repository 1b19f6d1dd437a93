"""Operators: what they change, what they leave, and that noise stays white."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.exploring.steering import resteered, steer_of
from phosphene.genome import Genome
from phosphene.grammar import Grammar
from phosphene.noise import Noise
from phosphene.operator import operators
from phosphene.operators.blend import Blend
from phosphene.operators.fresh import Fresh
from phosphene.operators.guidance import Guidance
from phosphene.operators.pcn import Pcn
from phosphene.operators.spectral import Spectral
from phosphene.operators.steps import Steps
from phosphene.operators.streams import Streams
from phosphene.request import Request
from phosphene.space import Space

WORDS = Grammar("a {size} {colour} ball", {"size": ["small", "big"], "colour": ["red", "blue"]})
PICTURE = np.zeros((4, 4, 3), np.uint8)
RICH = Space(
    base=Request(guidance=3.0),
    streams=("video", "audio"),
    accepts=frozenset({"prompt", "noise", "steering", "guidance", "steps", "first_frame"}),
    steps=8,
    grammar=WORDS,
    pictures={"one": PICTURE, "two": PICTURE},
    guidance=(1.0, 7.0),
    step_range=(4, 12),
    adapters=("ink", "clay"),
)
BARE = replace(
    RICH,
    streams=("video",),
    accepts=frozenset({"noise"}),
    grammar=Grammar(""),
    pictures={},
    guidance=None,
    step_range=None,
    adapters=(),
    speaks=False,
)
NAMES = operators.names()
# What each may change; everything else has to be the first parent's.
CHANGES = {
    "adapters": {"steering"},
    "anneal": {"steering"},
    "atoms": {"prompt", "atoms"},
    "embedding_slerp": {"steering"},
    "first_frame": {"frame"},
    "grammar": {"prompt", "atoms"},
    "guidance": {"guidance"},
    "pcn": {"noise"},
    "spectral": {"noise"},
    "steps": {"steps"},
    "streams": {"noise"},
}


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def parents(count: int) -> list[Genome]:
    return [RICH.random(rng(100 + i)) for i in range(count)]


@pytest.mark.parametrize("name", NAMES)
def test_children_are_recipes_that_a_space_can_ask_for(name):
    operator = operators.get(name)()
    assert operator.name == name
    assert operator.able(RICH)
    genome = None
    for seed in range(30):
        given = parents(operator.parents) if genome is None else [genome] * operator.parents
        genome = operator.breed(given, RICH, rng(seed))
        assert genome == operator.breed(given, RICH, rng(seed))
        assert Genome.of(genome.record()) == genome
        RICH.request(genome)
        ops = [s["op"] for s in genome.steering]
        assert len(ops) == len(set(ops)), "steers pile up"


@pytest.mark.parametrize("name", sorted(CHANGES))
def test_they_change_what_they_say_and_nothing_else(name):
    operator = operators.get(name)()
    given = parents(operator.parents)
    fields = list(Genome.__dataclass_fields__)
    changed = set()
    for seed in range(30):
        child = operator.breed(given, RICH, rng(seed))
        assert child != given[0]
        changed |= {f for f in fields if getattr(child, f) != getattr(given[0], f)}
    assert changed == CHANGES[name]


@pytest.mark.parametrize("name", [n for n in NAMES if operators.get(n).parents == 2])
def test_the_same_parent_twice_has_other_children(name):
    operator = operators.get(name)()
    parent = parents(1)[0]
    assert operator.breed([parent, parent], RICH, rng()) != parent
    assert operator.breed([parent], RICH, rng()) != parent


def test_only_what_can_vary_is_able():
    able = {n for n in NAMES if operators.get(n)().able(BARE)}
    assert able == {"fresh", "pcn", "blend", "spectral"}
    one = replace(RICH, pictures={"one": PICTURE})
    assert operators.get("first_frame")().able(one)
    assert not operators.get("first_frame")().able(replace(one, framed=1.0))


@pytest.mark.parametrize("b", [0.1, 0.7, 1.0])
def test_pcn_keeps_as_much_as_it_says(b):
    parent = parents(1)[0]
    child = Pcn(b).breed([parent], RICH, rng())
    for stream, noise in parent.noise.items():
        assert child.noise[stream].likeness(noise) == pytest.approx(math.sqrt(1 - b * b))
    seeds = [{t[0] for t in noise.terms} for noise in child.noise.values()]
    assert not seeds[0] & seeds[1], "streams share a draw"


def test_a_blend_lies_between():
    one, other = parents(2)
    child = Blend(low=0.5, high=0.5).breed([one, other], RICH, rng())
    for stream, noise in child.noise.items():
        assert noise.likeness(one.noise[stream]) == pytest.approx(math.sqrt(0.5))
        assert noise.likeness(other.noise[stream]) == pytest.approx(math.sqrt(0.5))
    bodies = {Blend().breed([one, other], RICH, rng(s)).frame for s in range(20)}
    assert bodies <= {one.frame, other.frame}


@pytest.mark.parametrize(("keep", "band"), [("low", 1), ("high", 2)])
def test_spectral_keeps_one_band(keep, band):
    parent = parents(1)[0]
    child = Spectral(keep=keep).breed([parent], RICH, rng())
    for stream, noise in parent.noise.items():
        seed = noise.terms[0][0]
        (own,) = [t for t in child.noise[stream].terms if t[0] == seed]
        assert own[band] == pytest.approx(1)
        assert own[3 - band] == pytest.approx(0)


def test_streams_takes_one_from_each():
    one, other = parents(2)
    child = Streams(stream="audio").breed([one, other], RICH, rng())
    assert child.noise == {"video": one.noise["video"], "audio": other.noise["audio"]}
    alone = Streams(stream="audio").breed([one], RICH, rng())
    assert alone.noise["video"] == one.noise["video"]
    assert alone.noise["audio"].likeness(one.noise["audio"]) == 0


def test_atoms_change_one_word():
    parent = parents(1)[0]
    for seed in range(20):
        child = operators.get("atoms")().breed([parent], RICH, rng(seed))
        assert sum(child.atoms[s] != parent.atoms[s] for s in parent.atoms) == 1
    written = Genome(prompt="a poem that a person wrote", noise=parent.noise)
    assert operators.get("atoms")().breed([written], RICH, rng()).prompt.endswith("ball")


def test_guidance_and_steps_stay_in_range():
    parent = parents(1)[0]
    guidance = [Guidance(jitter=2).breed([parent], RICH, rng(s)).guidance for s in range(200)]
    assert all(g is not None and 1 <= g <= 7 for g in guidance)
    # A wide step, reflected, is even over the range; a narrow one stays near the parent's.
    assert np.std([g for g in guidance if g is not None]) == pytest.approx(6 / 12**0.5, rel=0.15)
    near = [Guidance(jitter=0.01).breed([parent], RICH, rng(s)).guidance for s in range(20)]
    assert all(g == pytest.approx(3, abs=0.3) for g in near)
    steps = {Steps(reach=1).breed([parent], RICH, rng(s)).steps for s in range(200)}
    assert steps == {4, 5, 6, 7, 9, 10, 11, 12}


def test_adapters_walk():
    operator = operators.get("adapters")()
    genome = parents(1)[0]
    for seed in range(20):
        genome = operator.breed([genome], RICH, rng(seed))
    steer = steer_of(genome, "adapters")
    assert steer is not None
    assert all(0 <= w <= 1.5 for w in steer["weights"].values())
    assert set(steer["weights"]) == {"ink", "clay"}


def test_steers_of_a_kind_replace_each_other():
    genome = resteered(Genome(), "anneal", seed=1)
    genome = resteered(resteered(genome, "renoise", seed=2), "anneal", seed=3)
    assert genome.steering == ({"op": "renoise", "seed": 2}, {"op": "anneal", "seed": 3})


def test_fresh_is_what_random_search_draws():
    assert Fresh().breed([], RICH, rng(5)) == RICH.random(rng(5))
    assert all(isinstance(n, Noise) for n in Fresh().breed([], RICH, rng(5)).noise.values())


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("pcn", {"b": 0.0}),
        ("pcn", {"b": 1.1}),
        ("blend", {"low": 0.8, "high": 0.2}),
        ("spectral", {"keep": "middle"}),
        ("embedding_slerp", {"high": 2.0}),
        ("anneal", {"low": 0.0}),
        ("anneal", {"start": 0.6, "stop": 0.9}),
        ("guidance", {"jitter": 0.0}),
        ("steps", {"reach": 0.0}),
        ("adapters", {"low": 2.0}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(PhospheneError, match=name):
        operators.get(name)(**settings)
