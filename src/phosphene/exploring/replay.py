"""Replay: a candidate made again from the log alone."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.candidate import Proposal
from phosphene.clip import Clip
from phosphene.config import build
from phosphene.errors import PhospheneError
from phosphene.exploring.making import Maker
from phosphene.exploring.opening import space_of
from phosphene.search import Search
from phosphene.session import Session, name_of, round_of
from phosphene.space import Space


@dataclass(frozen=True, eq=False)
class Replayed:
    """A candidate, made again.

    Args:
        clip: the sample.
        exact: whether it equals the first one to the bit.
    """

    clip: Clip
    exact: bool


class Workshop:
    """A session opened to make its candidates again, or others of its space.

    Args:
        session: whose log is read; nothing is written to it.
        backbone: opened already; the one that the session names if None.

    Raises:
        PhospheneError: the backbone is not there, or has other weights than the session's.
    """

    def __init__(self, session: Session, backbone: Backbone | None = None) -> None:
        self.session = session
        self.search = search_of(session)
        self.backbone = backbone or open_backbone(spec_of(session))
        if self.backbone.fingerprint != session.manifest["fingerprint"]:
            raise PhospheneError(
                f"{session.root} was made with weights {session.manifest['fingerprint'][:23]}, "
                f"{self.backbone.id} has {self.backbone.fingerprint[:23]} now"
            )
        if (session.root / "latents").exists():
            from phosphene.exploring.latents import register

            register(session.root)
        self.space: Space = space_of(self.backbone, self.search, session)
        self._maker = Maker(
            self.backbone, self.space, self.search.batch, self._asked, lambda kind, text: None
        )

    def replay(self, id: str) -> Replayed:
        """Make a candidate again, in the company it was made in.

        Raises:
            PhospheneError: no such candidate, or it could not be made.
        """
        self.session.proposal(id)
        asked = self._asked(id)
        group = next(g for g in self._maker.groups(asked) if id in g)
        fresh = next(f for f in self._maker.make(asked, group) if f.id == id)
        if fresh.clip is None:
            raise PhospheneError(f"{id} can't be made again: {fresh.reason}")
        held = self.session.made.get(id)
        return Replayed(fresh.clip, held is not None and fresh.clip.digest == held.digest)

    def make(self, proposals: Sequence[Proposal]) -> list[Clip | None]:
        """Finished samples of other proposals of this space; None where one failed."""
        asked = {name_of(9999, i): p for i, p in enumerate(proposals)}
        made = {f.id: f for g in self._maker.groups(asked) for f in self._maker.make(asked, g)}
        return [made[id].clip for id in asked]

    def _asked(self, id: str) -> Mapping[str, Proposal]:
        return self.session.rounds[round_of(id)].proposals


def search_of(session: Session) -> Search:
    """The settings that the session was begun with."""
    told = {**session.manifest["search"], "budget": session.manifest["budget"]}
    return build(Search, told, str(session.root / "session.json"))


def spec_of(session: Session) -> BackboneSpec:
    """Which backbone the session was made with."""
    spec: dict[str, Any] = dict(session.manifest["spec"])
    return BackboneSpec(**{**spec, "lora": tuple(spec.get("lora", ()))})


def replay(root: str | Path, id: str, backbone: Backbone | None = None) -> Replayed:
    """Make the candidate `id` of the session at `root` again; see `Workshop.replay`."""
    return Workshop(Session.load(root), backbone).replay(id)
