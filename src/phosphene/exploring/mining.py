"""Mining: which candidates of a session are nuggets, and where each comes from."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence, Set
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.backbone import Backbone
from phosphene.candidate import Proposal
from phosphene.errors import PhospheneError
from phosphene.exploring.calibration import Calibration
from phosphene.exploring.contest import Found, calibrated
from phosphene.exploring.mutation import moved
from phosphene.exploring.nuggets import Finds, Judgement, judge
from phosphene.exploring.opening import looker
from phosphene.exploring.replay import Workshop
from phosphene.media.disk import write_text
from phosphene.progress import Event, OnEvent
from phosphene.session import Session, pack, unpack

KEPT = "nuggets.json"
_STEP = 0.1  # of noise, between a nugget and the relatives it is tried with
_RELATIVES = 3
# What sound and picture mean tells more, in short clips, than whether they move together.
_COHERENT = ("pairing", "coherence")


def mine(
    session: Session,
    backbone: Backbone | None = None,
    against: Sequence[Path] = (),
    on_event: OnEvent = lambda event: None,
) -> list[Judgement]:
    """Put the rule to every finished candidate; what costs samples is written down as it is tried,
    so it is tried once.

    Args:
        session: its warm-up finished.
        backbone: opened already; the session's own if None.
        against: `nuggets.json` files of earlier sessions: what is in them is not new.

    Raises:
        PhospheneError: the backbone has other weights now, or a file of nuggets is damaged.
    """
    calibration = calibrated(session)
    found = Found.of(session)
    earlier = _earlier(against, calibration.centres.keys())
    trial = _Trial(session, backbone, calibration, on_event)
    judged = judge(_finds(session, found, calibration, earlier), trial.again, trial.relatives)
    best = [j for j in judged if j.nugget]
    record = {
        "session": session.root.name,
        "nuggets": [
            {
                "id": j.id,
                "reasons": {k: asdict(r) for k, r in j.reasons.items()},
                "vectors": {k: pack(v) for k, v in session.made[j.id].vectors.items()},
                "recipe": session.proposal(j.id).genome.record(),
                "media": session.made[j.id].media,
                "lineage": lineage(session, j.id),
            }
            for j in best
        ],
    }
    write_text(json.dumps(record, indent=1) + "\n", session.root / KEPT)
    return judged


def siblings(session: Session) -> list[Path]:
    """Nuggets of the sessions beside this one that began before it."""
    own = (session.root / "session.json").stat().st_mtime
    return sorted(
        path
        for path in session.root.resolve().parent.glob(f"*/{KEPT}")
        if path.parent != session.root.resolve()
        and (path.parent / "session.json").exists()
        and (path.parent / "session.json").stat().st_mtime < own
    )


def lineage(session: Session, id: str) -> list[dict[str, Any]]:
    """The candidate and all it comes from, nearest first: id, operator, parents."""
    out, waiting, seen = [], [id], {id}
    while waiting:
        here = waiting.pop(0)
        try:
            proposal = session.proposal(here)
        except PhospheneError:
            continue
        out.append({"id": here, "operator": proposal.operator, "parents": list(proposal.parents)})
        fresh = [p for p in proposal.parents if p not in seen]
        seen |= set(fresh)
        waiting += fresh
    return out


def _finds(
    session: Session,
    found: Found,
    calibration: Calibration,
    earlier: Mapping[str, np.ndarray],
) -> Finds:
    """What the rule looks at; a candidate that an embedding could not see is left out."""
    names = list(calibration.centres)
    rows = [i for i, id in enumerate(found.ids) if set(names) <= set(session.made[id].vectors)]
    ids = [found.ids[i] for i in rows]
    made = [session.made[id] for id in ids]
    warmup = [session.made[id] for id in session.rounds[0].proposals]
    typical = [calibration.ranks.quality(m.scores) for m in warmup if not m.failed]
    by = next((n for n in _COHERENT if any(n in m.scores for m in made)), None)

    def coherence(held: Sequence[Any]) -> np.ndarray:
        scores = [m.scores.get(by or "") for m in held]
        return np.array([np.nan if s is None else s for s in scores], float)

    at_first = coherence(warmup)
    return Finds(
        ids=ids,
        vectors={n: np.stack([m.vectors[n] for m in made]) for n in names},
        quality=found.quality[rows],
        digests=[m.digest for m in made],
        descriptors=found.vectors[rows],
        typical=float(np.median(typical)),
        coherence=coherence(made) if by else None,
        coherences=at_first[np.isfinite(at_first)].tolist(),
        earlier=earlier,
    )


def _earlier(against: Sequence[Path], names: Set[str]) -> dict[str, np.ndarray]:
    """Embedding -> vectors of nuggets that other sessions found, where they used it too."""
    rows: dict[str, list[np.ndarray]] = {}
    for path in against:
        try:
            for nugget in json.loads(path.read_bytes())["nuggets"]:
                for name in names & nugget["vectors"].keys():
                    rows.setdefault(name, []).append(unpack(nugget["vectors"][name]))
        except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
            raise PhospheneError(
                f"{path} holds no nuggets that can be read ({error}); mine its session again"
            ) from error
    return {name: np.stack(held) for name, held in rows.items()}


class _Trial:
    """Makes a candidate and near relatives of it once more, and remembers what came of it."""

    def __init__(
        self,
        session: Session,
        backbone: Backbone | None,
        calibration: Calibration,
        on_event: OnEvent,
    ) -> None:
        self._session = session
        self._backbone = backbone
        self._calibration = calibration
        self._on_event = on_event
        self._workshop: Workshop | None = None

    def again(self, id: str) -> tuple[str, np.ndarray]:
        """Digest and descriptor of the same recipe, made in full."""
        tried = self._tried(id)
        return tried["digest"], self._descriptor(tried["vectors"])

    def relatives(self, id: str) -> list[tuple[np.ndarray, float]]:
        """Descriptor and quality of candidates a small step of noise away."""
        return [
            (self._descriptor(r["vectors"]), self._calibration.ranks.quality(r["scores"]))
            for r in self._tried(id)["relatives"]
        ]

    def _descriptor(self, packed: Mapping[str, str]) -> np.ndarray:
        return self._calibration.descriptor({k: unpack(v) for k, v in packed.items()})

    def _tried(self, id: str) -> dict[str, Any]:
        if id not in self._session.tried:
            self._session.append(self._make(id))
            count = len(self._session.tried)
            self._on_event(Event("made", count, count, text=f"{id} tried again"))
        return self._session.tried[id]

    def _make(self, id: str) -> dict[str, Any]:
        if self._workshop is None:
            self._workshop = Workshop(self._session, self._backbone)
        shop = self._workshop
        again = shop.replay(id)
        genome = self._session.proposal(id).genome
        # A preview's beginnings belong to a recipe, so its noise alone is moved.
        rng = np.random.default_rng([int(part) for part in id.split("-")])
        near = [Proposal(moved(genome, rng, _STEP), "pcn", (id,)) for _ in range(_RELATIVES)]
        clips = [c for c in shop.make(near) if c is not None]
        request = shop.space.request(genome)
        looks = looker(shop.search).look([again.clip, *clips], [request] * (1 + len(clips)))
        return {
            "kind": "tried",
            "id": id,
            "digest": again.clip.digest,
            "vectors": {k: pack(v) for k, v in looks[0].vectors.items()},
            "relatives": [
                {"vectors": {k: pack(v) for k, v in look.vectors.items()}, "scores": look.scores}
                for look in looks[1:]
            ],
        }
