"""Study: a session, its control, and both again with other seeds."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from phosphene.backbone import Backbone, BackboneSpec, open_backbone
from phosphene.explore import explore
from phosphene.explorer import explorers
from phosphene.exploring.control import REPEATS, control
from phosphene.exploring.opening import looker, suited
from phosphene.progress import Event, OnEvent
from phosphene.search import Search, component
from phosphene.session import Session


def study(
    backbone: str | BackboneSpec | Backbone,
    root: Path,
    search: Search,
    repeats: int = 0,
    controlled: bool = True,
    on_event: OnEvent = lambda event: None,
) -> list[Session]:
    """Run a session at `root`, and `repeats` more in `root/repeats/` with the seeds that follow.

    Args:
        controlled: whether random search runs beside each, in its `control/`.

    Returns:
        The sessions, controls left out.
    """
    component(explorers, search.explorer)
    looker(search)
    if not isinstance(backbone, Backbone):
        name = backbone if isinstance(backbone, str) else backbone.id
        on_event(Event("note", 0, search.budget, text=f"opening {name}"))
    opened = backbone if isinstance(backbone, Backbone) else open_backbone(backbone)
    settings = suited(opened, search)
    found = []
    for n in range(repeats + 1):
        here = root if n == 0 else root / REPEATS / str(n)
        asked = replace(settings, seed=search.seed + n)
        if n:
            on_event(Event("note", 0, search.budget, text=f"again with seed {asked.seed}"))
        session = explore(opened, here, asked, on_event)
        if controlled:
            on_event(Event("note", 0, search.budget, text="random search at equal cost"))
            control(opened, session, asked, on_event)
        found.append(session)
    return found
