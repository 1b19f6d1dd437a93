"""Breeding: proposals from parents, by the operators that a space allows."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from phosphene.candidate import Proposal
from phosphene.explorer import View
from phosphene.operator import Operator

FRESH = "fresh"


def fresh(view: View, note: Mapping[str, Any] | None = None) -> Proposal:
    """An independent draw."""
    return Proposal(view.space.random(view.rng), FRESH, note=note or {})


def bred(
    operator: Operator,
    parent: Callable[[], str],
    view: View,
    note: Mapping[str, Any] | None = None,
) -> Proposal:
    """A child of parents that `parent` draws by id, as many as the operator takes."""
    ids = [parent() for _ in range(operator.parents)]
    genomes = [view.archive[id].genome for id in ids]
    genome = operator.breed(genomes, view.space, view.rng)
    return Proposal(genome, operator.name, tuple(dict.fromkeys(ids)), note=note or {})


def stepping(operators: Mapping[str, Operator], b: float) -> Mapping[str, Operator]:
    """The operators with `pcn`, where it is there, set to steps of b."""
    return {
        name: replace(operator, b=b) if operator.name == "pcn" else operator  # type: ignore[type-var]
        for name, operator in operators.items()
    }
