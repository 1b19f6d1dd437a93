"""The one exception people see: what is wrong, where, and how to mend it, on one line."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


class PhospheneError(ValueError):
    """A mistake the caller can mend. The command line prints it as one line and exits with 2."""


def unknown(kind: str, name: str, names: Iterable[str], hint: str = "") -> PhospheneError:
    """Build the error for a name that is not among `names`, offering the nearest ones.

    Args:
        kind: what was looked up, e.g. `"backbone"`.
        name: the name that was given.
        names: the names that exist.
        hint: one more clause, for other ways to mend it.
    """
    names = sorted(names)
    near = difflib.get_close_matches(name, names, n=3, cutoff=0.5)
    offer = f"did you mean {' or '.join(near)}?" if near else f"known: {', '.join(names) or 'none'}"
    return PhospheneError(f"unknown {kind} {name!r}; {offer}{' ' + hint if hint else ''}")
