"""Steering of a genome: at most one steer of each kind."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from phosphene.genome import Genome


def steer_of(genome: Genome, op: str) -> Mapping[str, Any] | None:
    """The genome's steer of that kind; None without."""
    return next((s for s in genome.steering if s["op"] == op), None)


def resteered(genome: Genome, op: str, **settings: Any) -> Genome:
    """With this steer in place of an earlier one of its kind: descendants don't pile them up."""
    others = tuple(s for s in genome.steering if s["op"] != op)
    return replace(genome, steering=(*others, {"op": op, **settings}))
