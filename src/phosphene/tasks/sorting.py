"""Sorting: bars are lifted out and put back in order of height; a moving bar sounds its height."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend
from phosphene.errors import PhospheneError
from phosphene.readers.blobs import Solid, hues, measure, name_colours, opened, uncast
from phosphene.sound import finish, mix, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "sort the bars by height, the shortest on the left; move one bar at a time",
    "lift the bars over each other until they stand in ascending order from left to right",
    "put the bars in order of size, small to large; bars keep their colour, nothing else changes",
)
FLOOR = 58 / 64  # where bars stand, as a share of the side
LIFT = 27 / 64  # how high a bar is lifted to pass over the others
MARGIN = 4 / 64
LOWEST, TALLEST = 4, 25  # heights in 64ths of the side
SLACK = 3.4 / 64  # how far a height may be off
FOREIGN = 0.006  # share of the picture that may be neither bar nor floor nor paper
LEAP = 0.8  # share of the way that one frame may bring
FLOOR_INK = (110.0, 110.0, 110.0)


@dataclass(frozen=True)
class Sorting(Task):
    """Bars of different heights and colours; shortest left, tallest right.

    The film moves no more bars than it must (those outside a longest run that is in order already).
    Heights are 64ths of the side: 4,800 instances at 3 bars, 10^7 and more from 5 on; one in ten
    (the heights from left to right) is held out.

    Args:
        bars: 3..8.
        gap: least difference between two heights in 64ths of the side, 2..7.
        variety: 0 for fixed colours, 1 for free ones.
    """

    bars: int = 5
    gap: int = 3
    variety: float = 1.0
    name: ClassVar[str] = "sorting"
    LADDER = (
        {"bars": 3, "gap": 5},
        {"bars": 4, "gap": 4},
        {"bars": 5, "gap": 3},
        {"bars": 6, "gap": 3},
        {"bars": 8, "gap": 2},
    )
    PROCESS = True
    VARIATIONS = ("wobble",)

    def __post_init__(self) -> None:
        if not 3 <= self.bars <= 8:
            raise PhospheneError(f"sorting.bars must lie in 3..8; got {self.bars}")
        if self.gap < 2 or (self.bars - 1) * self.gap > TALLEST - LOWEST:
            most = (TALLEST - LOWEST) // (self.bars - 1)
            raise PhospheneError(
                f"sorting.gap must lie in 2..{most} for {self.bars} bars; got {self.gap}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 21])
        while True:
            # Heights with the gaps taken out are any ascending numbers, repeats allowed.
            room = TALLEST - LOWEST - (self.bars - 1) * self.gap
            steps = np.sort(rng.integers(0, room + 1, self.bars)) + self.gap * np.arange(self.bars)
            heights = rng.permutation(LOWEST + steps)
            instance = f"sorting {heights.tolist()}"
            ascending = (np.diff(heights) > 0).all()
            if not ascending and (split == "test") == held_out(instance, 10):
                break
        colours = hues(rng, 8, self.variety)
        order = 1 + rng.permutation(8)[: self.bars]
        state = {
            "heights": heights.tolist(),
            "colours": colours[[0, *order]].tolist(),
            "answer": np.argsort(heights).tolist(),
        }
        caption = f"{self.bars} coloured bars stand in a row and are sorted by height"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        paper, *inks = np.array(s["colours"], np.float32)
        still = np.empty((size, size, 3), np.float32)
        still[:] = paper
        _bar(still, 0, FLOOR, 1, FLOOR + 1 / 64, np.array(FLOOR_INK, np.float32))
        pictures = np.repeat(still[None], len(times), 0)
        x, lift = self._places(problem, np.minimum(times * 9 / 8, 1))
        half = self._width() / 2
        for picture, across, up in zip(pictures, x, lift, strict=True):
            for c, u, height, ink in zip(across, up, s["heights"], inks, strict=True):
                _bar(picture, c - half, FLOOR - u - height / 64, c + half, FLOOR - u, ink)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(float(canvas.frames / canvas.fps) * canvas.rate), np.float32)
        moved = _moves(problem.state["answer"])
        beat = canvas.seconds * 8 / 9 / max(len(moved), 1)
        for i, (bar, _) in enumerate(moved):
            # Two octaves: the tallest bar hums, the shortest whistles.
            pitch = 220 * 2 ** (2 * (TALLEST - problem.state["heights"][bar]) / TALLEST)
            sound = tone(round(0.9 * beat * canvas.rate), canvas.rate, pitch)
            mix(track, sound, i * beat, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        above = np.ones((size, size), bool)
        above[round(FLOOR * size) :] = False
        return above

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, frames.shape[1]
        colours = np.array(s["colours"], np.float32)
        block = 1 + max(round(size / 64), 1)
        pixels = uncast(frames, colours[0])
        # The floor is looked after as part of what nothing should change.
        pixels[:, int(FLOOR * size) :] = colours[0]
        names, strange = name_colours(pixels, colours[0], colours[1:])
        odd = (opened(strange.astype(np.int8) - 1, block) == 0).mean((1, 2))
        reach = np.array([[self._width() / 2, h / 128] for h in s["heights"]])
        seen = measure(opened(names, block), reach)
        return [self._one(s["heights"], Solid(*(f[k] for f in seen)), o) for k, o in enumerate(odd)]

    def _one(self, heights: Sequence[int], seen: Solid, odd: float) -> Reading:
        """One picture: the bars measured, fields `(bars,)`, and the share that is none of them."""
        altered, wanted = [], np.array(heights) / 64
        for i in range(self.bars):
            if seen.stray[i] > 0.4 * wanted[i] * self._width():
                altered.append(f"bar {i + 1} is torn or doubled")
            elif seen.area[i] < 0.25 * wanted[i] * self._width():
                altered.append(f"bar {i + 1} is missing or hidden")
            elif abs(seen.height[i] - wanted[i]) > SLACK:
                altered.append(f"bar {i + 1} is {64 * seen.height[i]:.0f} high, not {heights[i]}")
        if odd > FOREIGN:
            altered.append("something that is no bar")
        feet = seen.y + seen.height / 2
        edges = np.stack([seen.x, seen.y, seen.x, seen.y]) + 0.5 * np.stack(
            [-seen.width, -seen.height, seen.width, seen.height]
        )
        marks = [
            Mark("box", tuple(round(float(e), 4) for e in edges[:, i]), str(i + 1))
            for i in range(self.bars)
        ]
        order = np.argsort(seen.x)
        off = seen.x[order] - self._slots()
        answer, trouble = None, ""
        if altered:
            trouble = "the bars are no longer as they were"
        elif (feet < FLOOR - 4 / 64).any():
            trouble = f"bar {int(feet.argmin()) + 1} is in the air"
        elif np.abs(off - off.mean()).max() > 0.35 * self._pitch() or abs(off.mean()) > 4 / 64:
            trouble = "the bars don't stand in their places"
        else:
            answer = order.tolist()
        return Reading(answer, trouble, tuple(altered), tuple(marks))

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """All bars whole in every frame, and no frame that brings nearly all of the way at once."""
        slots = self._slots()
        there = np.argsort(problem.state["answer"])
        whole = np.abs(slots[there] - slots).sum()
        before = slots
        for k, reading in sorted(trace.readings.items()):
            if reading.altered:
                return "failed", f"frame {k}: {', '.join(reading.altered)}"
            now = np.array([(m.at[0] + m.at[2]) / 2 for m in reading.marks])
            leap = np.abs(now - before).sum()
            if leap > LEAP * whole:
                return "failed", f"frame {k}: the bars leap, {leap / whole:.0%} of the way at once"
            before = now
        return "passed", ""

    def work_out(self, problem: Problem) -> Any:
        return np.argsort(problem.state["heights"]).tolist()

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return rng.permutation(self.bars).tolist()

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """One bar grows or shrinks."""
        heights = list(problem.state["heights"])
        bar = int(rng.integers(self.bars))
        heights[bar] += 7 if heights[bar] < 14 else -7
        return replace(problem, state={**problem.state, "heights": heights})

    def say(self, answer: Any) -> str:
        return "bars " + " ".join(str(i + 1) for i in answer)

    def _places(self, problem: Problem, times: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Middles and lifts of all bars at those times (0..1), each `(n, bars)`."""
        slots, order = self._slots(), list(range(self.bars))
        moved = _moves(problem.state["answer"])
        x, lift = np.tile(slots, (len(times), 1)), np.zeros((len(times), self.bars))
        for i, (bar, after) in enumerate(moved):
            progress = np.clip(times * len(moved) - i, 0, 1)
            slid = np.clip((progress - 0.25) * 2, 0, 1)
            slid = slid * slid * (3 - 2 * slid)
            before, now = np.argsort(order), np.argsort(after)
            x += (slots[now] - slots[before]) * slid[:, None]
            lift[:, bar] += LIFT * np.clip(np.minimum(progress, 1 - progress) * 4, 0, 1)
            order = after
        return x, lift

    def _width(self) -> float:
        """Of a bar, as a share of the side."""
        return min(0.7 * self._pitch(), 10 / 64)

    def _pitch(self) -> float:
        return (1 - 2 * MARGIN) / self.bars

    def _slots(self) -> np.ndarray:
        """Middles of the places, left to right, as shares of the side."""
        return MARGIN + (np.arange(self.bars) + 0.5) * self._pitch()


def _moves(order: Sequence[int]) -> list[tuple[int, list[int]]]:
    """The fewest moves of one bar that turn 0, 1, 2 ... into `order`.

    Returns:
        (bar, the order after it has moved) for each move. Bars on a longest run of `order` that
        stands in the right sequence already stay where they are.
    """
    stay = max(_runs(order), key=len)
    fixed, row, out = set(stay), sorted(order), []
    for bar in order:
        if bar in fixed:
            continue
        row.remove(bar)
        before = [b for b in order[: order.index(bar)] if b in fixed]
        row.insert(row.index(before[-1]) + 1 if before else 0, bar)
        fixed.add(bar)
        out.append((bar, list(row)))
    return out


def _runs(order: Sequence[int]) -> list[list[int]]:
    """For each element the longest ascending run of `order` that ends with it."""
    best: list[list[int]] = []
    for i, bar in enumerate(order):
        before = [best[j] for j in range(i) if order[j] < bar]
        best.append([*max(before, key=len, default=[]), bar])
    return best


def _bar(picture: np.ndarray, x0: float, y0: float, x1: float, y1: float, ink: np.ndarray) -> None:
    """Paint a rectangle with antialiased edges in place; corners as shares of the side."""
    size = len(picture)
    rows = slice(int(y0 * size), int(np.ceil(y1 * size)))
    columns = slice(int(x0 * size), int(np.ceil(x1 * size)))
    y, x = np.arange(rows.start, rows.stop), np.arange(columns.start, columns.stop)
    down = np.minimum(y + 1, y1 * size) - np.maximum(y, y0 * size)
    across = np.minimum(x + 1, x1 * size) - np.maximum(x, x0 * size)
    cover = (down[:, None] * across).astype(np.float32)
    picture[rows, columns] = blend(picture[rows, columns], cover, ink)


COMPONENT = Sorting
