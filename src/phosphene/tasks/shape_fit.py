"""Shape fit: each piece moves into the hole of its shape; slides sound the row, a knock the fit."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.outlines import OUTLINES, fits, likeness, put, size_of
from phosphene.readers.blobs import Solid, hues, loose, measure, name_colours, opened, uncast
from phosphene.sound import finish, mix, thump, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "move every piece into the hole of its shape",
    "fit the coloured pieces into the matching holes of the panel, one after the other",
    "slide each shape over to where it fits, turning it if need be; nothing else changes",
)
TRAY, LANE, HOLES = 10 / 64, 28 / 64, 50 / 64  # columns of pieces, of free way, of holes
PANEL = (38 / 64, 2 / 64, 62 / 64, 62 / 64)
RIM = 1.12  # how much larger a hole is than its piece
HOLE = np.float32(0.3)  # of the paper's brightness
FOREIGN = 0.006  # share of the picture that may be neither piece nor ground
LEAP = 0.6  # share of the way that one frame may bring


@dataclass(frozen=True)
class ShapeFit(Task):
    """Pieces on the left, a panel with holes on the right; every hole has another shape.

    Shapes, rows and colours are free: 2,160 arrangements of one piece and two decoys, 120,960 of
    four pieces. One arrangement in ten is held out.

    Args:
        pieces: 1..4.
        decoys: holes that stay empty; holes 2..4 in all.
        turned: pieces lie turned by any angle and are turned upright on the way.
        variety: 0 for fixed colours, 1 for free ones.
    """

    pieces: int = 3
    decoys: int = 0
    turned: bool = False
    variety: float = 1.0
    name: ClassVar[str] = "shape_fit"
    LADDER = (
        {"pieces": 1, "decoys": 2},
        {"pieces": 2, "decoys": 1},
        {"pieces": 3, "decoys": 0},
        {"pieces": 3, "decoys": 1, "turned": True},
        {"pieces": 4, "decoys": 0, "turned": True},
    )
    PROCESS = True
    VARIATIONS = ("wobble",)

    def __post_init__(self) -> None:
        if not 1 <= self.pieces <= 4:
            raise PhospheneError(f"shape_fit.pieces must lie in 1..4; got {self.pieces}")
        if self.decoys < 0 or not 2 <= self.pieces + self.decoys <= 4:
            raise PhospheneError(
                f"shape_fit needs 2 to 4 holes, pieces + decoys; got {self.pieces} + {self.decoys}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 22])
        while True:
            holes = rng.permutation(list(OUTLINES))[: self.pieces + self.decoys].tolist()
            answer = rng.permutation(len(holes))[: self.pieces].tolist()
            pieces = [holes[h] for h in answer]
            if (split == "test") == held_out(f"shape_fit {pieces} {holes}", 10):
                break
        state = {
            "pieces": pieces,
            "holes": holes,
            "angles": [float(a) if self.turned else 0.0 for a in rng.uniform(40, 320, self.pieces)],
            "colours": hues(rng, self.pieces, self.variety).tolist(),
            "answer": answer,
        }
        caption = f"pieces ({', '.join(pieces)}) are put into the holes of a panel"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        inks = np.array(s["colours"], np.float32)[1:]
        pictures = np.repeat(self._ground(problem, size)[None], len(times), 0)
        for i, (shape, ink) in enumerate(zip(s["pieces"], inks, strict=True)):
            at, turn = self._way(problem, i, np.minimum(times * 9 / 8, 1))
            for picture, (x, y), angle in zip(pictures, at, turn, strict=True):
                put(picture, shape, x, y, self._radius(), angle, ink)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(float(canvas.frames / canvas.fps) * canvas.rate), np.float32)
        beat = canvas.seconds * 8 / 9 / self.pieces
        for i, hole in enumerate(problem.state["answer"]):
            slide = 0.4 * tone(round(0.8 * beat * canvas.rate), canvas.rate, 660 / 1.25**hole)
            mix(track, slide, i * beat, canvas.rate)
            mix(track, thump(round(0.1 * canvas.rate), canvas.rate), (i + 0.9) * beat, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        y, x = (np.mgrid[:size, :size] + 0.5) / size
        free = x < PANEL[0] - 1 / 64
        for row in self._rows(self.pieces + self.decoys):
            free |= np.hypot(x - HOLES, y - row) < 1.25 * self._radius()
        return free

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        s, size = problem.state, frames.shape[1]
        colours = np.array(s["colours"], np.float32)
        block = 1 + max(round(size / 64), 1)
        ground, flat = self._ground(problem, size), self._ground(problem, size, holes=False)
        pixels = uncast(frames, colours[0])
        # Named too, holes aren't taken for pieces where they are blurred.
        names, _ = name_colours(pixels, flat, np.concatenate([colours[1:], HOLE * colours[:1]]))
        empty = names == self.pieces
        names = opened(np.where(empty, np.int8(-1), names), block)
        odd = loose(pixels, ground, names)
        seen = measure(names, np.full((self.pieces, 2), self._radius()))
        return [
            self._one(problem, picture, empty[k], Solid(*(f[k] for f in seen)), float(odd[k]))
            for k, picture in enumerate(names)
        ]

    def _one(
        self, problem: Problem, names: np.ndarray, empty: np.ndarray, seen: Solid, odd: float
    ) -> Reading:
        """One picture: who is where, by names and the pieces' measures, fields `(pieces,)`.

        Args:
            empty: bool `(s, s)`, what has the colour of holes.
            odd: share of the picture that is neither piece nor ground.
        """
        radius = self._radius()
        rows = self._rows(self.pieces + self.decoys)
        altered, crooked, marks, answer = [], "", [], []
        for i, shape in enumerate(problem.state["pieces"]):
            area, spread = (radius**2 * size_of(shape)[0], radius * size_of(shape)[1])
            if seen.stray[i] > 0.4 * area:
                altered.append(f"the {shape} is torn or doubled")
            elif seen.area[i] < 0.3 * area:
                altered.append(f"the {shape} is missing or hidden")
            elif not (
                seen.area[i] < 1.6 * area
                and 0.7 < np.hypot(seen.width[i], seen.height[i]) / spread < 1.35
            ):
                altered.append(f"the {shape} is deformed")
            x, y = round(float(seen.x[i]), 4), round(float(seen.y[i]), 4)
            marks.append(Mark("point", (x, y), shape))
            away = np.hypot(x - HOLES, y - rows)
            hole = int(away.argmin()) if away.min() < 0.5 * radius else -1
            if hole >= 0 and not fits(names == i, shape, x, y, radius):
                crooked = f"the {shape} lies crooked or is no {shape} any more"
            answer.append(hole)
        for row, shape in zip(rows, problem.state["holes"], strict=True):
            if np.hypot(seen.x - HOLES, seen.y - row).min() > 2.2 * radius:
                around = slice(*(int((row + d * 1.1 * radius) * len(names)) for d in (-1, 1)))
                hole = np.zeros_like(empty)
                hole[around] = empty[around]
                if not fits(hole, shape, HOLES, row, RIM * radius):
                    altered.append(f"the hole for the {shape}")
        if odd > FOREIGN:
            altered.append("something that is no piece")
        if crooked:
            return Reading(None, crooked, tuple(altered), tuple(marks))
        nowhere = max(answer) < 0
        return Reading(None if nowhere else answer, "", tuple(altered), tuple(marks))

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """All pieces whole in every frame, and no frame that brings most of the way at once."""
        start = np.stack([np.full(self.pieces, TRAY), self._rows(self.pieces)], 1)
        rows = self._rows(self.pieces + self.decoys)[problem.state["answer"]]
        whole = np.hypot(HOLES - TRAY, rows - start[:, 1]).sum()
        before = start
        for k, reading in sorted(trace.readings.items()):
            if reading.altered:
                return "failed", f"frame {k}: {', '.join(reading.altered)}"
            now = np.array([m.at for m in reading.marks])
            leap = np.hypot(*(now - before).T).sum() / whole
            if leap > LEAP:
                return "failed", f"frame {k}: the pieces leap, {leap:.0%} of the way at once"
            before = now
        return "passed", ""

    def work_out(self, problem: Problem) -> Any:
        return [problem.state["holes"].index(piece) for piece in problem.state["pieces"]]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return rng.permutation(self.pieces + self.decoys)[: self.pieces].tolist()

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """A piece or a hole becomes another shape, plainly different."""
        s = problem.state
        what = "pieces" if rng.integers(2) else "holes"
        shapes = list(s[what])
        i = int(rng.integers(len(shapes)))
        others = [o for o in OUTLINES if likeness(shapes[i], o) < 0.55]
        shapes[i] = others[rng.integers(len(others))]
        return replace(problem, state={**s, what: shapes})

    def say(self, answer: Any) -> str:
        return "holes " + " ".join("-" if h < 0 else str(h + 1) for h in answer)

    def _rows(self, n: int) -> np.ndarray:
        return 4 / 64 + 56 / 64 * (np.arange(n) + 0.5) / n

    def _radius(self) -> float:
        """Of the circle around a piece, as a share of the side."""
        return min(0.46 * 56 / (self.pieces + self.decoys), 8) / 64

    def _ground(self, problem: Problem, size: int, holes: bool = True) -> np.ndarray:
        """The picture without pieces, float32 `(size, size, 3)`; and without holes, if so asked."""
        paper = np.array(problem.state["colours"][0], np.float32)
        picture = np.empty((size, size, 3), np.float32)
        picture[:] = paper
        x0, y0, x1, y1 = (round(edge * size) for edge in PANEL)
        picture[y0:y1, x0:x1] = 0.78 * paper
        rows = self._rows(self.pieces + self.decoys)
        for row, shape in zip(rows, problem.state["holes"] if holes else (), strict=holes):
            put(picture, shape, HOLES, row, RIM * self._radius(), 0.0, HOLE * paper)
        return picture

    def _way(
        self, problem: Problem, piece: int, times: np.ndarray
    ) -> tuple[np.ndarray, np.ndarray]:
        """Places `(n, 2)` and angles `(n,)` in degrees of a piece at those times (0..1)."""
        start = self._rows(self.pieces)[piece]
        end = self._rows(self.pieces + self.decoys)[problem.state["answer"][piece]]
        # Around the others: along its own row to the free lane, along that, into the hole.
        corners = np.array([[TRAY, start], [LANE, start], [LANE, end], [HOLES, end]])
        legs = np.concatenate([[0], np.cumsum(np.hypot(*np.diff(corners, axis=0).T))])
        progress = np.clip(times * self.pieces - piece, 0, 0.9) / 0.9
        progress = progress * progress * (3 - 2 * progress)
        at = np.stack([np.interp(progress * legs[-1], legs, corners[:, c]) for c in (0, 1)], 1)
        angle = problem.state["angles"][piece]
        return at, ((angle + 180) % 360 - 180) * (1 - progress)


COMPONENT = ShapeFit
