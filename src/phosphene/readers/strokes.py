"""Strokes: which cells of a grid a drawn line links, whatever its width and looks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy import ndimage

STUB = 0.35  # how far into a cell, in cells, a line may poke without counting as there
SOFT = (0.0, 0.6, 1.0, 1.4)  # blurs in pixels that are told from ink

Edge = tuple[int, int, int, int]  # row, column, row, column of two cells, the smaller one first


def edge(a: Sequence[int], b: Sequence[int]) -> Edge:
    """The step between two cells, the same in both directions."""
    (r0, c0), (r1, c1) = sorted(((int(a[0]), int(a[1])), (int(b[0]), int(b[1]))))
    return r0, c0, r1, c1


@dataclass(frozen=True)
class Grid:
    """Square cells, n along a side, with `margin` (a share of the picture's side) around them."""

    n: int
    margin: float

    def lines(self, size: int) -> np.ndarray:
        """The first pixel of each row (or column) of cells and the end of the last, `(n + 1,)`."""
        ends = size * (self.margin + (1 - 2 * self.margin) * np.arange(self.n + 1) / self.n)
        return np.rint(ends).astype(int)

    def which(self, size: int) -> np.ndarray:
        """The row (or column) of cells that each pixel belongs to, `(size,)`, -1 outside."""
        index = np.searchsorted(self.lines(size), np.arange(size), "right") - 1
        return np.where(index < self.n, index, -1)

    def side(self, size: int) -> float:
        """Of a cell, in pixels."""
        return size * (1 - 2 * self.margin) / self.n

    def centre(self, cell: Sequence[int], size: float) -> tuple[float, float]:
        """x, y in pixels of a cell's middle."""
        side = size * (1 - 2 * self.margin) / self.n
        return size * self.margin + (cell[1] + 0.5) * side, size * self.margin + (
            cell[0] + 0.5
        ) * side


def symbols(found: Sequence[Piece]) -> list[list[list[int]]]:
    """Pieces as an answer: sorted lists of steps; ink within one cell is a step on the spot."""
    return sorted(
        [list(e) for e in sorted(piece.edges)] or [[*cell, *cell] for cell in sorted(piece.cells)]
        for piece in found
    )


class Piece(NamedTuple):
    """Ink that hangs together: the steps it takes, the cells it is in, the anchors it touches."""

    edges: frozenset[Edge]
    cells: frozenset[tuple[int, int]]
    anchors: frozenset[int]


def softened(frames: np.ndarray, first: np.ndarray) -> np.ndarray:
    """The first frame, as much blurred as each frame is: int16 `(n, s, s, 3)`.

    Of the blurs in `SOFT` the one that leaves the least difference in green, so that soft edges of
    what was given are not taken for ink.
    """
    sharp = first.astype(np.float32)
    blurred = [sharp if not s else ndimage.gaussian_filter(sharp, (s, s, 0)) for s in SOFT]
    views = np.stack(blurred).round().astype(np.int16)
    green = frames[..., 1].astype(np.int16)
    cost = [np.minimum(np.abs(green - view[..., 1]), 80).mean((1, 2)) for view in views]
    return views[np.argmin(cost, 0)]


def distance(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """The difference in the channel where two pictures `(..., 3)` differ most."""
    away = np.abs(a - b)
    return np.maximum(np.maximum(away[..., 0], away[..., 1]), away[..., 2])


def solid(strength: np.ndarray, high: float, low: float) -> np.ndarray:
    """Where `strength` `(n, s, s)` is above `low` and hangs together with some above `high`."""
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = True
    labels, count = _labelled(strength > low, structure)
    strong = np.zeros(count + 1, bool)
    strong[labels[strength > high]] = True
    strong[0] = False
    return strong[labels]


def pieces(
    mask: np.ndarray,
    grid: Grid,
    anchors: Sequence[np.ndarray] = (),
    links: Iterable[tuple[int, tuple[int, int], tuple[int, int]]] = (),
) -> list[list[Piece]]:
    """What the ink of each frame links, stubs and specks left out.

    A step between two cells is taken where ink crosses their border, at least `STUB` of a cell deep
    on both sides. Ink that enters an anchor's cell is only there once it touches the anchor.

    Args:
        mask: bool `(n, s, s)`, the ink.
        grid: the cells.
        anchors: bool `(s, s)` each within one cell: dots that lines begin and end at.
        links: (frame, (y, x), (y, x)) pixels of ink that hang together though they don't touch.
    """
    size = mask.shape[1]
    lines, which = grid.lines(size), grid.which(size)
    mask = mask.copy()
    for anchor in anchors:
        mask[:, anchor] = True
    mask[:, which < 0] = mask[:, :, which < 0] = False
    labels = _label_by_cell(mask, lines[1:-1])
    boxes = ndimage.find_objects(labels)
    middle = [((b[1].start + b[1].stop) // 2, (b[2].start + b[2].stop) // 2) for b in boxes]
    cell = [(int(which[y]), int(which[x])) for y, x in middle]
    frame = [b[0].start for b in boxes]
    area = np.bincount(labels.ravel(), minlength=len(boxes) + 1)
    touch: dict[int, set[int]] = {}
    for k, anchor in enumerate(anchors):
        for label in np.unique(labels[:, anchor]):
            touch.setdefault(int(label), set()).add(k)
    beside: dict[int, set[int]] = {i: set() for i in range(1, len(boxes) + 1)}
    pairs = _across(labels, lines[1:-1])
    jumps = [(int(labels[f, *a]), int(labels[f, *b])) for f, a, b in links]
    for a, b in [*pairs, *jumps]:
        # Cells that meet at a corner only are no neighbours.
        if a and b and sum(abs(i - j) for i, j in zip(cell[a - 1], cell[b - 1], strict=True)) == 1:
            beside[a].add(b)
            beside[b].add(a)
    ends = {cell[label - 1] for label in touch}
    # Soft edges of a wide line reach two pixels (of 64) further than it does.
    depth = max(STUB * grid.side(size), 2.5 * max(size / 64, 1))
    _prune(beside, boxes, cell, touch, ends, lines, depth)
    least = speck(grid, size)
    found: list[list[Piece]] = [[] for _ in range(len(mask))]
    seen: set[int] = set()
    for label in beside:
        if label in seen:
            continue
        group = _group(label, beside)
        seen |= group
        steps = {edge(cell[a - 1], cell[b - 1]) for a in group for b in beside[a]}
        held = frozenset(k for a in group for k in touch.get(a, ()))
        # A stroke that has not left its anchor's cell says nothing yet.
        if steps or (not held and cell[label - 1] not in ends and area[label] >= least):
            cells = frozenset(cell[a - 1] for a in group)
            found[frame[label - 1]].append(Piece(frozenset(steps), cells, held))
    return found


def _labelled(mask: np.ndarray, structure: np.ndarray) -> tuple[np.ndarray, int]:
    found: Any = ndimage.label(mask, structure)
    return found


def speck(grid: Grid, size: int) -> float:
    """The area in pixels below which ink on its own says nothing."""
    return max(4.0, (0.3 * grid.side(size)) ** 2)


def _label_by_cell(mask: np.ndarray, cuts: np.ndarray) -> np.ndarray:
    """Labels of the ink that hangs together within one cell of one frame."""
    structure = np.zeros((3, 3, 3), bool)
    structure[1] = True
    apart = np.insert(np.insert(mask, cuts, False, axis=1), cuts, False, axis=2)
    labels, _ = _labelled(apart, structure)
    added = cuts + np.arange(len(cuts))
    return np.delete(np.delete(labels, added, axis=1), added, axis=2)


def _across(labels: np.ndarray, cuts: np.ndarray) -> list[tuple[int, int]]:
    """Pairs of labels that touch across a border between cells, also by a corner."""
    size = labels.shape[1]
    found = []
    for turned in (labels, labels.transpose(0, 2, 1)):
        before, after = turned[:, cuts - 1], turned[:, cuts]
        for shift in (-1, 0, 1):
            a = before[..., max(shift, 0) : size + min(shift, 0)]
            b = after[..., max(-shift, 0) : size - max(shift, 0)]
            both = (a > 0) & (b > 0)
            found.append(np.stack([a[both], b[both]], -1))
    return [(int(a), int(b)) for a, b in np.unique(np.concatenate(found), axis=0)]


def _prune(
    beside: dict[int, set[int]],
    boxes: list,
    cell: list[tuple[int, int]],
    touch: dict[int, set[int]],
    ends: set[tuple[int, int]],
    lines: np.ndarray,
    depth: float,
) -> None:
    """Take away, in place, ends of lines that hardly enter their cell or miss its anchor."""
    todo = [a for a in beside if len(beside[a]) == 1 and a not in touch]
    while todo:
        a = todo.pop()
        if a not in beside or len(beside[a]) != 1:
            continue
        (b,) = beside[a]
        if (
            cell[a - 1] not in ends
            and _depth(boxes[a - 1], cell[a - 1], cell[b - 1], lines) >= depth
        ):
            continue
        del beside[a]
        beside[b].discard(a)
        if len(beside[b]) == 1 and b not in touch:
            todo.append(b)


def _depth(
    box: tuple[slice, slice, slice],
    here: tuple[int, int],
    there: tuple[int, int],
    lines: np.ndarray,
) -> float:
    """How far ink reaches into its cell from the border with the cell it came from, in pixels."""
    axis = 0 if here[0] != there[0] else 1
    span = box[1 + axis]
    if here[axis] > there[axis]:
        return span.stop - lines[here[axis]]
    return lines[here[axis] + 1] - span.start


def _group(start: int, beside: dict[int, set[int]]) -> set[int]:
    group, todo = {start}, [start]
    while todo:
        for b in beside[todo.pop()] - group:
            group.add(b)
            todo.append(b)
    return group
