"""Asking: every problem in every arm, with the same noise."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

from phosphene.backbone import Backbone
from phosphene.conditions.arms import Arm, Conditions
from phosphene.errors import PhospheneError
from phosphene.evaluate import Asked, Settings, canvas_of, questions
from phosphene.request import Request
from phosphene.task import Canvas


@dataclass(frozen=True, eq=False)
class Told:
    """What is asked in one arm and wording."""

    arm: Arm
    wording: int
    request: Request


@dataclass(frozen=True, eq=False)
class Round:
    """One sample of one item, in all arms.

    Args:
        asked: as a bench asks it: the bare arm.
        instance: names what is shown and asked; items of one instance differ in noise alone.
        told: one for each arm and wording; seed and index, hence the noise, are the same in all.
    """

    asked: Asked
    instance: str
    told: tuple[Told, ...]

    @property
    def id(self) -> str:
        return f"{self.asked.item.id} {self.asked.sample}"


def rounds(
    backbone: Backbone, conditions: Conditions, settings: Settings
) -> tuple[list[Round], Canvas, tuple[int, int] | None]:
    """Everything that is asked, the canvas, and the oblong picture around it where there is one.

    Raises:
        PhospheneError: a backbone that takes no prompt or draws no picture, or settings that it
            can't honour.
    """
    can = backbone.capabilities
    if "prompt" not in can.accepts:
        raise PhospheneError(
            f"backbone {backbone.id!r} takes no prompt, so it can't be told anything; give one "
            f"that does"
        )
    if not can.produces & {"image", "video"}:
        raise PhospheneError(f"backbone {backbone.id!r} draws no pictures; no task can be read")
    suite = conditions.suite
    canvas, pad = canvas_of(backbone, suite, settings)
    found = [
        Round(one, _instance(one), tuple(_told(one, conditions)))
        for one in questions(backbone, suite, settings, canvas, pad)
    ]
    for one in found:
        for told in one.told:
            backbone.check(told.request)
    return found, canvas, pad


def _told(asked: Asked, conditions: Conditions) -> list[Told]:
    return [
        Told(arm, number, replace(asked.request, prompt=f"{clause} {asked.request.prompt}".strip()))
        for arm, number, clause in conditions.clauses()
    ]


def _instance(asked: Asked) -> str:
    """16 hex digits over the first frame and the scene in words."""
    first, text = asked.request.first_frame, f"{asked.item.cell.task} {asked.problem.caption}"
    seen = b"" if first is None else first.tobytes()
    return hashlib.sha256(text.encode() + seen).hexdigest()[:16]


def instances(found: Sequence[Round]) -> list[list[Round]]:
    """The rounds of each instance, in order of first appearance."""
    groups: dict[str, list[Round]] = {}
    for one in found:
        groups.setdefault(one.instance, []).append(one)
    return list(groups.values())
