"""Asked: what a tap is to read and to replace, and what has come of it in the run at hand."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch

from phosphene.errors import PhospheneError
from phosphene.tap.address import MAP_SITES, STEP_SITES, Address, Edit, Read
from phosphene.tap.layout import Layout
from phosphene.tap.maps import Mass
from phosphene.tap.reduce import Keep, Reducer


class Asked:
    """Reads and edits, by site.

    Attributes:
        values: address -> what was kept.
        sites: those that something is asked of.

    Raises:
        PhospheneError: two reads of one place, or a reducer that its site has nothing for.
    """

    def __init__(self, reads: Sequence[Read], edits: Sequence[Edit]) -> None:
        self.all: list[Read | Edit] = [*reads, *edits]
        self.sites = {a.site for a in self.all}
        self.values: dict[Address, torch.Tensor] = {}
        self._fired: set[int] = set()
        self._reads: dict[str, list[tuple[int, Read, Reducer]]] = {}
        self._edits: dict[str, list[tuple[int, Edit]]] = {}
        for i, read in enumerate(reads):
            _check(read, reads[:i])
            whole = Mass() if read.site in MAP_SITES else Keep()
            self._reads.setdefault(read.site, []).append((i, read, read.reduce or whole))
        for i, edit in enumerate(edits, len(reads)):
            self._edits.setdefault(edit.site, []).append((i, edit))

    def start(self) -> None:
        """A run begins."""
        self.values = {}
        self._fired.clear()

    def at(self, address: Address) -> bool:
        """Whether anything is asked here."""
        asked = (*self._reads.get(address.site, ()), *self._edits.get(address.site, ()))
        return any(a[1].wants(address) for a in asked)

    def edits(self, address: Address) -> bool:
        """Whether anything is to be replaced here."""
        return any(edit.wants(address) for _, edit in self._edits.get(address.site, ()))

    def sees_layout(self, sites: Sequence[str]) -> bool:
        """Whether a reducer at one of the sites looks at the tokens' places."""
        return any(r.sees_layout for s in sites for _, _, r in self._reads.get(s, ()))

    def edited(self, value: torch.Tensor, address: Address) -> torch.Tensor:
        """The value after all edits; the same object where there are none."""
        for i, edit in self._edits.get(address.site, ()):
            if edit.wants(address):
                self._fired.add(i)
                value = edit.apply(value, address)
        return value

    def keep(
        self, address: Address, make: Callable[[], Any], layout: Layout | None, more: bool = False
    ) -> None:
        """Reduce and keep a value, if it is asked for.

        Args:
            make: gives the value.
            layout: of its tokens; None where that isn't known.
            more: it holds the samples that follow those kept at this address already.
        """
        for i, read, reduce in self._reads.get(address.site, ()):
            if not read.wants(address) or _passes_by(read, reduce, layout):
                continue
            self._fired.add(i)
            with torch.no_grad():
                kept = reduce(make(), layout, address)
            if kept is not None:
                before = [self.values[address]] if more and address in self.values else []
                self.values[address] = torch.cat([*before, kept]) if before else kept

    def silent(self, step: int | None = None) -> Read | Edit | None:
        """Something that nothing has passed so far, if there is such.

        Args:
            step: only what should have come by the end of this step; None for the whole run.
        """
        for i, asked in enumerate(self.all):
            due = step is None or (
                asked.layers is None
                and asked.branches is None
                and (asked.steps is None or step in asked.steps)
                and not (isinstance(asked, Edit) and asked.site == "x_t")
            )
            if due and i not in self._fired:
                return asked
        return None


def _check(read: Read, before: Sequence[Read]) -> None:
    if any(read.meets(other) for other in before):
        raise PhospheneError(
            f"two reads of {read.site!r} meet in one place, which keeps one value; part them by "
            f"layers, steps or branches, or tap twice"
        )
    if read.reduce is None:
        return
    kind = type(read.reduce).__name__
    if read.reduce.of_maps != (read.site in MAP_SITES):
        fit = "Mass or FrameMass" if read.site in MAP_SITES else "Keep, Mean or Frames"
        raise PhospheneError(f"{kind} does not reduce what {read.site!r} holds; use {fit}")
    if read.reduce.needs_layout and read.site in STEP_SITES:
        raise PhospheneError(f"{kind} reduces tokens; {read.site!r} is a sample: use Keep")


def _passes_by(read: Read, reduce: Reducer, layout: Layout | None) -> bool:
    """Does a read of all layers leave this one out, because it holds no picture?"""
    return reduce.needs_layout and layout is None and read.layers is None
