"""Verbs that take generators and language models alike: which half a command line is for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from phosphene.errors import PhospheneError, unknown

if TYPE_CHECKING:
    from phosphene.cli.probe import ProbeOptions
    from phosphene.minds.subject import MindSetup

MINE = ("task", "items", "split", "first_seed", "way", "thoughts", "batch")
_GENERATORS = ("size", "frames", "steps", "guidance")
_MINDS = ("way", "thoughts")


def asks_mind(name: str, backbone: str | None) -> bool:
    """Whether a probe's name and a backbone make a question to a language model.

    Raises:
        PhospheneError: no such probe, or one of the other kind of model; names those that fit.
    """
    from phosphene.minds.opening import is_mind
    from phosphene.minds.probe import mind_probes
    from phosphene.probe import probes

    of_generators, of_minds = probes.names(), mind_probes.names()
    mind = is_mind(backbone) if backbone is not None else name in of_minds
    fits, others = (of_minds, of_generators) if mind else (of_generators, of_minds)
    if name in others:
        raise PhospheneError(_misfit(name, str(backbone), mind, fits))
    if name not in fits:
        known = fits if backbone is not None else [*of_generators, *of_minds]
        raise unknown("probe", name, known)
    return mind


def _misfit(name: str, backbone: str, mind: bool, fits: Sequence[str]) -> str:
    asks, kind = ("generators", "a language model") if mind else ("language models", "a generator")
    return (
        f"probe {name!r} asks {asks}, and {backbone} is {kind}; of it can be asked: "
        f"{', '.join(fits)}"
    )


def mind_setup(
    options: ProbeOptions, fields: Mapping[str, Any], changes: Sequence[str]
) -> MindSetup:
    """How problems are put to a language model.

    Raises:
        PhospheneError: a flag that only generators have, or a value out of range.
    """
    from phosphene.minds.subject import MindSetup

    given = [f"--{name}" for name in _GENERATORS if getattr(options, name) is not None]
    given += ["--set"] if changes else []
    if given:
        raise PhospheneError(
            f"{given[0]} is for generators; a language model has none: leave it out"
        )
    if options.split not in (None, "train", "test"):
        raise PhospheneError(f"--split takes train or test; got {options.split!r}")
    told = {n: getattr(options, n) for n in MINE if getattr(options, n) is not None}
    return MindSetup(fields=dict(fields), **told)


def refuse_thinking(options: ProbeOptions) -> None:
    """Refuse flags that only language models have.

    Raises:
        PhospheneError: names the first.
    """
    for name in _MINDS:
        if getattr(options, name) is not None:
            raise PhospheneError(
                f"--{name} is for language models; {options.backbone or 'ember'} is a generator: "
                f"leave it out, or give --backbone mind"
            )
