"""Maze: black and white cells, a green arrow at the entry, a blue one at the exit."""

from __future__ import annotations

import heapq
import re
from collections.abc import Mapping
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.pack import PackItem, Puzzle, Unreadable
from phosphene.puzzles._picture import beside, box, change, shrink, stability
from phosphene.verdict import Verdict

Cell = tuple[int, int]  # row, column
STEPS = ((-1, 0), (0, 1), (1, 0), (0, -1))  # up, right, down, left: each one right of the last
MOST_CELLS = 61


class Maze(Puzzle):
    """A way over white cells between the two arrows: fewest cells, then fewest turns.

    Read: `cells` (1 is a wall), `entry`, `exit` as `[row, column]`, `box` (top, bottom, left,
    right of the grid as shares of the picture's height and width).

    Judged: the last frame must show one stroke, of any colour, from the entry's cell to the exit's
    over free cells, along a way of the fewest cells. Walls must stay (givens), no stroke may enter
    one (process), and the walls must hold still in all frames (stability).
    """

    name: ClassVar[str] = "maze"

    def read(self, picture: np.ndarray) -> dict[str, Any]:
        small = shrink(picture, 1000).astype(np.int16)
        h, w = small.shape[:2]
        most, least = small.max(-1), small.min(-1)
        dark = most < 100
        frame = box(dark, max(3, min(h, w) // 50))
        if frame is None:
            raise Unreadable("no black walls")
        cells = _cells(dark, least > 150, frame)
        ends = {name: _arrow(small, channel, frame, cells) for name, channel in ARROWS.items()}
        top, bottom, left, right = frame
        parsed = {
            "cells": cells.astype(int).tolist(),
            **{name: list(cell) for name, cell in ends.items()},
            "box": [top / h, bottom / h, left / w, right / w],
        }
        if _fewest(parsed) is None:
            raise Unreadable("no way leads from the entry to the exit")
        return parsed

    def solve(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        best = _optimal(parsed)
        if len(best) > 1:
            raise Unreadable("two or more ways are equally short and have as few turns")
        left, right = _turns(best[0])
        return {
            "optimal_path": [list(cell) for cell in best[0]],
            "optimal_path_length": len(best[0]),
            "left_turns": left,
            "right_turns": right,
            "total_turns": left + right,
        }

    def answer(self, parsed: Mapping[str, Any], item: PackItem) -> str | None:
        ask = item.prompt.lower()
        size = re.search(r"(\d+)\s*[*x×]\s*(\d+)\s+cells", ask)
        seen = (len(parsed["cells"]), len(parsed["cells"][0]))
        if size and (int(size[1]), int(size[2])) != seen:
            raise Unreadable(f"the question speaks of {size[0]}, the picture shows {seen}")
        question = ask[ask.rstrip("? ").rfind(".") + 1 :]
        left, right = "left turn" in question, "right turn" in question
        if "left and right turn" in question or "total turns" in question or (left and right):
            key = "total_turns"
        elif left or right:
            key = "left_turns" if left else "right_turns"
        elif "cells" in question:
            key = "optimal_path_length"
        else:
            raise Unreadable("asks for neither turns nor cells")
        return str(self.solve(parsed)[key])

    def judge(self, picture: np.ndarray, clip: Clip, item: PackItem | None = None) -> Verdict:
        try:
            parsed = self.read(picture)
            shown, frames = beside(picture, clip)
            return _judge(parsed, shown, frames)
        except Unreadable as error:
            return Verdict("unreadable", reason=str(error))


ARROWS = {"entry": 1, "exit": 2}  # colour channel that stands out: green, blue


def _cells(dark: np.ndarray, light: np.ndarray, frame: tuple[int, int, int, int]) -> np.ndarray:
    """Bool `(rows, columns)`: the coarsest grid whose cells are all clearly black or white."""
    from scipy.ndimage import maximum_filter, minimum_filter

    top, bottom, left, right = frame
    dark, light = dark[top:bottom, left:right], light[top:bottom, left:right]
    h, w = dark.shape
    for columns in range(3, MOST_CELLS + 1):
        side = w / columns
        rows = round(h / side)
        if rows < 3 or abs(h / side - rows) > 0.2 or side < 5:
            continue
        ink = _shares(dark, rows, columns)
        if ((ink > 0.04) & (ink < 0.96)).any():
            continue
        walls = ink > 0.5
        paper = _shares(light, rows, columns)[~walls]
        if not len(paper) or paper.min() < 0.55:
            raise Unreadable("cells that are neither black nor white")
        ys = np.minimum((np.arange(h) * rows / h).astype(int), rows - 1)
        xs = np.minimum((np.arange(w) * columns / w).astype(int), columns - 1)
        wanted = walls[ys][:, xs]
        # A pixel more or less at a wall's edge comes of scaling.
        sure = minimum_filter(wanted, 3) == maximum_filter(wanted, 3)
        if (wanted != dark)[sure].mean() > 0.02:
            raise Unreadable("the walls don't lie on a square grid")
        return walls
    raise Unreadable("no grid of black and white cells")


def _shares(mask: np.ndarray, rows: int, columns: int, inset: float = 0.16) -> np.ndarray:
    """Share of true pixels in every cell's middle, float `(rows, columns)`."""
    h, w = mask.shape[0] / rows, mask.shape[1] / columns
    total = np.pad(mask.astype(np.int32).cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    ys = np.array([[(r + inset) * h, (r + 1 - inset) * h] for r in range(rows)]).round().astype(int)
    xs = np.array([[(c + inset) * w, (c + 1 - inset) * w] for c in range(columns)])
    xs = xs.round().astype(int)
    count = (
        total[ys[:, 1]][:, xs[:, 1]]
        - total[ys[:, 0]][:, xs[:, 1]]
        - total[ys[:, 1]][:, xs[:, 0]]
        + total[ys[:, 0]][:, xs[:, 0]]
    )
    return count / ((ys[:, 1] - ys[:, 0])[:, None] * (xs[:, 1] - xs[:, 0])[None])


def _arrow(
    small: np.ndarray, channel: int, frame: tuple[int, int, int, int], cells: np.ndarray
) -> Cell:
    """The one border cell that holds the pixels in which one colour channel stands out."""
    others = [c for c in range(3) if c != channel]
    strong = small[..., channel] - small[..., others].max(-1) > 50
    word = "green" if channel == 1 else "blue"
    ys, xs = np.nonzero(strong)
    if not len(ys):
        raise Unreadable(f"no {word} arrow")
    top, bottom, left, right = frame
    rows = np.floor((ys - top) / (bottom - top) * cells.shape[0]).astype(int)
    columns = np.floor((xs - left) / (right - left) * cells.shape[1]).astype(int)
    inside = (rows >= 0) & (rows < cells.shape[0]) & (columns >= 0) & (columns < cells.shape[1])
    keys, counts = np.unique(rows[inside] * 1000 + columns[inside], return_counts=True)
    if not len(keys) or counts.max() < 0.8 * len(ys):
        raise Unreadable(f"the {word} arrow doesn't lie in one cell")
    row, column = divmod(int(keys[counts.argmax()]), 1000)
    if counts.max() < 0.01 * (bottom - top) * (right - left) / cells.size:
        raise Unreadable(f"the {word} arrow is too small")
    if cells[row, column]:
        raise Unreadable(f"the {word} arrow lies in a wall")
    if row not in (0, cells.shape[0] - 1) and column not in (0, cells.shape[1] - 1):
        raise Unreadable(f"the {word} arrow doesn't lie at the maze's edge")
    return row, column


def _neighbours(cells: list[list[int]], cell: Cell) -> list[Cell]:
    around = [(cell[0] + dr, cell[1] + dc) for dr, dc in STEPS]
    return [
        (r, c)
        for r, c in around
        if 0 <= r < len(cells) and 0 <= c < len(cells[0]) and not cells[r][c]
    ]


def _fewest(parsed: Mapping[str, Any]) -> int | None:
    """Cells on the shortest way, both ends included; None where there is no way."""
    ways = _optimal(parsed)
    return len(ways[0]) if ways else None


def _optimal(parsed: Mapping[str, Any]) -> list[list[Cell]]:
    """Up to two ways of the fewest cells and, of these, the fewest turns (Dijkstra)."""
    cells, start, goal = parsed["cells"], tuple(parsed["entry"]), tuple(parsed["exit"])
    queue: list[tuple[int, int, list[Cell]]] = [(1, 0, [start])]
    cost: dict[tuple[Cell, Cell], tuple[int, int]] = {}
    seen: dict[tuple[Cell, Cell], int] = {}
    best: list[list[Cell]] = []
    bound: tuple[int, int] | None = None
    while queue:
        length, turns, way = heapq.heappop(queue)
        if bound is not None and (length, turns) > bound:
            break
        if way[-1] == goal:
            bound = (length, turns)
            best.append(way)
            continue
        # A second way of equal cost to one state is enough to know that the way isn't unique.
        state = (way[-1], _step(way))
        if cost.setdefault(state, (length, turns)) != (length, turns) or seen.get(state, 0) > 1:
            continue
        seen[state] = seen.get(state, 0) + 1
        for cell in _neighbours(cells, way[-1]):
            if cell not in way[-2:-1]:
                longer = [*way, cell]
                turned = len(way) > 1 and _step(longer) != _step(way)
                heapq.heappush(queue, (length + 1, turns + turned, longer))
    return best[:2]


def _step(way: list[Cell]) -> Cell:
    """The last step's direction, (0, 0) at the start."""
    if len(way) < 2:
        return 0, 0
    return way[-1][0] - way[-2][0], way[-1][1] - way[-2][1]


def _turns(way: list[Cell]) -> tuple[int, int]:
    """Left and right turns, as somebody who walks the way would count them."""
    steps = [STEPS.index((b[0] - a[0], b[1] - a[1])) for a, b in pairwise(way)]
    turned = [(b - a) % 4 for a, b in pairwise(steps)]
    return turned.count(3), turned.count(1)


def _judge(parsed: Mapping[str, Any], shown: np.ndarray, frames: np.ndarray) -> Verdict:
    walls = np.array(parsed["cells"], bool)
    h, w = shown.shape[:2]
    share = parsed["box"]
    top, bottom, left, right = (round(s * n) for s, n in zip(share, (h, h, w, w), strict=True))
    rows, columns = walls.shape
    side = (right - left) / columns
    if side < 5:
        return Verdict("unreadable", reason=f"cells of {side:.1f} pixels are too small to judge")
    ink = change(frames[-1], shown)[top:bottom, left:right] > 72
    share_inked = _shares(ink, rows, columns)
    entered = {(int(r), int(c)) for r, c in np.argwhere(walls & (share_inked > 0.12))}
    visited = {(int(r), int(c)) for r, c in np.argwhere(~walls & (share_inked > 0.04))}
    edges = {
        (a, b)
        for a in visited
        for b in _neighbours(parsed["cells"], a)
        if a < b and b in visited and _crossed(ink, a, b, rows, columns)
    }
    fewest = _fewest(parsed)
    way = _simple_path(edges, visited, tuple(parsed["entry"]), tuple(parsed["exit"]))
    if not visited:
        reason = "no path drawn"
    elif way is None:
        reason = f"{len(visited)} cells drawn, not one way from the entry to the exit"
    elif len(way) != fewest:
        reason = f"a way of {len(way)} cells; {fewest} are enough"
    else:
        reason = f"the way of {fewest} cells is drawn"
    ys, xs = np.mgrid[0:h, 0:w]
    r = ((ys - top) * rows // max(bottom - top, 1)).clip(0, rows - 1)
    c = ((xs - left) * columns // max(right - left, 1)).clip(0, columns - 1)
    inside = (ys >= top) & (ys < bottom) & (xs >= left) & (xs < right)
    still = inside & walls[r, c]
    kept = not any(share_inked[cell] > 0.5 for cell in entered)
    return Verdict(
        answer="passed" if way is not None and len(way) == fewest else "failed",
        givens="passed" if kept else "failed",
        process="failed" if entered else "passed",
        stability=stability(frames, shown, still),
        reason=reason + (f"; {len(entered)} wall cells entered" if entered else ""),
        evidence={
            "visited": sorted(map(list, visited)),
            "walls_entered": sorted(map(list, entered)),
        },
    )


def _crossed(ink: np.ndarray, a: Cell, b: Cell, rows: int, columns: int) -> bool:
    """Whether ink runs over the border between two neighbours, a above or left of b."""
    h, w = ink.shape[0] / rows, ink.shape[1] / columns
    reach = max(1, round(min(h, w) * 0.12))
    if a[0] == b[0]:
        x, y0, y1 = round(b[1] * w), round(a[0] * h), round((a[0] + 1) * h)
        return bool(ink[y0:y1, x - reach : x + reach].all(1).any())
    y, x0, x1 = round(b[0] * h), round(a[1] * w), round((a[1] + 1) * w)
    return bool(ink[y - reach : y + reach, x0:x1].all(0).any())


def _simple_path(
    edges: set[tuple[Cell, Cell]], visited: set[Cell], start: Cell, goal: Cell
) -> list[Cell] | None:
    """The visited cells in order, None unless they form one unbranched way from start to goal."""
    beside_: dict[Cell, list[Cell]] = {cell: [] for cell in visited}
    for a, b in edges:
        beside_[a].append(b)
        beside_[b].append(a)
    if start not in visited or goal not in visited:
        return None
    way = [start]
    while way[-1] != goal:
        ahead = [cell for cell in beside_[way[-1]] if cell not in way]
        if len(ahead) != 1:
            return None
        way.append(ahead[0])
    return way if len(way) == len(visited) and len(edges) == len(way) - 1 else None


COMPONENT = Maze
