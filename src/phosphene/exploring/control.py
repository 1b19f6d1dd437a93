"""Control: random search at equal cost, from the same warm-up; without it nothing is known."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from pathlib import Path

from phosphene.backbone import Backbone
from phosphene.explore import Exploration
from phosphene.exploring.opening import manifest, steps_of
from phosphene.progress import OnEvent
from phosphene.search import Search, name_of
from phosphene.session import Session, asked_event

CONTROL = "control"
REPEATS = "repeats"


def control(
    backbone: Backbone, session: Session, search: Search, on_event: OnEvent
) -> Session | None:
    """Run random search beside a session, to the calls that it has spent.

    The warm-up is the session's own, taken over and not made again. A search that is itself random
    needs no control.

    Args:
        backbone: the session's.
        session: what is to be compared with chance.
        search: its settings, complete.
    """
    if name_of(search.explorer) == "random":
        return None
    root = session.root / CONTROL
    spent = max((t["calls"] for t in session.told.values()), default=0)
    steps = steps_of(backbone, search)
    beside = replace(search, explorer="random", budget=max(search.warmup, -(-spent // steps)))
    if not (root / "events.jsonl").exists():
        _take_over(session, backbone, beside, root)
    return Exploration(backbone, beside, root, on_event).run()


def _take_over(session: Session, backbone: Backbone, search: Search, root: Path) -> None:
    """Begin the control with the session's warm-up."""
    other = Session.open(root, manifest(backbone, search))
    files = [p for m in session.made.values() for p in (m.media, m.poster) if p is not None]
    for file in {*files, *session.pictures.values()}:
        target = root / file
        target.parent.mkdir(parents=True, exist_ok=True)
        if not target.exists():
            _link(session.root / file, target)
    if session.pictures:
        other.append({"kind": "pictures", "files": session.pictures})
    for id in session.rounds[0].proposals:
        other.append(session.made[id].record())
    # Last: a control that was interrupted before makes its own warm-up, which is the same.
    other.append(asked_event(session.rounds[0]))


def _link(source: Path, target: Path) -> None:
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)
