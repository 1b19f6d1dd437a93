"""The explorers that optimise, on `Modes`, whose truth is known."""

from __future__ import annotations

import functools
import json
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from phosphene.archive import Archive
from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View, explorers
from phosphene.explorers.cma_mae import plane
from phosphene.explorers.fk import potentials, systematic
from phosphene.explorers.illumination import spread
from phosphene.explorers.target import likeness
from phosphene.exploring.handle import Handle
from phosphene.genome import Genome
from phosphene.grammar import Grammar
from phosphene.request import Request
from phosphene.space import Space
from phosphene.testing.modes import Modes, ModesEmbedding, read

STEPS, WARMUP, BATCH = 8, 16, 16
NAMES = (
    "best_of_n",
    "cma_es",
    pytest.param("cma_mae", marks=pytest.mark.slow),  # ribs compiles for seconds
    "fk",
    "illumination",
    "open_endedness",
    "paths",
    "repulsion",
    "target",
    "zero_order",
)
WORDS = Grammar("a {colour} {thing}", {"colour": ["red", "blue"], "thing": ["ball", "box", "cat"]})
SPACE = Space(Request(), ("video",), Modes().capabilities.accepts, STEPS, WORDS, previews=True)


@functools.cache
def seen(genome: str, stop: int | None) -> tuple[float, np.ndarray]:
    """Quality and descriptor of what a genome's record leads to; `repel` has no effect here."""
    found = Genome.of(json.loads(genome))
    steers = tuple(s for s in found.steering if s["op"] == "renoise")
    request = SPACE.request(replace(found, steering=steers))
    clip = Modes().advance([request], stop, [None])[0].clip
    return float(read([clip])["quality"][0]), ModesEmbedding().embed([clip])[0]


@dataclass
class World:
    """A session in memory: rounds of asking, making and telling.

    Args:
        seed: of the rounds.
        failing: share of the candidates that fail.
        flat: whether all are equally good.
    """

    seed: int = 0
    failing: float = 0.0
    flat: bool = False
    space: Space = SPACE
    archive: Archive = field(default_factory=Archive)
    made: dict[str, Candidate] = field(default_factory=dict)
    targets: np.ndarray = field(default_factory=lambda: np.zeros((0, 128), np.float32))
    rounds: list[list[Candidate]] = field(default_factory=list)
    calls: int = 0

    def view(self, turn: int) -> View:
        rng = np.random.default_rng([self.seed, len(self.rounds), turn])
        latents = {c.id: f"{i:064d}" for i, c in enumerate(self.archive)}
        return View(self.space, self.archive, {}, rng, self.targets, latents)

    def make(self, proposals: list[Proposal]) -> list[Candidate]:
        """What comes of proposals."""
        found = []
        rng = np.random.default_rng([self.seed, len(self.rounds), 2])
        for place, proposal in enumerate(proposals):
            quality, vector = seen(json.dumps(proposal.genome.record()), proposal.stop)
            before = self.made[proposal.after].proposal.stop if proposal.after else 0
            found.append(
                Candidate(
                    id=f"{len(self.rounds):04d}-{place:02d}",
                    proposal=proposal,
                    calls=(proposal.stop or STEPS) - (before or 0),
                    scores={"drift": quality},
                    vector=vector,
                    quality=0.5 if self.flat else quality,
                    failed="broke" if rng.random() < self.failing else "",
                )
            )
        return found

    def round(self, explorer: Explorer) -> list[Candidate]:
        if self.rounds:
            proposals = explorer.ask(BATCH, self.view(0))
        else:
            proposals = Draws().ask(WARMUP, self.view(0))
        told = self.make(proposals)
        self.made.update({c.id: c for c in told})
        self.archive.add(told)
        explorer.tell(told, self.view(1))
        self.rounds.append(told)
        self.calls += sum(c.calls for c in told)
        return told

    def run(self, explorer: Explorer, samples: int) -> World:
        """Rounds until so many samples' worth of calls, the warm-up's included, are spent."""
        while self.calls < samples * STEPS:
            self.round(explorer)
        return self

    def top(self) -> float:
        """Mean quality of the best eight."""
        return float(np.sort([c.quality for c in self.archive])[-8:].mean())


class Draws(Explorer):
    """Independent draws."""

    name = "draws"

    def ask(self, count: int, view: View) -> list[Proposal]:
        return [Proposal(view.space.random(view.rng), "fresh") for _ in range(count)]

    def tell(self, candidates, view) -> None:
        pass


def wished(seed: int = 5) -> np.ndarray:
    """The descriptor of a clip that exists."""
    noise = np.random.default_rng(seed).standard_normal((1, 1024)).astype(np.float32)
    return ModesEmbedding().embed(Modes().drawn(noise, ["a red ball"]))


@functools.cache
def drawn_top() -> list[float]:
    """What independent draws reach in 80 samples, from three seeds."""
    return [World(s).run(Draws(), 80).top() for s in range(3)]


def proposals_of(world: World) -> str:
    return json.dumps([[c.proposal.record() for c in told] for told in world.rounds])


def children(world: World) -> Iterator[tuple[Candidate, Candidate]]:
    """Every candidate made by search with its parent."""
    for told in world.rounds[1:]:
        for candidate in told:
            for parent in candidate.proposal.parents:
                yield candidate, world.made[parent]


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("failing", [0.0, 0.3])
def test_same_tellings_same_asks(name, failing):
    """Twice the same, and a third time by asking and telling again what was noted as JSON."""
    worlds = [World(failing=failing, targets=wished()) for _ in range(3)]
    for world in worlds[:2]:
        world.run(explorers.get(name)(), 48)
    assert proposals_of(worlds[0]) == proposals_of(worlds[1])
    again, explorer = worlds[2], explorers.get(name)()
    for told in worlds[0].rounds:
        again.round(explorer)
        noted = [Proposal.of(json.loads(json.dumps(c.proposal.record()))) for c in told]
        assert [p.record() for p in noted] == [c.proposal.record() for c in again.rounds[-1]]
    following = [explorer.ask(BATCH, again.view(0))]
    following.append(explorers.get(name)().ask(BATCH, again.view(0)))
    assert following[0], "there is always something to try"
    assert following[1], "and before anything was told"


@pytest.mark.parametrize("name", NAMES)
def test_all_failing_is_survived(name):
    world = World(targets=wished())
    explorer = explorers.get(name)()
    world.round(explorer)
    world.failing = 1.0
    for _ in range(3):
        assert world.round(explorer)
    world.failing = 0.0
    for _ in range(5):
        world.round(explorer)
    assert len(world.archive) > WARMUP


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("count", [1, 3, 40])
def test_any_count_is_answered(name, count):
    world = World(targets=wished())
    explorer = explorers.get(name)()
    world.round(explorer)
    proposals = explorer.ask(count, world.view(0))
    assert proposals
    for proposal in proposals:
        SPACE.request(proposal.genome)


@pytest.mark.parametrize("name", ["zero_order", "cma_es", "paths", "fk", "open_endedness"])
def test_finds_better_than_independent_draws_at_equal_cost(name):
    ours = [World(s).run(explorers.get(name)(), 80).top() for s in range(3)]
    theirs = drawn_top()
    assert all(a > b for a, b in zip(ours, theirs, strict=True)), (ours, theirs)


def test_target_comes_nearer_than_independent_draws_at_equal_cost():
    def nearest(world: World) -> float:
        return float(np.sort(world.archive.vectors @ world.targets[0])[-8:].mean())

    target = explorers.get("target")
    ours = [nearest(World(s, targets=wished(s)).run(target(), 128)) for s in range(3)]
    theirs = [nearest(World(s, targets=wished(s)).run(Draws(), 128)) for s in range(3)]
    assert all(a > b for a, b in zip(ours, theirs, strict=True)), (ours, theirs)


def test_best_of_n_gives_the_largest_of_n_uniform_numbers():
    explorer = explorers.get("best_of_n")(n=8)
    world = World().run(explorer, 256 + WARMUP)
    kept = [world.made[id].quality for id in explorer.winners]
    assert len(kept) == 32
    # The largest of n has mean n / (n + 1) and a standard deviation of about 1 / (n + 1).
    assert abs(np.mean(kept) - 8 / 9) < 3 * 0.1 / np.sqrt(32)
    for told in world.rounds[1:]:
        groups = {}
        for c in told:
            groups.setdefault(c.proposal.note["group"], []).append(c)
        for members in groups.values():
            assert len({c.genome.prompt for c in members}) == 1
            assert len({c.genome.noise["video"].terms for c in members}) == 8
            best = max(members, key=lambda c: c.quality)
            assert best.id in explorer.winners


def test_zero_order_steps_by_b_from_the_best_of_its_line():
    world = World().run(explorers.get("zero_order")(neighbours=4, b=0.6), 96)
    pairs = list(children(world))
    assert pairs
    for child, parent in pairs:
        noises = [c.genome.noise["video"] for c in (child, parent)]
        assert noises[0].likeness(noises[1]) == pytest.approx(0.8, abs=0.02)
        assert child.genome.prompt == parent.genome.prompt
    bests: dict[int, float] = {}
    for told in world.rounds[1:]:
        for c in told:
            line = c.proposal.note["line"]
            if c.proposal.parents:
                assert world.made[c.proposal.parents[0]].quality == bests[line]
        for c in told:
            line = c.proposal.note["line"]
            bests[line] = max(bests.get(line, 0.0), c.quality)


def test_zero_order_begins_afresh_where_nothing_gets_better():
    explorer = explorers.get("zero_order")(neighbours=8, patience=3)
    world = World(flat=True)
    kinds = [{c.proposal.operator for c in world.round(explorer)} for _ in range(10)]
    # The warm-up, a fresh round, three fruitless ones, and again.
    once = [{"fresh"}, {"pcn"}, {"pcn"}, {"pcn"}]
    assert kinds == [{"fresh"}, *once, *once, {"fresh"}]


@pytest.mark.parametrize("name", ["fk", "paths"])
def test_only_steps_that_are_its_own_are_reused(name):
    world = World().run(explorers.get(name)(), 96)
    reused = 0
    for told in world.rounds[1:]:
        for c in told:
            if c.proposal.after is None:
                continue
            reused += 1
            given = world.made[c.proposal.after]
            stop = given.proposal.stop
            assert stop is not None
            early = [s for s in c.genome.steering if s["step"] < stop]
            assert early == list(given.genome.steering)
            assert c.genome.noise == given.genome.noise
            assert c.genome.prompt == given.genome.prompt
    assert reused


def test_paths_costs_what_its_finished_samples_would():
    explorer = explorers.get("paths")(keep=2, copies=4)
    world = World()
    world.round(explorer)
    for _ in range(4):
        world.round(explorer)
    assert world.calls == (WARMUP + 2 * 8) * STEPS
    assert len(explorer.winners) == 2
    assert all(c.finished for c in world.rounds[-1])


def test_paths_goes_on_from_the_best_previews():
    explorer = explorers.get("paths")(keep=2, copies=4, shares=(0.5,))
    world = World()
    for _ in range(3):
        world.round(explorer)
    looked, told = world.rounds[1:]
    for group in (0, 1):
        members = [c for c in looked if c.proposal.note["group"] == group]
        best = sorted(members, key=lambda c: -c.quality)[:2]
        went = {c.proposal.parents[0] for c in told if c.proposal.note["group"] == group}
        assert went == {c.id for c in best}


def test_fk_potentials_in_closed_form():
    rewards = [[0.5, 0.1], [0.2, 0.4]]
    for kind, gain in (("max", 0.5 - 0.4), ("sum", 0.6 - 0.6), ("diff", -0.4 - 0.2)):
        weights = potentials(rewards, 10.0, kind)
        assert weights.sum() == pytest.approx(1)
        assert weights[0] / weights[1] == pytest.approx(np.exp(10 * gain))
    assert potentials([[0.3], [0.1]], 5.0, "diff")[0] == pytest.approx(1 / (1 + np.exp(-1.0)))
    assert potentials([[1.0], [0.0]], 1000.0, "max").tolist() == [1.0, 0.0]


def test_systematic_resampling_is_even_and_unbiased():
    rng = np.random.default_rng(0)
    weights = np.array([0.5, 0.3, 0.15, 0.05])
    counts = np.array([np.bincount(systematic(weights, 7, rng), minlength=4) for _ in range(2000)])
    assert (counts >= np.floor(7 * weights)).all()
    assert (counts <= np.ceil(7 * weights)).all()
    assert counts.mean(0) == pytest.approx(7 * weights, abs=0.05)


def test_fk_without_preference_is_plain_sampling():
    explorer = explorers.get("fk")(lam=0.0)
    world = World()
    for _ in range(6):
        world.round(explorer)
    begun, ended = world.rounds[1], world.rounds[5]
    assert [c.genome for c in ended] == [c.genome for c in begun]
    assert world.calls == (WARMUP + BATCH) * STEPS


def test_fk_copies_part_where_they_are_and_the_first_goes_on():
    explorer = explorers.get("fk")(lam=1000.0, particles=4)
    world = World()
    for _ in range(3):
        world.round(explorer)
    looked, told = world.rounds[1], world.rounds[2]
    for group in range(4):
        before = [c for c in looked if c.proposal.note["group"] == group]
        after = [c for c in told if c.proposal.note["group"] == group]
        best = max(before, key=lambda c: c.quality)
        assert {c.proposal.after for c in after} == {best.id}
        assert after[0].genome == best.genome
        steers = [c.genome.steering[-1] for c in after[1:]]
        assert {s["step"] for s in steers} == {best.proposal.stop}
        assert len({s["seed"] for s in steers}) == 3


@pytest.mark.parametrize("name", ["fk", "paths"])
def test_branching_is_refused_where_there_is_none(name):
    for space, word in (
        (replace(SPACE, previews=False), "unfinished"),
        (replace(SPACE, accepts=frozenset({"prompt"})), "renoise"),
        (replace(SPACE, steps=1), "--steps"),
    ):
        with pytest.raises(PhospheneError, match=word):
            explorers.get(name)().ask(4, World(space=space).view(0))


def test_likeness_to_several_targets():
    x, y = np.eye(3, dtype=np.float32)[:2]
    assert likeness(x, np.stack([x, y]), "mean") == pytest.approx(0.5)
    assert likeness(x, np.stack([x, x]), "soft") == pytest.approx(1)
    # Any of them: the other one takes off T log 2 and no more.
    assert likeness(x, np.stack([x, y]), "soft") == pytest.approx(1 - 0.05 * np.log(2), abs=1e-6)
    assert likeness(x, x[None], "mean") == likeness(x, x[None], "soft") == 1


def test_what_cannot_be_pursued_is_refused():
    world = World()
    with pytest.raises(PhospheneError, match="--target"):
        explorers.get("target")().ask(4, world.view(0))
    explorer = explorers.get("open_endedness")()
    world.round(explorer)
    blind = World()
    blind.archive.add([replace(c, scores={}) for c in world.rounds[0]])
    with pytest.raises(PhospheneError, match="--quality drift"):
        explorer.ask(4, blind.view(0))


def test_what_has_no_drift_does_not_breed():
    explorer = explorers.get("open_endedness")(fresh=0.0)
    world = World()
    told = world.make(Draws().ask(6, world.view(0)))
    judged = {told[1].id, told[4].id}
    told = [c if c.id in judged else replace(c, scores={"drift": None}) for c in told]
    explorer.tell(told, world.view(1))
    assert {p.parents[0] for p in explorer.ask(32, world.view(0))} == judged


def test_spread_lets_the_crowd_go():
    rng = np.random.default_rng(0)
    axes = np.eye(8)
    crowd = axes[0] + 0.05 * rng.standard_normal((5, 8))
    vectors = np.concatenate([crowd, axes[1:4]]).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    left = spread(vectors, 4, 1)
    assert left[1:] == [5, 6, 7]
    assert left[0] < 5
    twins = np.repeat(axes[:2], 2, 0).astype(np.float32)
    assert spread(twins, 2, 1) == [0, 2], "of equals the later one goes"


def test_illumination_fills_up_with_draws_and_stays_at_its_size():
    explorer = explorers.get("illumination")(population=24)
    world = World()
    world.round(explorer)
    assert {c.proposal.operator for c in world.round(explorer)} == {"fresh"}
    told = world.round(explorer)
    assert {c.proposal.operator for c in told} <= {"pcn", "atoms"}
    assert len(explorer.members) == 24


def test_a_handle_holds_white_noise_guidance_and_strengths():
    space = replace(
        SPACE, streams=("video", "audio"), guidance=(2.0, 6.0), adapters=("ink", "clay")
    )
    rng = np.random.default_rng(0)
    base = space.random(rng)
    handle = Handle.around(base, 5, space, rng)
    assert handle.size == 2 * 5 + 1 + 2
    # The first coordinate of a stream is the base's own noise.
    x = np.zeros(handle.size)
    x[0], x[5] = 3.0, 0.1
    found = handle.genome(x)
    for stream in space.streams:
        assert found.noise[stream].likeness(base.noise[stream]) == pytest.approx(1)
    assert found.guidance == 4.0
    assert found.steering == ({"op": "adapters", "weights": {"ink": 0.5, "clay": 0.5}},)
    x[10:] = 9.0
    assert handle.genome(x).guidance == 6.0
    nowhere = handle.genome(np.zeros(handle.size)).noise
    assert nowhere["video"].likeness(base.noise["video"]) == 1
    # Another machine's last bits make no other genome.
    y = rng.standard_normal(handle.size).round(3)
    assert handle.genome(y + 1e-9).record() == handle.genome(y).record()
    held = handle.genome(y).noise["audio"].terms
    weights = np.array([w for _, w, _ in held])
    assert weights == pytest.approx(y[5:10] / np.linalg.norm(y[5:10]), abs=1e-3)


def test_cma_es_keeps_to_one_prompt_and_its_draws():
    explorer = explorers.get("cma_es")(seeds=4)
    world = World().run(explorer, 80)
    made = [c for told in world.rounds[1:] for c in told]
    assert len({c.genome.prompt for c in made}) == 1
    assert len({s for c in made for s, _, _ in c.genome.noise["video"].terms}) == 4
    best = max(world.rounds[0], key=lambda c: c.quality)
    assert {c.proposal.parents for c in made} == {(best.id,)}


@pytest.mark.parametrize(("name", "package"), [("cma_es", "cmaes"), ("cma_mae", "ribs.archives")])
def test_a_missing_package_is_named(name, package, monkeypatch):
    world = World()
    explorer = explorers.get(name)()
    world.round(explorer)
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(PhospheneError, match=r"pip install 'phosphene\[search\]'"):
        explorer.ask(8, world.view(0))


def test_the_plane_is_that_of_the_largest_spread():
    rng = np.random.default_rng(0)
    scales = np.array([0.1, 3.0, 0.1, 1.0, 0.1])
    mean, axes = plane(rng.standard_normal((500, 5)) * scales + 2)
    assert mean == pytest.approx(2 * np.ones(5), abs=0.5)
    assert axes @ np.eye(5)[[1, 3]].T == pytest.approx(np.eye(2), abs=0.1)


def test_repulsion_names_latents_of_like_words():
    explorer = explorers.get("repulsion")(points=3)
    world = World()
    world.round(explorer)
    latents = world.view(0).latents
    owner = {digest: world.archive[id] for id, digest in latents.items()}
    for proposal in explorer.ask(BATCH, world.view(0)):
        (steer,) = proposal.genome.steering
        assert steer["op"] == "repel"
        points = [owner[d] for d in steer["points"]]
        assert len(points) == 3

        def common(c: Candidate, atoms=proposal.genome.atoms) -> int:
            return sum(c.genome.atoms[slot] == choice for slot, choice in atoms.items())

        others = [c for c in world.archive if c not in points]
        assert min(map(common, points)) >= max(map(common, others))
    empty = replace(world.view(0), latents={})
    with pytest.raises(PhospheneError, match="latents"):
        explorer.ask(4, empty)
    deaf = replace(world.view(0), space=replace(SPACE, accepts=frozenset({"prompt"})))
    with pytest.raises(PhospheneError, match="novelty"):
        explorer.ask(4, deaf)


@pytest.mark.parametrize(
    ("name", "settings"),
    [
        ("best_of_n", {"n": 1}),
        ("zero_order", {"neighbours": 0}),
        ("zero_order", {"b": 1.5}),
        ("paths", {"keep": 0}),
        ("paths", {"shares": (0.5, 0.25)}),
        ("paths", {"shares": ()}),
        ("paths", {"b": 0.0}),
        ("fk", {"particles": 1}),
        ("fk", {"potential": "min"}),
        ("fk", {"shares": (0.5, 1.0)}),
        ("fk", {"lam": float("nan")}),
        ("repulsion", {"radius": 0.0}),
        ("target", {"over": "max"}),
        ("target", {"size": 0}),
        ("open_endedness", {"b": -1.0}),
        ("illumination", {"population": 2}),
        ("cma_es", {"seeds": 25}),
        ("cma_mae", {"alpha": 2.0}),
    ],
)
def test_settings_out_of_range_are_refused_in_one_line(name, settings):
    with pytest.raises(PhospheneError) as error:
        explorers.get(name)(**settings)
    assert "\n" not in str(error.value)
