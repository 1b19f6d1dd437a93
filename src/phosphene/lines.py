"""Lines on a grid of cells: the order they are drawn in, and whether one has grown or jumped."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from math import ceil

import numpy as np

from phosphene.draw import blend, capsule

Cell = tuple[int, int]  # row, column
Step = tuple[Cell, Cell]
Piece = Sequence[Sequence[int]]  # steps [row, column, row, column] that hang together


def route(piece: Piece, starts: Collection[Cell]) -> list[Step]:
    """The steps of a piece in the order a pen takes them: on from a start, branches one by one."""
    beside: dict[Cell, list[Cell]] = {}
    for r0, c0, r1, c1 in piece:
        beside.setdefault((r0, c0), []).append((r1, c1))
        beside.setdefault((r1, c1), []).append((r0, c0))
    tips = [c for c in beside if len(beside[c]) == 1]
    first = next((c for c in [*starts, *tips] if c in beside), next(iter(beside)))
    steps, done = [], set()
    todo = [(first, b) for b in reversed(beside[first])]
    while todo:
        a, b = todo.pop()
        if frozenset((a, b)) in done:
            continue
        done.add(frozenset((a, b)))
        steps.append((a, b))
        todo += [(b, c) for c in reversed(beside[b])]
    return steps


def along(step: tuple[tuple[float, float], tuple[float, float]], t: float) -> tuple[float, float]:
    """The point a share `t` (0..1) of the way from the step's first point to its second."""
    (x0, y0), (x1, y1) = step
    return (x1, y1) if t >= 1 else (x0 + t * (x1 - x0), y0 + t * (y1 - y0))


def stroke(
    picture: np.ndarray,
    ends: tuple[tuple[float, float], tuple[float, float]],
    radius: float,
    ink: np.ndarray,
) -> None:
    """Paint a round-ended stroke, in place, looking only at the box around it; pixels."""
    (x0, y0), (x1, y1) = ends
    left, top = (max(int(min(a, b) - radius - 1), 0) for a, b in ((x0, x1), (y0, y1)))
    right, bottom = (int(max(a, b) + radius + 2) for a, b in ((x0, x1), (y0, y1)))
    area = picture[top:bottom, left:right]
    side = max(area.shape[:2])
    cover = capsule(side, (x0 - left, y0 - top), (x1 - left, y1 - top), radius)
    area[:] = blend(area, cover[: area.shape[0], : area.shape[1]], ink)


def simple_path(piece: Piece, start: Cell, goal: Cell) -> bool:
    """Whether the steps make one way from start to goal, without branches, loops or gaps."""
    if not piece:
        return False
    steps = route(piece, [start])
    cells = [start, *(b for _, b in steps)]
    chained = all(a == b for (a, _), b in zip(steps, cells, strict=False))
    return chained and cells[-1] == goal and len(set(cells)) == len(cells) == len(piece) + 1


def jump(shown: Sequence[Sequence[Piece] | None], ends: Collection[Cell]) -> str:
    """What is wrong with the way lines came about; empty where they have grown.

    Every piece hangs on one of `ends` at all times; no more than one step that was there is ever
    missing again; no frame adds more than a third of all steps (two steps at least, and never all
    of them).

    Args:
        shown: the pieces that each frame shows, None where there are none.
        ends: the cells that lines may begin in.
    """
    sets = [{tuple(s) for piece in pieces or () for s in piece} for pieces in shown]
    total = len(sets[-1])
    limit = min(max(2, ceil(total / 3)), max(total - 1, 1))
    before: set = set()
    for k, (now, pieces) in enumerate(zip(sets, shown, strict=True)):
        for piece in pieces or ():
            if not any((s[i], s[i + 1]) in ends for s in piece for i in (0, 2)):
                return f"frame {k}: ink away from the ends"
        if len(before - now) > 1:
            return f"frame {k}: {len(before - now)} steps are erased"
        if len(now - before) > limit:
            return f"frame {k}: {len(now - before)} of {total} steps at once"
        before = now | before if len(before - now) == 1 else now
    return ""
