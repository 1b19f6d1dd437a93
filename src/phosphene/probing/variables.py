"""Variables: what a problem is made of, by name, as targets for probes."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from phosphene.task import Problem

# How a problem is drawn, not what it asks.
LOOKS = {"colours", "font", "dx", "dy", "family", "paper", "ink", "inks", "reach", "stroke"}
LOOKS |= {"pace", "left", "middle", "lead", "beat", "dial", "face"}
MOST_CLASSES = 20
LEAST = 3  # instances of a class
FEWEST = 16  # instances in all
MOST_LEAVES = 40  # of a nested value


@dataclass(frozen=True, eq=False)
class Variable:
    """One named quantity over all problems.

    Args:
        name: dotted path into `problem.state`; names that always say the same share one variable.
        values: `(n,)`: class numbers, or float values.
        classes: what the class numbers mean, as JSON; empty for a continuous quantity.
        kept: bool `(n,)`: problems that count; those of rare classes don't.
    """

    name: str
    values: np.ndarray
    classes: tuple[str, ...]
    kept: np.ndarray


def instance(problem: Problem) -> str:
    """What is asked, whatever its looks: problems of one instance stay on one side of a split."""
    asked = {k: v for k, v in problem.state.items() if k not in LOOKS}
    return json.dumps(asked, sort_keys=True)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted names and scalars of a nested value; a text is one scalar."""
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from leaves(inner, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        for i, inner in enumerate(value):
            yield from leaves(inner, f"{name}.{i}")
    else:
        yield name, value


def named(state: Mapping[str, Any]) -> dict[str, Any]:
    """The scalars of a state, but for its looks and for values of too many parts."""
    out: dict[str, Any] = {}
    for key, value in state.items():
        if key not in LOOKS:
            found = dict(leaves(value, key))
            out |= found if len(found) <= MOST_LEAVES else {}
    return out


def variables(problems: Sequence[Problem]) -> tuple[list[Variable], list[str]]:
    """All quantities that vary enough over these problems to be probed.

    Returns:
        the variables, the answer's first, and a note on each that is left out.
    """
    tables = [named(p.state) for p in problems]
    groups = [instance(p) for p in problems]
    names = [n for n in tables[0] if all(n in t for t in tables)]
    names.sort(key=lambda n: not n.startswith("answer"))
    found: list[Variable] = []
    notes: list[str] = []
    seen: dict[tuple, int] = {}
    for name in names:
        made = _variable(name, [t[name] for t in tables], groups)
        if isinstance(made, str):
            notes.append(f"{name} is left out: {made}")
            continue
        key = _partition(made)
        if key in seen:
            twin = found[seen[key]]
            found[seen[key]] = Variable(
                f"{twin.name} = {name}", twin.values, twin.classes, twin.kept
            )
        else:
            seen[key] = len(found)
            found.append(made)
    return found, notes


def _variable(name: str, values: list[Any], groups: list[str]) -> Variable | str:
    distinct = {json.dumps(v) for v in values}
    if len(distinct) == 1:
        return "it never varies"
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in values)
    if numbers and len(distinct) > MOST_CLASSES:
        if len(set(groups)) < FEWEST:
            return f"it comes in {len(set(groups))} instances, fewer than {FEWEST}"
        return Variable(name, np.array(values, float), (), np.ones(len(values), bool))
    if len(distinct) > MOST_CLASSES:
        return f"it has {len(distinct)} classes"
    texts = [json.dumps(v) for v in values]
    per_class = Counter(text for text, _ in {(t, g) for t, g in zip(texts, groups, strict=True)})
    classes = tuple(sorted(c for c, n in per_class.items() if n >= LEAST))
    if len(classes) < 2:
        return f"fewer than two of its classes come in {LEAST} instances"
    kept = np.array([t in classes for t in texts])
    there = len({g for g, k in zip(groups, kept, strict=True) if k})
    if there < FEWEST:
        return f"its common classes come in {there} instances, fewer than {FEWEST}"
    numbers_of = np.array([classes.index(t) if t in classes else -1 for t in texts])
    return Variable(name, numbers_of, classes, kept)


def _partition(variable: Variable) -> tuple:
    """Equal for two variables that split the problems in the same way."""
    if not variable.classes:
        return tuple(variable.values.tolist())
    first: dict[int, int] = {}
    return tuple(first.setdefault(int(v), len(first)) for v in variable.values)
