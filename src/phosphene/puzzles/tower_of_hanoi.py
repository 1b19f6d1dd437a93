"""Tower of Hanoi: three rods with disks, a starting configuration above an ending one."""

from __future__ import annotations

import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._picture import (
    away,
    beside,
    page_colour,
    pieces,
    repainted,
    shrink,
    stability,
)
from phosphene.verdict import Part, Verdict

# Rods from left to right; on each the disks from bottom to top, 1 is the smallest.
Rods = tuple[tuple[int, ...], ...]
# The search visits up to 3 ** disks configurations.
MOST_DISKS = 10
# Levels of 255 by which the lightest disk must differ from the page.
CONTRAST = 36


class TowerOfHanoi(Puzzle):
    """The fewest moves from the upper configuration to the lower one.

    Read: `start` and `end`, each three lists of disks from bottom to top, 1 for the smallest;
    `split`, the height between the two as a share of the picture's.

    Judged: the last frame's upper rods must hold what the lower rods show (answer); no disk may be
    gained or lost and the lower rods must stay (givens); each configuration that can be read on the
    way must follow from the one before in as many legal moves as there are frames between them, or
    fewer (process; not judged on an image). How many moves it took in all isn't judged.
    """

    name: ClassVar[str] = "tower_of_hanoi"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1000)
        start, end, split = _configurations(small)
        return {"start": _lists(start), "end": _lists(end), "split": split / len(small)}

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        way = _shortest(_rods(parsed["start"]), _rods(parsed["end"]))
        return {
            "start_position": parsed["start"],
            "end_position": parsed["end"],
            "num_moves": len(way) - 1,
            "positions": [_lists(rods) for rods in way],
        }

    def answer(self, parsed: Mapping[str, Any], item: PackItem) -> str | None:
        ask = item.prompt.lower()
        disks = sum(len(rod) for rod in parsed["start"])
        said = re.search(r"(\d+) rods and (\d+) disks", ask)
        if said and (int(said[1]), int(said[2])) != (3, disks):
            raise Unreadable(f"the question speaks of {said[0]}, the picture shows {disks} disks")
        if not re.search(r"(minimum|least|smallest|fewest)[a-z ]* moves", ask):
            raise Unreadable("doesn't ask for the fewest moves")
        return str(self.solve(parsed)["num_moves"])

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        try:
            parsed = self.read(picture)
            shown, frames = beside(picture, clip)
            return _judge(parsed, shown, frames)
        except Unreadable as error:
            return Verdict("unreadable", reason=str(error))


def _configurations(small: np.ndarray) -> tuple[Rods, Rods, int]:
    """The upper and the lower rods, and the row halfway between them."""
    ink = away(small, page_colour(small)) > CONTRAST
    boards = [board for base in _bases(ink) if (board := _board(small, ink, *base)) is not None]
    if len(boards) != 2:
        raise Unreadable(f"{len(boards)} boards of three rods instead of two")
    (upper, upper_base), (lower, _) = boards
    sizes = [sorted(disk for rod in board for disk in rod) for board in (upper, lower)]
    if len(sizes[0]) != len(sizes[1]) or not sizes[0]:
        raise Unreadable(f"{len(sizes[0])} disks above, {len(sizes[1])} below")
    width = small.shape[1]
    for above, below in zip(*sizes, strict=True):
        if abs(above[0] - below[0]) > max(2, 0.006 * width):
            raise Unreadable("the disks above and below aren't of the same sizes")
        if np.abs(np.subtract(above[1:], below[1:])).max() > 48:
            raise Unreadable("disks of one size have two colours")
    for one, next_one in pairwise(sizes[0]):
        if next_one[0] - one[0] < max(3, 0.012 * width):
            raise Unreadable("two disks can't be told apart by their widths")
    start, end = (
        tuple(tuple(order.index(disk) + 1 for disk in rod) for rod in board)
        for board, order in zip((upper, lower), sizes, strict=True)
    )
    split = (upper_base + _top(ink, upper_base)) // 2
    return start, end, split


def _top(ink: np.ndarray, after: int) -> int:
    """The first row of rods under the upper board: below the widest gap in its columns."""
    rows = np.flatnonzero(ink[after:].any(1))
    gaps = np.diff(rows)
    return after + int(rows[int(gaps.argmax()) + 1]) if len(gaps) else len(ink)


def _bases(ink: np.ndarray) -> list[tuple[int, int, int]]:
    """Where each wide bar begins and ends, and the row from which on it may have rods above it."""
    w = ink.shape[1]
    wide = np.array([_longest(row) > 0.6 * w for row in ink])
    edges = np.flatnonzero(np.diff(np.concatenate([[0], wide.astype(int), [0]])))
    bars = [(int(a), int(b)) for a, b in zip(edges[::2], edges[1::2], strict=True)]
    return [(a, b, bars[i - 1][1] if i else 0) for i, (a, b) in enumerate(bars)]


def _longest(row: np.ndarray) -> int:
    """The longest run of true pixels."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], row.astype(int), [0]])))
    return int((edges[1::2] - edges[::2]).max()) if len(edges) else 0


Disk = tuple[float, ...]  # width in pixels, red, green, blue


def _board(
    small: np.ndarray, ink: np.ndarray, top: int, bottom: int, above: int
) -> tuple[list[list[Disk]], int] | None:
    """The disks on the three rods that stand on a bar, from bottom to top, and the bar's end.

    None where nothing stands on the bar.
    """
    from scipy import ndimage

    region = ndimage.binary_closing(np.pad(ink[above:bottom], 3), np.ones((5, 1)))[3:-3, 3:-3]
    labels, _ = pieces(region)
    centre = labels[(top + bottom) // 2 - above]
    standing = labels[: top - above] == np.bincount(centre[centre > 0]).argmax()
    rows = np.flatnonzero(standing.any(1))
    if len(rows) < 0.05 * len(ink) or not standing[-3:].any():
        return None
    tip = int(rows[0])
    reach = max(1, (len(standing) - tip) // 20)
    rod = standing[tip + 1 : tip + 1 + reach].all(0)
    edges = np.flatnonzero(np.diff(np.concatenate([[0], rod.astype(int), [0]])))
    rods = list(zip(edges[::2], edges[1::2], strict=True))
    if len(rods) != 3:
        raise Unreadable(f"{len(rods)} rods instead of three")
    middles = [(a + b) / 2 for a, b in rods]
    if abs(middles[2] + middles[0] - 2 * middles[1]) > 0.05 * (middles[2] - middles[0]):
        raise Unreadable("the rods aren't evenly spaced")
    thick = float(np.median([b - a for a, b in rods]))
    picture = small[above:top]
    return [_disks(standing, picture, round(m - 0.5), thick, tip) for m in middles], bottom


def _disks(standing: np.ndarray, picture: np.ndarray, x: int, thick: float, tip: int) -> list[Disk]:
    """The disks on the rod whose middle is column `x`, from bottom to top."""
    runs: list[list[tuple[int, int, int]]] = []  # of left, right, row
    for y in range(len(standing) - 1, tip, -1):
        row = standing[y]
        if not row[x]:
            raise Unreadable("a rod is broken")
        left = x - int(np.argmin(row[x::-1])) if not row[: x + 1].all() else -1
        right = x + int(np.argmin(row[x:])) if not row[x:].all() else len(row)
        if runs and max(abs(runs[-1][-1][0] - left), abs(runs[-1][-1][1] - right)) <= 2:
            runs[-1].append((left, right, y))
        else:
            runs.append([(left, right, y)])
    # A blurred edge makes a run of a row or two between two disks.
    lasting = [np.median(run, 0) for run in runs if len(run) > 2]
    rows = [len(run) for run in runs if len(run) > 2]
    count = sum(right - left - 1 > 1.4 * thick + 1 for left, right, _ in lasting)
    if any(right - left - 1 <= 1.4 * thick + 1 for left, right, _ in lasting[:count]):
        raise Unreadable("a disk doesn't rest on another or on the base")
    if count and max(rows[:count]) > 1.3 * min(rows[:count]) + 3:
        raise Unreadable("the disks aren't all of one height")
    found = []
    for (left, right, y), height in zip(lasting[:count], rows, strict=False):
        if abs(x - (left + right) / 2) > 3 + 0.03 * (right - left):
            raise Unreadable("a disk isn't centred on its rod")
        # Beside the rod, where a picture may show it before the disk.
        beyond = round(x + 0.3 * (right - left))
        core = slice(round(y - 0.2 * height), round(y + 0.2 * height) + 1)
        colour = np.median(picture[core, beyond - 1 : beyond + 2].reshape(-1, 3), 0)
        found.append((float(right - left - 1), *map(float, colour)))
    if any(a[0] <= b[0] for a, b in pairwise(found)):
        raise Unreadable("a disk lies on a smaller one")
    return found


def _rods(lists: list[list[int]]) -> Rods:
    return tuple(tuple(rod) for rod in lists)


def _lists(rods: Rods) -> list[list[int]]:
    return [list(rod) for rod in rods]


def _shortest(start: Rods, end: Rods) -> list[Rods]:
    """A shortest way from one configuration to another, both included (breadth first)."""
    if sum(map(len, start)) > MOST_DISKS:
        raise Unreadable(f"more than {MOST_DISKS} disks")
    before: dict[Rods, Rods | None] = {start: None}
    row = [start]
    while end not in before:
        after = []
        for rods in row:
            for moved in _moves(rods):
                if moved not in before:
                    before[moved] = rods
                    after.append(moved)
        row = after
    way: list[Rods] = [end]
    while (previous := before[way[-1]]) is not None:
        way.append(previous)
    return way[::-1]


def _moves(rods: Rods) -> list[Rods]:
    """Every configuration that one legal move leads to."""
    found = []
    for a in range(len(rods)):
        for b in range(len(rods)):
            if a != b and rods[a] and (not rods[b] or rods[b][-1] > rods[a][-1]):
                moved = list(rods)
                moved[a], moved[b] = rods[a][:-1], (*rods[b], rods[a][-1])
                found.append(tuple(moved))
    return found


def _judge(parsed: Mapping[str, Any], shown: np.ndarray, frames: np.ndarray) -> Verdict:
    start, end = _rods(parsed["start"]), _rods(parsed["end"])
    split = round(parsed["split"] * len(shown))
    below = np.zeros(shown.shape[:2], bool)
    below[split:] = True
    steady = stability(frames, shown, below)
    seen: list[tuple[int, Rods, Rods]] = []
    for k, frame in enumerate(frames):
        try:
            seen.append((k, *_configurations(frame)[:2]))
        except Unreadable as error:
            why = error
            if k == len(frames) - 1:
                return Verdict("unreadable", stability=steady, reason=f"the last frame: {why}")
    _, last, target = seen[-1]
    same = sorted(sum(last, ())) == sorted(sum(start, ()))
    kept = same and target == end and repainted(frames[-1], shown)[below].mean() < 0.03
    solved = same and last == end
    return Verdict(
        answer="passed" if solved else "failed",
        givens="passed" if kept else "failed",
        process=_legal(start, [(k, rods) for k, rods, _ in seen]) if same else "failed",
        stability=steady,
        reason="the upper rods hold the ending configuration"
        if solved
        else f"the upper rods hold {_lists(last)}, {_lists(end)} is right",
        evidence={"last": _lists(last)},
    )


def _legal(start: Rods, seen: list[tuple[int, Rods]]) -> Part:
    """Whether each configuration follows from the one before in at most a move a frame."""
    if len(seen) < 2:
        return "not judged"
    for (k, a), (j, b) in pairwise([(0, start), *seen]):
        if sorted(sum(a, ())) != sorted(sum(b, ())) or len(_shortest(a, b)) - 1 > max(j - k, 1):
            return "failed"
    return "passed"


COMPONENT = TowerOfHanoi
