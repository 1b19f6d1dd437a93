"""Grammar: prompts put together from atoms, so that one word can be exchanged at a time."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from phosphene.errors import PhospheneError

_SLOT = re.compile(r"\{([^{}]*)\}")
_DEEPEST = 20


@dataclass(frozen=True)
class Grammar:
    """A template with slots, and what may stand in each.

        Grammar("a {size} {colour} ball", {"size": ["small", "big"], "colour": ["red", "blue"]})

    A choice may hold slots itself. `{a}` twice in one template is one choice; `{a#2}` is a second
    one from the same list.

    Args:
        template: the whole prompt.
        words: slot -> its choices, at least one.

    Raises:
        PhospheneError: a slot without choices, or choices that lead back to themselves.
    """

    template: str
    words: Mapping[str, Sequence[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, choices in self.words.items():
            if isinstance(choices, str) or not choices:
                raise PhospheneError(f"slot {name!r} of the grammar wants a list of choices")
        for text in (self.template, *(c for cs in self.words.values() for c in cs)):
            for slot in _SLOT.findall(text):
                if _base(slot) not in self.words:
                    raise PhospheneError(
                        f"slot {{{slot}}} of the grammar has no choices; it knows "
                        f"{', '.join(self.words) or 'none'}"
                    )
        self._check_depth(self.template, ())

    def _check_depth(self, text: str, above: tuple[str, ...]) -> None:
        for slot in map(_base, _SLOT.findall(text)):
            if slot in above or len(above) > _DEEPEST:
                raise PhospheneError(f"slot {{{slot}}} of the grammar leads back to itself")
            for choice in self.words[slot]:
                self._check_depth(choice, (*above, slot))

    def derive(
        self, rng: np.random.Generator, kept: Mapping[str, str] | None = None
    ) -> tuple[str, dict[str, str]]:
        """A prompt and the atoms it was put together from.

        Args:
            rng: decides the slots that are open.
            kept: slot -> choice, used where the slot occurs.
        """
        atoms: dict[str, str] = {}

        def fill(text: str) -> str:
            def one(match: re.Match[str]) -> str:
                slot = match[1]
                if slot not in atoms:
                    choices = self.words[_base(slot)]
                    chosen = (kept or {}).get(slot)
                    known = chosen is not None and chosen in choices
                    atoms[slot] = chosen if known else str(choices[rng.integers(len(choices))])  # type: ignore[assignment]
                return fill(atoms[slot])

            return _SLOT.sub(one, text)

        return " ".join(fill(self.template).split()), atoms

    def mutate(
        self, atoms: Mapping[str, str], rng: np.random.Generator
    ) -> tuple[str, dict[str, str]]:
        """One slot exchanged for another choice; slots that fall away or open up follow."""
        free = [s for s in atoms if s in self._slots() and len(self.words[_base(s)]) > 1]
        if not free:
            return self.derive(rng, atoms)
        slot = free[rng.integers(len(free))]
        others = [c for c in self.words[_base(slot)] if c != atoms[slot]]
        return self.derive(rng, {**atoms, slot: str(others[rng.integers(len(others))])})

    def _slots(self) -> set[str]:
        texts = (self.template, *(c for cs in self.words.values() for c in cs))
        return {slot for text in texts for slot in _SLOT.findall(text)}

    @property
    def size(self) -> int:
        """How many different derivations there are, at most."""

        def count(text: str) -> int:
            out = 1
            for slot in dict.fromkeys(_SLOT.findall(text)):
                out *= sum(count(choice) for choice in self.words[_base(slot)])
            return out

        return count(self.template)


def _base(slot: str) -> str:
    return slot.partition("#")[0]
