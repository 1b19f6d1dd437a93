"""Counting: how many of one kind are there? A click for each, then the number is written."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import FONTS, blend, box, disc, palette
from phosphene.errors import PhospheneError
from phosphene.readers.numbers import Area, read_written, reading, rectangle
from phosphene.sound import finish, mix, thump, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading
from phosphene.writing import PITCH, Line, film_writing

PROMPTS = (
    "count the {} and write the number in the box",
    "how many {} are there? write the answer in the box at the bottom",
    "write in the box how many {} the picture shows; nothing else changes, the camera is still",
)
SHAPES = ("disc", "square", "triangle")
COLOURS = ("blue", "green", "red")
FIELD = (3 / 64, 41 / 64)  # where objects lie: from the upper, left and right edge, down to here
TOP, HEIGHT = 47 / 64, 15 / 64  # of the number, as shares of the side
GAP = 1.6 / 64  # least room between objects


@dataclass(frozen=True)
class Counting(Task):
    """Scattered objects, of which those of one shape and colour are to be counted.

    The rest differ in colour, in shape or in both. Places are continuous, so problems are endless;
    one picture in ten is held out of training.

    Args:
        most: the largest number to be counted to, 2..20; counts run evenly from 1.
        others: how many objects at most don't count, 0..8.
        differ: how those differ: `colour`, `shape` or `both` (some one way, some the other).
        variety: 0 for fixed colours, font, sizes and place of the box; 1 for free ones.
    """

    most: int = 9
    others: int = 4
    differ: str = "both"
    variety: float = 1.0
    name: ClassVar[str] = "counting"
    LADDER = (
        {"most": 3, "others": 0},
        {"most": 5, "others": 2, "differ": "colour"},
        {"most": 9, "others": 4, "differ": "shape"},
        {"most": 15, "others": 6, "differ": "both"},
    )

    def __post_init__(self) -> None:
        if not 2 <= self.most <= 20:
            raise PhospheneError(f"counting.most must lie in 2..20; got {self.most}")
        if not 0 <= self.others <= 8:
            raise PhospheneError(f"counting.others must lie in 0..8; got {self.others}")
        if self.differ not in ("colour", "shape", "both"):
            raise PhospheneError(
                f"counting.differ must be colour, shape or both; got {self.differ!r}"
            )
        if not 0 <= self.variety <= 1:
            raise PhospheneError(f"counting.variety must lie in 0..1; got {self.variety}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 6])
        while True:
            count, extra = int(rng.integers(1, self.most + 1)), int(rng.integers(self.others + 1))
            target = [int(rng.integers(3)), int(rng.integers(3))]
            kinds = [target] * count + [self._other(target, rng) for _ in range(extra)]
            places = _scatter(rng, len(kinds), self.variety)
            cells = sorted(
                (int(x * 64), int(y * 64), *k) for (x, y, _), k in zip(places, kinds, strict=True)
            )
            if (split == "test") == held_out(f"counting {cells} {target}", 10):
                break
        varied = rng.random() < self.variety
        state = {
            "objects": [[*place, *kind] for place, kind in zip(places, kinds, strict=True)],
            "target": target,
            "answer": str(count),
            "font": int(rng.integers(len(FONTS))) if varied else 0,
            "left": float(24 / 64 + self.variety * rng.uniform(-18, 14) / 64),
            "colours": palette(rng, 4, self.variety).tolist(),
        }
        things = f"{COLOURS[target[1]]} {SHAPES[target[0]]}s"
        prompts = tuple(text.format(things) for text in PROMPTS)
        caption = f"scattered shapes over an empty box, in which the number of {things} is written"
        return Problem(self.name, seed, split, prompts, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        paper, ink, *inks = np.array(s["colours"], np.float32)
        given = np.broadcast_to(paper, (size, size, 3)).astype(np.float32)
        for x, y, radius, shape, colour in s["objects"]:
            given = blend(given, _shape(shape, size, x, y, radius), inks[colour])
        top, left, bottom, right = _area(problem, size)
        line = max(round(size / 64), 1)
        frame = box(size, left - line, top - line, right + line, bottom + line)
        given = blend(given, frame - box(size, left, top, right, bottom), ink)
        # One half for counting, the other for writing.
        return film_writing(
            given, _line(problem, s["answer"] or ""), s["font"], ink, np.maximum(2 * times - 1, 0)
        )

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        answer = problem.state["answer"] or ""
        count, half = int(answer or 0), canvas.seconds / 2
        for i in range(count):
            click = thump(round(0.1 * canvas.rate), canvas.rate, 300 * 2 ** (i / 12))
            mix(track, click, i * half / count, canvas.rate)
        for i, character in enumerate(answer):
            seconds = half / len(answer)
            spoken = tone(round(seconds * canvas.rate), canvas.rate, PITCH[character])
            mix(track, spoken, half + i * seconds, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return rectangle(_area(problem, size), size)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        size = len(first)
        area = _area(problem, size)
        return [
            reading(written, (), area, size)
            for written in read_written(frames, first, area, "0123456789")
        ]

    def work_out(self, problem: Problem) -> Any:
        s = problem.state
        return str(sum([shape, colour] == s["target"] for *_, shape, colour in s["objects"]))

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return str(rng.integers(1, self.most + 1))

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """One object vanishes, appears, or becomes one of another kind."""
        s = problem.state
        objects = [list(o) for o in s["objects"]]
        which, sort = int(rng.integers(len(objects))), int(rng.integers(3))
        if sort == 0:
            del objects[which]
        elif sort == 1:
            places = _scatter(rng, 1, self.variety, [tuple(o[:3]) for o in objects])
            objects.append([*places[0], *objects[which][3:]])
        else:
            objects[which][4] = (objects[which][4] + int(rng.integers(1, 3))) % 3
        return replace(problem, state={**s, "objects": objects})

    def _other(self, target: list[int], rng: np.random.Generator) -> list[int]:
        """A kind that doesn't count."""
        shape, colour = target
        sort = ("colour", "shape")[rng.integers(2)] if self.differ == "both" else self.differ
        if sort == "colour":
            return [shape, (colour + int(rng.integers(1, 3))) % 3]
        return [(shape + int(rng.integers(1, 3))) % 3, colour]


def _line(problem: Problem, text: str) -> Line:
    return Line(text, problem.state["left"], TOP, HEIGHT)


def _area(problem: Problem, size: int) -> Area:
    """The inside of the box: room for two characters."""
    pad = max(round(size / 64), 1)
    first, last = _line(problem, "00").cells(size)
    return first.top - pad, first.left - pad, first.top + first.height, last.left + last.width + pad


def _scatter(
    rng: np.random.Generator,
    count: int,
    variety: float,
    there: list[tuple[float, float, float]] | None = None,
) -> list[tuple[float, float, float]]:
    """x, y and radius of `count` objects that don't touch, nor any of those already `there`."""
    while True:
        found = list(there or [])
        already = len(found)
        for _ in range(60 * count):
            radius = float(3 + variety * rng.uniform(-0.3, 0.8)) / 64
            x = float(rng.uniform(FIELD[0] + radius, 1 - FIELD[0] - radius))
            y = float(rng.uniform(FIELD[0] + radius, FIELD[1] - radius))
            # Corners of squares stick out by 1.3 radii at most.
            if all(np.hypot(x - u, y - v) > 1.15 * (radius + r) + GAP for u, v, r in found):
                found.append((x, y, radius))
            if len(found) == already + count:
                return found[already:]


def _shape(shape: int, size: int, x: float, y: float, radius: float) -> np.ndarray:
    """Coverage `(size, size)` of an object; place and radius as shares of the side."""
    x, y, radius = x * size, y * size, radius * size
    if shape == 0:
        return disc(size, x, y, radius)
    if shape == 1:
        half = 0.88 * radius
        return box(size, x - half, y - half, x + half, y + half)
    at = np.arange(size, dtype=np.float32) + 0.5
    across, down = at[None, :] - x, at[:, None] - y - 0.1 * radius
    edges = [across * np.cos(a) + down * np.sin(a) for a in np.deg2rad([90, 210, 330])]
    return np.clip(0.62 * radius + 0.5 - np.max(edges, axis=0), 0, 1)


COMPONENT = Counting
