"""Follows: what a question itself says of which value comes after which, task by task.

Read off what was asked, never off the answer or the worked steps.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from phosphene.errors import PhospheneError
from phosphene.minds.task import TextProblem

MOST = 256  # ways through one question
LONGEST = 32  # steps of a way


@dataclass(frozen=True)
class Facts:
    """A question as a graph of values.

    Args:
        start: the value that is given.
        after: (value, how many steps were done) -> the values that may come next.
        done: (value, steps) -> whether the question asks for no more.
    """

    start: str
    after: Callable[[str, int], tuple[str, ...]]
    done: Callable[[str, int], bool]


def facts(problem: TextProblem) -> Facts:
    """The facts of a question.

    Raises:
        PhospheneError: nothing is known about the steps of this task.
    """
    if problem.task not in _TASKS:
        raise PhospheneError(
            f"{problem.task} does not say which value follows from which; tasks that do: "
            f"{', '.join(sorted(_TASKS))}"
        )
    return _TASKS[problem.task](problem.state)


def ways(told: Facts) -> list[tuple[str, ...]]:
    """All chains of values from the start to where the question ends, the start left out."""
    found: list[tuple[str, ...]] = []
    open_: list[tuple[str, ...]] = [()]
    while open_ and len(found) < MOST:
        way = open_.pop()
        here = way[-1] if way else told.start
        if way and told.done(here, len(way)):
            found.append(way)
            continue
        if len(way) < LONGEST:
            open_ += [(*way, value) for value in told.after(here, len(way))]
    return found


def _chase(state: Mapping[str, Any]) -> Facts:
    ring, hops = state["ring"], int(state["hops"])
    arrows = dict(pairwise([*ring, ring[0]]))
    return Facts(ring[0], lambda name, step: (arrows[name],), lambda name, step: step == hops)


def _prosqa(state: Mapping[str, Any]) -> Facts:
    ends = {chain[-1] for chain in state["chains"]}
    return _graph(state["root"], state["edges"], ends)


def _prontoqa(state: Mapping[str, Any]) -> Facts:
    edges = [(a, b) for a, polar, b in state["facts"] if polar]
    ends = {a for a, _, b in state["facts"] if b == state["property"]}
    return _graph(state["root"], edges, ends)


def _graph(root: str, edges: Iterable[Any], ends: set[str]) -> Facts:
    children: defaultdict[str, list[str]] = defaultdict(list)
    for a, b in edges:
        children[a].append(b)
    return Facts(
        root, lambda name, step: tuple(children.get(name, ())), lambda name, step: name in ends
    )


def _arithmetic(state: Mapping[str, Any]) -> Facts:
    steps = list(zip(state["operations"], state["operands"], strict=True))

    def after(value: str, step: int) -> tuple[str, ...]:
        operation, right = steps[step]
        left = int(value)
        outcome = {"plus": left + right, "minus": left - right, "times": left * right}[operation]
        return (str(outcome % state["modulus"]),)

    return Facts(str(state["start"]), after, lambda value, step: step == len(steps))


_TASKS: dict[str, Callable[[Mapping[str, Any]], Facts]] = {
    "arithmetic": _arithmetic,
    "chase": _chase,
    "prontoqa": _prontoqa,
    "prosqa": _prosqa,
}
