"""Explorers: closed forms of what they are built from, conformance, and a known search problem."""

from __future__ import annotations

import itertools
import time
from dataclasses import replace

import numpy as np
import pytest

from phosphene.archive import Archive
from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View, explorers
from phosphene.explorers.dominated import Dominated
from phosphene.explorers.portfolio import Portfolio
from phosphene.explorers.random import Random
from phosphene.explorers.screened import Screened
from phosphene.exploring.bandit import Bandit
from phosphene.exploring.cells import Grid, Niches, Plane, Tessellation
from phosphene.exploring.credit import Credit
from phosphene.exploring.dominated import Elite, dominated
from phosphene.exploring.screening import Screening, choose
from phosphene.genome import Genome
from phosphene.noise import Noise
from phosphene.operators.blend import Blend
from phosphene.operators.pcn import Pcn
from phosphene.testing.check_explorer import Rehearsal, check_explorer, rehearse, space
from phosphene.testing.modes import Modes, ModesEmbedding, read

MINE = ("cvt_map_elites", "dominated", "map_elites", "novelty", "portfolio", "random", "screened")


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def unit(rows: np.ndarray) -> np.ndarray:
    return (rows / np.linalg.norm(rows, axis=1, keepdims=True)).astype(np.float32)


def angles(*degrees: float) -> np.ndarray:
    """Points of a circle: their cosine distances are known."""
    turns = np.deg2rad(degrees)
    return np.stack([np.cos(turns), np.sin(turns)], 1).astype(np.float32)


def candidate(id: str, vector: np.ndarray, quality: float = 0.5, **told) -> Candidate:
    noise = {"video": Noise.fresh(int(id[-2:]))}
    proposal = Proposal(Genome(noise=noise), "fresh", **told)
    return Candidate(id, proposal, 8, vector=vector, quality=quality)


def archive(vectors: np.ndarray, fitness: np.ndarray | list[float]) -> Archive:
    found = Archive(twin=0.0)
    rows = zip(vectors, fitness, strict=True)
    found.add([candidate(f"{i:04d}-00", v, float(f)) for i, (v, f) in enumerate(rows)])
    return found


@pytest.mark.parametrize("name", MINE)
def test_explorers_conform(name):
    check_explorer(name)


@pytest.mark.parametrize("inner", ["random", "map_elites", "novelty"])
def test_what_is_screened_conforms_too(inner):
    check_explorer("screened", inner=inner, floor=0.0)


def test_conformance_catches_what_does_not_conform(monkeypatch):
    random = explorers.get("random")
    private = rng(3)
    asks = {
        "otherwise": lambda self, count, view: [
            Proposal(view.space.random(private), "fresh") for _ in range(count)
        ],
        "nothing": lambda self, count, view: [],
        "a parent": lambda self, count, view: [
            Proposal(view.space.random(view.rng), "fresh", ("0009-00",))
        ],
        "stops after": lambda self, count, view: [
            Proposal(view.space.random(view.rng), "fresh", stop=8)
        ],
    }
    for words, ask in asks.items():
        monkeypatch.setattr(random, "ask", ask)
        with pytest.raises(AssertionError, match=words):
            check_explorer("random")


def test_dominated_novelty_is_the_distance_to_the_fitter():
    vectors = angles(0, 60, 90, 180)
    scores = dominated(vectors, np.array([0.4, 0.3, 0.2, 0.1]), nearest=2)
    # 1 - cos of: (60); (30, 90); (90, 120).
    assert scores[0] == np.inf
    assert scores[1:] == pytest.approx([0.5, (1 - 3**0.5 / 2 + 1) / 2, (1 + 1.5) / 2], abs=1e-6)
    assert np.isinf(dominated(vectors, np.ones(4))).all(), "equals don't dominate"
    assert dominated(vectors[:1], np.ones(1)).tolist() == [np.inf]
    assert len(dominated(vectors[:0], np.ones(0))) == 0


def test_the_elite_keeps_who_is_best_or_far_from_the_better():
    # Two clusters; the best of each and nobody else.
    vectors = angles(0, 2, 4, 180, 182, 184)
    held = archive(vectors, [0.9, 0.8, 0.7, 0.3, 0.2, 0.1])
    elite = Elite(capacity=2)
    elite.update(held, held)
    assert elite.ids == ["0000-00", "0003-00"]
    # People's taste turns the order.
    held.fitness = np.array([0.1, 0.2, 0.3, 0.9, 0.2, 0.1], np.float32)
    elite.update(held)
    assert elite.ids[0] == "0003-00"
    picks = [Elite(ids=["a", "b", "c", "d"]).tournament(rng(s), 4) for s in range(200)]
    assert picks.count("a") == pytest.approx(200 * (1 - (3 / 4) ** 4), abs=25)


def test_cells_are_frozen_and_sort_out():
    vectors = unit(rng(1).standard_normal((40, 16)))
    plane = Plane.of(vectors, 2)
    points = plane.points(vectors)
    assert points.mean(0) == pytest.approx([0, 0], abs=1e-6)
    assert points.std(0) == pytest.approx([1, 1], abs=1e-6)
    assert Plane.of(vectors, 2).points(-vectors) != pytest.approx(points)
    grid = Grid(plane, bins=4)
    assert set(grid.assign(vectors)) <= set(range(16))
    far = plane.mean + 100 * np.stack([plane.axes[:, 0], -plane.axes[:, 0]])
    assert grid.assign(far).tolist()[0] // 4 == 3
    assert grid.assign(far).tolist()[1] // 4 == 0
    cells = Tessellation.of(vectors, 64, 6, rng())
    assert cells.centroids.shape == (64, 6)
    # Centroids belong to themselves, and no cell of the warm-up's region swallows it.
    assert np.bincount(cells.assign(vectors)).max() < 12
    alone = Tessellation.of(vectors[:1], 8, 6, rng())
    assert alone.assign(vectors).tolist() == [0] * 40


def test_niches_keep_the_fittest_and_count_what_it_adds():
    class Halves(Grid):
        def assign(self, vectors: np.ndarray) -> np.ndarray:
            return (vectors[:, 0] > 0).astype(int)

    niches = Niches(Halves(Plane.of(angles(0, 90), 1), 2))
    held = archive(angles(0, 10, 20, 180), [0.5, 0.4, 0.8, 0.3])
    assert niches.admit(list(held), held) == pytest.approx([0.5, 0, 0.3, 0.3])
    assert niches.best == {1: "0002-00", 0: "0003-00"}
    assert niches.score == pytest.approx(1.1)
    held.fitness = np.array([0.5, 0.4, 0.6, 0.3], np.float32)
    niches.refresh(held)
    assert niches.score == pytest.approx(0.9)


def test_credit_is_what_a_neighbourhood_gains():
    vectors = angles(0, 60, 120, 181, 61, 300, 301)
    held = archive(vectors, [0.2, 0.6, 0.4, 0.5, 0.9, 0.7, 0.8])
    first = Archive(twin=0.0)
    first.add(held.candidates[:4])
    credit = Credit(radius=0.5)  # half of 1 - cos 60: about 41 degrees
    assert credit.gains(held.candidates, held) == [0] * 7
    credit.calibrate(first)
    gains = credit.gains(held.candidates[4:], held)
    # Better than its neighbour by 0.3; alone; better than the one before it by 0.1.
    assert gains == pytest.approx([0.3, 0.7, 0.1], abs=1e-6)
    assert credit.gains([candidate("0099-00", vectors[0])], held) == [0]
    lonely = Credit(1.0)
    lonely.calibrate(archive(vectors[:1], [1.0]))
    assert not lonely.ready


def test_the_bandit_follows_what_pays_and_forgets():
    bandit, draws = Bandit(floor=0.05), rng(2)
    names = ["good", "bad", "dear"]
    pays = {"good": (0.2, 1.0), "bad": (0.02, 1.0), "dear": (0.4, 8.0)}

    def play(rounds: int) -> dict[str, int]:
        picks = []
        for _ in range(rounds):
            bandit.fade()
            for arm in (chosen := bandit.pick(names, 16, draws)):
                bandit.earn(arm, *pays[arm])
            picks += chosen
        return {n: picks.count(n) for n in names}

    counts = play(40)
    assert counts["good"] > 0.6 * 640
    assert min(counts.values()) >= 0.02 * 640, "no arm is starved"
    pays["good"], pays["bad"] = pays["bad"], pays["good"]
    play(40)
    counts = play(20)
    assert counts["bad"] > counts["good"], "what paid once does not pay for ever"


def test_the_bandit_gives_up_arms_that_always_fail():
    bandit = Bandit(patience=3)
    for _ in range(3):
        bandit.earn("broken", 0, 1, failed=True)
    assert set(bandit.pick(["broken", "fine"], 200, rng())) == {"fine"}
    assert bandit.pick(["broken"], 4, rng()) == []
    bandit.earn("broken", 0, 1)
    assert "broken" in bandit.pick(["broken", "fine"], 200, rng())


def test_the_chosen_subset_is_the_best_of_all():
    draws = rng(4)
    for _ in range(20):
        merit = draws.random(9)
        vectors = unit(draws.standard_normal((9, 4)))
        distances = 1 - vectors @ vectors.T

        def value(chosen, merit=merit, distances=distances) -> float:
            pairs = sum(distances[i, j] for i, j in itertools.combinations(chosen, 2))
            return float(sum(merit[i] for i in chosen) + 0.5 / 3 * pairs)

        best = max(value(c) for c in itertools.combinations(range(9), 4))
        found = choose(merit, distances, 4, 0.5)
        assert len(set(found)) == 4
        assert value(found) >= best - 0.01
    assert choose(np.arange(5.0), np.zeros((5, 5)), 2, 0) == [3, 4]
    assert choose(np.arange(3.0), np.zeros((3, 3)), 5, 1) == [0, 1, 2]
    twins = np.array([[0, 0, 2], [0, 0, 2], [2, 2, 0.0]])
    assert choose(np.array([1, 0.9, 0.5]), twins, 2, 1.0) == [0, 2]


def _screened(blur: float) -> Screening:
    """A screening whose previews are `blur` away from what they become, after its trial."""
    screening, view, draws = Screening(share=0.25), _view(), rng(5)
    for round in range(1, 20):
        vectors = unit(draws.standard_normal((24, 8)))
        quality = draws.random(24)
        asked = screening.preview(Proposal(Genome(), "fresh"), view.space)
        assert asked.stop == 2
        previews = [
            replace(candidate(f"{round:04d}-{i:02d}", v), quality=q, proposal=asked)
            for i, (v, q) in enumerate(zip(vectors, quality, strict=True))
        ]
        wanted = screening.finish(previews, 8, view)
        late = []
        for n, proposal in enumerate(wanted):
            assert proposal.stop is None
            assert proposal.after is not None
            i = int(proposal.after[-2:])
            q = (1 - blur) * quality[i] + blur * draws.random()
            v = unit((1 - blur) * vectors[i : i + 1] + blur * draws.standard_normal((1, 8)))[0]
            late.append(replace(candidate(f"{round:04d}-{50 + n}", v, q), proposal=proposal))
        view.archive.add(late)
        screening.learn(late, view.archive)
    return screening


def test_screening_stops_where_previews_tell_nothing():
    assert not (good := _screened(0.1)).stopped
    assert good.agreement is not None
    assert good.agreement > 0.7
    assert "tell too little" in _screened(1.0).stopped


def _view() -> View:
    return View(space(), Archive(), {}, rng(), np.zeros((0, 8), np.float32), {})


def test_screened_finishes_a_third_of_what_it_looked_at():
    rehearsal = rehearse("screened", {"inner": "random"}, rounds=8, count=8)
    explorer = rehearsal.explorer
    assert isinstance(explorer, Screened)
    for early, late in zip(rehearsal.rounds[1::2], rehearsal.rounds[2::2], strict=True):
        assert len(early) == 24
        assert {p.stop for p in early.values()} == {1}
        assert len(late) == 8
        assert {p.after for p in late.values()} <= set(early)
        for proposal in late.values():
            assert proposal.genome == early[str(proposal.after)].genome
    # Where one step makes a sample there is nothing to look at early.
    for name in ("screened", "portfolio"):
        short = rehearse(name, rounds=3, count=8, space=space(steps=1))
        assert all(len(r) == 8 for r in short.rounds[1:])
        assert all(p.stop is None for r in short.rounds for p in r.values())
    with pytest.raises(PhospheneError, match="can't be looked at"):
        rehearse("screened", space=space(previews=False))
    with pytest.raises(PhospheneError, match="choose another"):
        Screened(inner="screened")


def test_a_portfolio_without_previews_asks_for_finished_samples():
    rehearsal = rehearse("portfolio", space=space(previews=False), rounds=4, count=16)
    for proposals in rehearsal.rounds[1:]:
        assert len(proposals) == 16
        assert all(p.stop is None and p.after is None for p in proposals.values())
    used = {p.operator for proposals in rehearsal.rounds for p in proposals.values()}
    assert {"fresh", "pcn", "blend", "atoms"} <= used


def test_a_portfolio_breeds_from_what_people_like():
    rehearsal = Rehearsal(Portfolio(liked=0.5, screen=False))
    rehearsal.round(16)
    loved = rehearsal.archive.candidates[-1].id
    for _ in range(3):
        fitness = np.array([c.quality for c in rehearsal.archive], np.float32) * 0.9
        fitness[rehearsal.archive.place(loved)] = rehearsal.archive[loved].quality + 0.05
        rehearsal.archive.fitness = fitness
        rehearsal.round(16)
    children = [p for r in rehearsal.rounds[1:] for p in r.values() if p.parents]
    assert sum(loved in p.parents for p in children) > 0.4 * len(children)


@pytest.mark.parametrize("name", MINE)
def test_a_large_archive_takes_milliseconds(name):
    rehearsal = rehearse(name, rounds=2)
    vectors = unit(rng(9).standard_normal((10_000, 24)))
    filling = [
        candidate(f"9{i // 50:03d}-{i % 50:02d}", v, q)
        for i, (v, q) in enumerate(zip(vectors, rng(10).random(10_000), strict=True))
    ]
    rehearsal.archive = archive_of(rehearsal.archive, filling)
    spent = []
    for _ in range(3):
        start = time.process_time()
        rehearsal.round(16)
        spent.append(time.process_time() - start)
    assert min(spent) < 0.15


def archive_of(first: Archive, rest: list[Candidate]) -> Archive:
    found = Archive(twin=-1.0)
    for c in [*first, *rest]:
        found._put(c, c.vector)
    return found


def found(explorer: Explorer, seed: int, rounds: int = 14) -> float:
    """The QD score over the true modes that a search of `Modes` comes to, finishing everything."""
    model, look = Modes(seed), ModesEmbedding(seed)
    view = replace(_view(), space=space(streams=("video",), speaks=False, previews=False))
    view = replace(view, operators={"pcn": Pcn(), "blend": Blend()})
    centre, best = np.zeros(128), np.zeros(200)
    for round in range(rounds):
        view = replace(view, rng=rng(seed * 100 + round))
        asked = explorer.ask(16, view) if round else Random().ask(32, view)
        clips = model.generate([view.space.request(p.genome) for p in asked])
        vectors, told = look.embed(clips), read(clips)
        centre = centre if round else vectors.mean(0)
        made = [
            Candidate(f"{round:04d}-{i:02d}", p, 8, vector=v, quality=float(q))
            for i, (p, v, q) in enumerate(
                zip(asked, unit(vectors - centre), told["quality"], strict=True)
            )
        ]
        np.maximum.at(best, told["mode"], told["quality"])
        view.archive.add(made)
        explorer.tell(made, view)
    return float(best.sum())


def test_search_beats_chance_and_timid_steps_do_not():
    seeds = range(3)
    chance = sum(found(Random(), s) for s in seeds)
    assert sum(found(Dominated(), s) for s in seeds) > 1.1 * chance
    assert sum(found(Portfolio(), s) for s in seeds) > 1.1 * chance
    assert sum(found(Dominated(b=0.1, fresh=0), s) for s in seeds) < 0.8 * chance


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("dominated", {"capacity": 0}),
        ("dominated", {"b": 0.0}),
        ("novelty", {"neighbours": 0}),
        ("map_elites", {"bins": 0}),
        ("cvt_map_elites", {"cells": 0}),
        ("portfolio", {"b": ()}),
        ("portfolio", {"fresh": 2.0}),
        ("portfolio", {"radius": 0.0}),
        ("portfolio", {"gamma": 0.0}),
        ("screened", {"times": 1}),
        ("screened", {"share": 1.0}),
        ("screened", {"inner": "nobody"}),
    ],
)
def test_settings_out_of_range_are_refused(name, settings):
    with pytest.raises(PhospheneError):
        explorers.get(name)(**settings)
