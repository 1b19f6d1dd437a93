"""Explore: the loop that searches a backbone's space, in sessions that people steer and resume."""

from __future__ import annotations

import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np

from phosphene.archive import Archive
from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.candidate import Candidate, Proposal
from phosphene.errors import PhospheneError
from phosphene.explorer import Explorer, View, explorers
from phosphene.exploring.calibration import Calibration
from phosphene.exploring.ensemble import Ensemble
from phosphene.exploring.index import index
from phosphene.exploring.keeping import Keeping
from phosphene.exploring.making import Maker
from phosphene.exploring.opening import (
    looker,
    manifest,
    operators_of,
    space_of,
    suited,
    targets,
)
from phosphene.exploring.preference import Taste, opinions
from phosphene.exploring.wishes import wishes
from phosphene.progress import Event, OnEvent
from phosphene.search import Search, component, label
from phosphene.session import Asked, Made, Session, asked_event, name_of


def explore(
    backbone: str | BackboneSpec | Backbone = "ember",
    out: str | Path = "runs/explore",
    search: Search | None = None,
    on_event: OnEvent | None = None,
) -> Session:
    """Search a backbone's space for samples that are new and good; goes on where it stopped.

        session = phosphene.explore("ember", "runs/first", Search(budget=64))

    A session that is killed at any moment and resumed proposes the same candidates as one that
    never stopped, as long as people say the same.

    Args:
        backbone: a name, a directory, a hub id, a spec, or a backbone that is open already.
        out: the session's directory.
        search: what is searched, and how.
        on_event: called with progress; one `made` a candidate.

    Returns:
        The session, every round told.

    Raises:
        PhospheneError: settings that can't be honoured, a warm-up of which nothing came, a session
            of another search, or a full disk. What was made is kept in every case.
    """
    opened = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
    settings = suited(opened, search or Search())
    exploration = Exploration(opened, settings, Path(out), on_event or (lambda event: None))
    return exploration.run()


def resume(
    out: str | Path,
    on_event: OnEvent | None = None,
    backbone: Backbone | None = None,
    budget: int | None = None,
) -> Session:
    """Go on with the session at `out`, with the settings it was begun with; see `explore`.

    Args:
        budget: in the place of the session's own.
    """
    from phosphene.exploring.replay import search_of, spec_of

    session = Session.load(out)
    search = search_of(session)
    search = search if budget is None else replace(search, budget=budget)
    return explore(backbone or spec_of(session), out, search, on_event)


class Exploration:
    """One process's work on a session.

    Args:
        backbone: what makes the candidates.
        search: settings, complete.
        root: the session's directory.
        on_event: called with progress.
    """

    def __init__(self, backbone: Backbone, search: Search, root: Path, on_event: OnEvent) -> None:
        self.backbone = backbone
        self.search = search
        self._tell_people = on_event
        self.looker = looker(search)
        self.explorer: Explorer = component(explorers, search.explorer)
        self.session = Session.open(root, manifest(backbone, search))
        self.space = space_of(backbone, search, self.session)
        self.operators = operators_of(search, self.space)
        self.backbone.check(self.space.request(self.space.random(self._rng(0))))
        if self.explorer.wants_latents:
            from phosphene.exploring.latents import register

            register(self.session.root)
        self.archive = Archive()
        self.maker = Maker(backbone, self.space, search.batch, self._asked, self._say)
        self.keeping = Keeping(self.session, backbone, self.looker, self.maker, search.lossless)
        self.calibration: Calibration | None = None
        self.targets = np.zeros((0, 0), np.float32)
        self.calls = 0
        self._heard = 0
        self._stopped = False

    @property
    def budget(self) -> int:
        """In denoiser calls."""
        return self.search.budget * self.space.steps

    def run(self) -> Session:
        """Rounds until the budget is spent or somebody says stop."""
        total = self.search.budget
        self._tell_people(Event("planned", 0, total, text=f"{total} samples' worth of calls"))
        with self.session.exploring(), self.keeping:
            round = 0
            while (round in self.session.rounds or self.calls < self.budget) and not self._stopped:
                self._round(round)
                round += 1
            index(self.session)
        return self.session

    def _round(self, round: int) -> None:
        proposals = self._propose(round)
        made = self.keeping.make(round, proposals, self.explorer.wants_latents, self._progress)
        if self.calibration is None:
            self.calibration = self._calibrate(list(made.values()))
        candidates = [self.calibration.candidate(made[id], p) for id, p in proposals.items()]
        self.calls += sum(c.calls for c in candidates)
        taken = self.archive.add(candidates)
        self._taste(round)
        self.explorer.tell(candidates, self._view(round, 1))
        self.maker.forget(round)
        if round not in self.session.told:
            self.session.append(self._account(round, candidates, taken))

    def _propose(self, round: int) -> dict[str, Proposal]:
        """What is tried in this round; what the log holds, if it was asked before."""
        asked = self.session.rounds.get(round)
        self.session.refresh()
        heard = len(self.session.people) if asked is None else asked.heard
        wished = self.session.people[self._heard : heard]
        self._heard = heard
        if asked is None and any(event["kind"] == "stop" for event in wished):
            self._stopped = True
        count = self._count(round) if asked is None else asked.count
        if round == 0:
            rng = self._rng(0)
            proposals = [Proposal(self.space.random(rng), "fresh") for _ in range(count)]
        else:
            self._taste(round)
            view = self._view(round, 0)
            proposals = wishes(wished, self.session, self.operators, self.space, view.rng)
            proposals = [*proposals, *self.explorer.ask(max(1, count - len(proposals)), view)]
        named = {name_of(round, i): p for i, p in enumerate(proposals)}
        if asked is None:
            self.session.append(asked_event(Asked(round, heard, count, named)))
        elif {i: p.record() for i, p in asked.proposals.items()} != _records(named):
            raise PhospheneError(
                f"{self.session.root}: round {round} was proposed by another version of phosphene "
                f"or of an explorer ({self.session.manifest.get('phosphene')}); it can be looked "
                f"at but not gone on with: begin a new session"
            )
        return named

    def _count(self, round: int) -> int:
        """How many finished samples a round that begins now is to have."""
        if round == 0:
            return self.search.warmup
        left = -(-(self.budget - self.calls) // self.space.steps)
        return max(1, min(self.search.batch, left))

    def _calibrate(self, made: Sequence[Made]) -> Calibration:
        named = tuple(map(label, self.search.qualities))
        judge = None if self.search.judge is None else label(self.search.judge)
        found = Calibration.of(made, list(self.looker.embeddings), Ensemble(named, judge))
        self.targets = targets(self.search, self.looker, found)
        return found

    def _taste(self, round: int) -> None:
        """Take what people said so far into the archive's fitness."""
        rows = {c.id: i for i, c in enumerate(self.archive)}
        said = opinions(self.session.people[: self._heard], rows)
        quality = np.array([c.quality for c in self.archive], np.float32)
        if said:
            rng = np.random.default_rng([self.search.seed, round, 9])
            vectors = self.archive.vectors
            quality = Taste.fit(vectors, said).fitness(vectors, quality, rng)
        self.archive.fitness = quality

    def _account(
        self, round: int, candidates: Sequence[Candidate], taken: Sequence[bool]
    ) -> dict[str, Any]:
        """The event that closes a round."""
        good = [c for c in candidates if not c.failed]
        vectors = np.array([c.vector for c in good]) if good else np.zeros((0, 0), np.float32)
        novelty = self.archive.novelty(vectors, itself=True) if good else []
        return {
            "kind": "told",
            "round": round,
            "calls": self.calls,
            "admitted": [c.id for c, t in zip(candidates, taken, strict=True) if t],
            "quality": {c.id: round_to(c.quality) for c in good},
            "novelty": {c.id: round_to(n) for c, n in zip(good, novelty, strict=True)},
            "size": len(self.archive),
            "best": round_to(max((c.quality for c in self.archive), default=0.0)),
        }

    def _view(self, round: int, turn: int) -> View:
        latents = {}
        if self.explorer.wants_latents:
            made = self.session.made
            latents = {c.id: d for c in self.archive if (d := made[c.id].latent) is not None}
        rng = np.random.default_rng([self.search.seed, round, turn])
        return View(self.space, self.archive, self.operators, rng, self.targets, latents)

    def _rng(self, round: int) -> np.random.Generator:
        return np.random.default_rng([self.search.seed, round, 0])

    def _asked(self, id: str) -> Mapping[str, Proposal]:
        """The proposals of the round that a candidate belongs to."""
        from phosphene.session import round_of

        return self.session.rounds[round_of(id)].proposals

    def _progress(self, made: Made, fresh: bool, charged: int) -> None:
        kind: Any = "failed" if made.failed else "made" if fresh else "found"
        text = f"{made.id} failed: {made.failed}" if made.failed else f"{made.id}"
        done = min((self.calls + charged) // self.space.steps, self.search.budget)
        self._tell_people(Event(kind, done, self.search.budget, text=text))

    def _say(self, kind: str, text: str) -> None:
        done = min(self.calls // max(self.space.steps, 1), self.search.budget)
        self._tell_people(Event(kind, done, self.search.budget, text=text))  # type: ignore[arg-type]


def round_to(value: float) -> float:
    """Short in the log; exact numbers are worked out from the vectors again."""
    return float(f"{value:.4g}") if np.isfinite(value) else 0.0


def _records(proposals: Mapping[str, Proposal]) -> dict[str, Any]:
    import json

    return json.loads(json.dumps({i: p.record() for i, p in proposals.items()}))


class _Callable(ModuleType):
    """So that `phosphene.explore(...)` works whether or not this module was imported before."""

    __call__ = staticmethod(explore)


sys.modules[__name__].__class__ = _Callable
