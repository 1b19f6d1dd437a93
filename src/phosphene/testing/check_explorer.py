"""Conformance of an explorer: what every one must keep to, whatever it searches for."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from phosphene.archive import Archive
from phosphene.candidate import Candidate, Proposal
from phosphene.explorer import Explorer, View, explorers
from phosphene.grammar import Grammar
from phosphene.operator import Operator, operators
from phosphene.request import Request
from phosphene.search import component
from phosphene.space import Space

_WIDTH = 24
_STEPS = 8
Fails = Callable[[str], bool]


def space(**changes: Any) -> Space:
    """A small space in which most things may vary: two streams, words, guidance, previews."""
    found = Space(
        base=Request(),
        streams=("video", "audio"),
        accepts=frozenset({"prompt", "steps", "guidance", "noise", "steering", "seed", "index"}),
        steps=_STEPS,
        grammar=Grammar("a {size} {colour} ball", _WORDS),
        guidance=(1.0, 7.0),
        previews=True,
    )
    return replace(found, **changes)


_WORDS = {"size": ("small", "big"), "colour": ("red", "green", "blue")}


@dataclass
class Rehearsal:
    """A session without a model: descriptors and qualities follow from the genomes' seeds alone,
    children being like their parents.

    Args:
        explorer: what is rehearsed.
        space: what may vary.
        seed: of the session.
        fails: by id, which candidates come to nothing.
        scores: names of further scores that candidates have.

    Attributes:
        archive: what was finished.
        rounds: the proposals of each round by id, the warm-up's first.
        candidates: all that was told, by id.
    """

    explorer: Explorer
    space: Space = field(default_factory=space)
    seed: int = 0
    fails: Fails = lambda id: False
    scores: Sequence[str] = ("drift",)
    archive: Archive = field(default_factory=Archive)
    rounds: list[dict[str, Proposal]] = field(default_factory=list)
    candidates: dict[str, Candidate] = field(default_factory=dict)
    _operators: dict[str, Operator] = field(init=False)

    def __post_init__(self) -> None:
        known: dict[str, Operator] = {n: component(operators, n) for n in operators.names()}
        self._operators = {n: o for n, o in known.items() if o.able(self.space)}

    def round(self, count: int) -> list[Candidate]:
        """Ask for about `count`, check what is proposed, and tell what came of it.

        Raises:
            AssertionError: a proposal that no session could honour.
        """
        number = len(self.rounds)
        view = self._view(0)
        if number == 0:
            proposals = [Proposal(self.space.random(view.rng), "fresh") for _ in range(count)]
        else:
            proposals = self.explorer.ask(count, view)
        named = {f"{number:04d}-{i:02d}": p for i, p in enumerate(proposals)}
        assert proposals, "it proposes nothing"
        for id, proposal in named.items():
            self._check(id, proposal)
        made = [self._made(id, p) for id, p in named.items()]
        self.rounds.append(named)
        self.candidates |= {c.id: c for c in made}
        self.archive.add(made)
        self.explorer.tell(made, self._view(1))
        return made

    def _view(self, turn: int) -> View:
        rng = np.random.default_rng([self.seed, len(self.rounds), turn])
        latents = {c.id: c.digest for c in self.archive}
        return View(self.space, self.archive, self._operators, rng, _draw(7)[None], latents)

    def _check(self, id: str, proposal: Proposal) -> None:
        """That a session could make it and write it down."""
        record = json.loads(json.dumps(proposal.record()))
        assert Proposal.of(record).record() == record, f"{id} does not come back from its record"
        self.space.request(proposal.genome)
        steps = self.space.steps_of(proposal.genome)
        assert proposal.stop is None or 0 < proposal.stop < steps, (
            f"{id} stops after {proposal.stop} of {steps} steps"
        )
        for parent in proposal.parents:
            assert parent in self.candidates, f"{id} has a parent that nobody made: {parent}"
        if proposal.after is not None:
            before = self.candidates.get(proposal.after)
            assert before is not None, f"{id} goes on from nothing"
            assert not before.failed, f"{id} goes on from {proposal.after}, which failed"
            stop = before.proposal.stop
            assert stop is not None, f"{id} goes on from {proposal.after}, which is no preview"
            assert stop < (proposal.stop or steps), f"{id} ends before the preview it goes on from"

    def _made(self, id: str, proposal: Proposal) -> Candidate:
        if self.fails(id):
            return Candidate(id, proposal, calls=_STEPS, failed="it was meant to")
        vector = _seen(proposal)
        quality = float(1 / (1 + np.exp(-2 * vector[0] * np.sqrt(_WIDTH))))
        end = proposal.stop or self.space.steps_of(proposal.genome)
        behind = self.candidates[proposal.after].proposal.stop if proposal.after else 0
        return Candidate(
            id,
            proposal,
            calls=end - (behind or 0),
            scores=dict.fromkeys(self.scores, quality),
            vector=vector,
            quality=quality,
            digest=id,
        )


def _seen(proposal: Proposal) -> np.ndarray:
    """The descriptor of what a proposal leads to; of a preview, a blurred one."""
    genome = proposal.genome
    terms = [t for noise in genome.noise.values() for t in noise.terms]
    parts = [low * _draw(seed) for seed, low, _ in terms]
    words = sum(_draw(ord(c)) for c in genome.prompt) / max(len(genome.prompt), 1)
    own = [s.get("seed", 0) for s in genome.steering]
    vector = sum(parts) + words + 0.3 * sum((_draw(seed) for seed in own), np.zeros(_WIDTH))
    if proposal.stop is not None:
        vector = vector + 0.5 * _draw(terms[0][0] + 1)
    return (vector / np.linalg.norm(vector)).astype(np.float32)


def _draw(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(_WIDTH)


def rehearse(
    name: str,
    settings: Mapping[str, Any] | None = None,
    rounds: int = 6,
    count: int = 4,
    **changes: Any,
) -> Rehearsal:
    """A rehearsal of a registered explorer that has gone through some rounds.

    Args:
        name, settings: of the explorer.
        rounds: after the warm-up.
        count: proposals asked for in each; twice as many make the warm-up.
        changes: of the `Rehearsal`.
    """
    found = Rehearsal(component(explorers, {"name": name, **(settings or {})}), **changes)
    for round in range(rounds + 1):
        found.round(count if round else 2 * count)
    return found


def check_explorer(name: str, **settings: Any) -> None:
    """Raise AssertionError, saying where, unless an explorer

    proposes what a session can make and write down; proposes the same again if all it is told is
    the same; goes on when candidates fail, all of a round, or all but one of the warm-up; and works
    where nothing but noise may vary.

    Args:
        name: of a registered explorer.
        settings: its fields.
    """
    first, again = (rehearse(name, settings) for _ in range(2))
    for one, other in zip(first.rounds, again.rounds, strict=True):
        assert {i: p.record() for i, p in one.items()} == {
            i: p.record() for i, p in other.items()
        }, f"{name} proposes otherwise when told the same"
    bare = space(streams=("video",), grammar=Grammar(""), speaks=False, guidance=None, adapters=())
    hard: dict[str, dict[str, Any]] = {
        "every other candidate fails": {"fails": lambda id: id[-1] in "13579"},
        "a whole round fails": {"fails": lambda id: id.startswith("0002")},
        "all fail but the first": {"fails": lambda id: id != "0000-00"},
        "nothing but noise varies": {"space": bare},
    }
    for what, changes in hard.items():
        try:
            rehearse(name, settings, **changes)
        except Exception as error:
            raise AssertionError(f"{name}, where {what}: {error!r}") from error
