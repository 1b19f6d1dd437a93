"""Falling: a ball drops over ramps and pegs into a bin; impacts are heard, pitched by object."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, capsule, disc
from phosphene.errors import PhospheneError
from phosphene.gravity import (
    BINS,
    GROUND,
    RADIUS,
    START,
    WALL,
    Fall,
    Obstacle,
    Wall,
    crosses,
    fall,
    roomy,
    walls_of,
)
from phosphene.readers.blobs import Solid, hues, loose, measure, name_colours, opened, uncast
from phosphene.sound import finish, mix, thump
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "the ball falls and comes to rest in one of the bins",
    "let go of the ball: it drops, bounces and rolls until it lies still in a bin",
    "show where the ball ends when it falls; camera, ramps, pegs and bins stay as they are",
)
INK = (70.0, 70.0, 70.0)
FOREIGN = 0.005  # share of the picture that may be neither ball nor ground
LEAP = 0.6  # share of the whole fall that one frame may bring
STRAY = 7.0  # how far from every lawful path the ball may be seen
# What the picture doesn't tell, and so must not matter: how well the ball bounces, and the last
# fraction of a pixel of its start.
BOUNCE = 0.4
WORLDS = ((0.0, BOUNCE), (0.0, 0.2), (0.0, 0.55), (-0.5, BOUNCE), (0.5, BOUNCE))
PITCH = {"ramp": 320.0, "peg": 520.0, "wall": 230.0, "divider": 230.0, "floor": 150.0}


@dataclass(frozen=True)
class Falling(Task):
    """One ball, gravity, ramps and pegs in its way, bins to end in.

    Dealt are only scenes whose bin is the same for a dull and a lively ball and for a start half a
    pixel (of 64) to either side, so that neither a machine's rounding nor what the picture leaves
    open decides. Starts, ramps and pegs lie on a lattice of 64ths: 10^5 scenes with one ramp, 10^9
    and more with two. One in ten is held out, together with its mirror image.

    Args:
        obstacles: ramps and pegs, 1..4; the first lies below the ball.
        bins: 2..4.
        variety: 0 for fixed colours, 1 for free ones.
    """

    obstacles: int = 2
    bins: int = 3
    variety: float = 1.0
    name: ClassVar[str] = "falling"
    LADDER = (
        {"obstacles": 1, "bins": 2},
        {"obstacles": 2, "bins": 3},
        {"obstacles": 3, "bins": 3},
        {"obstacles": 3, "bins": 4},
    )
    PROCESS = True
    VARIATIONS = ("wobble",)

    def __post_init__(self) -> None:
        for field, least in (("obstacles", 1), ("bins", 2)):
            if not least <= getattr(self, field) <= 4:
                raise PhospheneError(
                    f"falling.{field} must lie in {least}..4; got {getattr(self, field)}"
                )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 23])
        while True:
            start = int(rng.integers(10, 55))
            scene = self._scene(rng, start)
            mirrored = (64 - start, [(k, 64 - x, y, h, -a) for k, x, y, h, a in scene])
            instance = min(f"falling {self.bins} {s}" for s in ((start, scene), mirrored))
            if (split == "test") != held_out(instance, 10) or not roomy(scene):
                continue
            falls = (fall(start, tuple(scene), self.bins, *world) for world in WORLDS)
            first = next(falls)
            if first.bin is None or first.touched < min(self.obstacles, 2):
                continue
            if all(other.bin == first.bin for other in falls):
                break
        state = {
            "start": start,
            "obstacles": [list(o) for o in scene],
            "bins": self.bins,
            "colours": hues(rng, 1, self.variety).tolist(),
            "answer": first.bin,
        }
        caption = f"a ball falls over {self.obstacles} obstacles into one of {self.bins} bins"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def _scene(self, rng: np.random.Generator, start: int) -> list[Obstacle]:
        """Obstacles from top to bottom."""
        out: list[Obstacle] = []
        for i in range(self.obstacles):
            y = round(15 + 26 * (i + 0.5) / self.obstacles + rng.uniform(-2, 2))
            half = int(rng.integers(6, 11))
            x = start + round(half * rng.uniform(-0.6, 0.6)) if i == 0 else rng.integers(10, 55)
            if rng.random() < 0.3:
                out.append(("peg", int(x), y, 1, 0))
            else:
                tilt = int(rng.integers(3, 8)) * 5 * (1 if rng.random() < 0.5 else -1)
                out.append(("ramp", int(x), y, half, tilt))
        return out

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        size = canvas.size
        ink = np.array(problem.state["colours"][1], np.float32)
        pictures = np.repeat(_ground(problem, size)[None], len(times), 0)
        path = self._path(problem)
        moments = np.minimum(times * 9 / 8, 1) * path[-1, 0]
        for picture, moment in zip(pictures, moments, strict=True):
            x, y = (np.interp(moment, path[:, 0], path[:, c]) * size / 64 for c in (1, 2))
            reach = RADIUS * size / 64 + 2
            rows = slice(max(int(y - reach), 0), int(y + reach) + 1)
            columns = slice(max(int(x - reach), 0), int(x + reach) + 1)
            ball = disc(size, float(x), float(y), RADIUS * size / 64)[rows, columns]
            picture[rows, columns] = blend(picture[rows, columns], ball, ink)
        return pictures

    def _path(self, problem: Problem) -> np.ndarray:
        """`(n, 3)`: the lawful path, bent towards another bin where that is the answer."""
        lawful = _world(problem)
        path, answer = lawful.path.copy(), problem.state["answer"]
        if answer != lawful.bin:
            deep = np.maximum.accumulate(path[:, 2])
            share = np.clip((deep - START) / (BINS - RADIUS - START), 0, 1)
            middle = 64 * (answer + 0.5) / problem.state["bins"]
            path[:, 1] += (middle - path[-1, 1]) * share * share * (3 - 2 * share)
            path[:, 1] = np.clip(path[:, 1], WALL + RADIUS, 64 - WALL - RADIUS)
            rest = [path[-1, 0] + 0.1, path[-1, 1], GROUND - WALL - RADIUS]
            path = np.concatenate([path, [rest]])
        return path

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(float(canvas.frames / canvas.fps) * canvas.rate), np.float32)
        lawful = _world(problem)
        pace = canvas.seconds * 8 / 9 / lawful.path[-1, 0]
        for time, what in lawful.knocks:
            sound = thump(round(0.1 * canvas.rate), canvas.rate, PITCH[what])
            mix(track, sound, time * pace, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        # A margin around what stands fixed goes with it: registration needs both sides of an edge.
        solid = np.zeros((size, size), np.float32)
        for (ax, ay), (bx, by), _, thick in _fixed(problem):
            u = size / 64
            solid += capsule(size, (ax * u, ay * u), (bx * u, by * u), (thick + 2) * u)
        return solid < 0.5

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        size = frames.shape[1]
        colours = np.array(problem.state["colours"], np.float32)
        block = 1 + max(round(size / 64), 1)
        ground = _ground(problem, size)
        pixels = uncast(frames, colours[0])
        # Named too, what stands fixed isn't taken for the ball where it is blurred.
        names, _ = name_colours(pixels, colours[0], np.array([colours[1], INK], np.float32))
        # Codecs wash colours out beside grey: grey where nothing stands belongs to the ball.
        free = self.region(problem, size)
        own = (names == 0).sum((1, 2)) / size**2
        names = opened(np.where((names == 0) | ((names == 1) & free), 0, -1).astype(np.int8), block)
        odd = loose(pixels, ground, names)
        seen = measure(names, np.full((1, 2), RADIUS / 64))
        return [
            self._one(Solid(*(f[k, 0] for f in seen)), float(own[k]), float(odd[k]))
            for k in range(len(frames))
        ]

    def _one(self, seen: Solid, own: float, odd: float) -> Reading:
        """One picture: the ball measured; shares of its own colour and of what doesn't belong."""
        full = np.pi * (RADIUS / 64) ** 2
        altered, answer, trouble = [], None, ""
        if seen.stray > 0.4 * full:
            altered.append("the ball is torn or doubled")
        elif seen.area < 0.4 * full or own < 0.25 * full:
            altered.append("the ball is missing")
        elif seen.area > 1.7 * full or not 0.6 < seen.width / max(seen.height, 1e-9) < 1.65:
            altered.append("the ball is deformed")
        if odd > FOREIGN:
            altered.append("something else than the ball has changed")
        x, y = float(seen.x), float(seen.y)
        place = x * self.bins
        if altered:
            trouble = altered[0]
        elif y * 64 < BINS + 1:
            trouble = "the ball is in no bin"
        elif abs(place - round(place)) * 64 / self.bins < 1.5 and 0 < round(place) < self.bins:
            trouble = "the ball sits on a divider"
        else:
            answer = min(int(place), self.bins - 1)
        mark = Mark("point", (round(x, 4), round(y, 4)))
        return Reading(answer, trouble, tuple(altered), (mark,))

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """One whole ball, falling as some ball could: no leaps, through nothing, near the path."""
        s = problem.state
        scene = tuple(tuple(o) for o in s["obstacles"])
        lawful = np.concatenate(
            [fall(s["start"], scene, self.bins, *world).path[:, 1:] for world in WORLDS[:3]]
        )
        walls = [w for w in _fixed(problem) if w[2] in ("ramp", "divider")]
        before = np.array([s["start"], START])
        for k, reading in sorted(trace.readings.items()):
            if reading.altered:
                return "failed", f"frame {k}: {', '.join(reading.altered)}"
            now = np.array(reading.marks[0].at) * 64
            leap = np.hypot(*(now - before)) / (GROUND - START)
            if leap > LEAP:
                return "failed", f"frame {k}: the ball leaps, {leap:.0%} of the fall at once"
            off = float(np.hypot(*(lawful - now).T).min())
            if off > STRAY:
                return "failed", f"frame {k}: the ball is {off:.1f} px of 64 off every lawful path"
            through = [what for a, b, what, _ in walls if crosses(before, now, a, b)]
            if through:
                return "failed", f"frame {k}: the ball has gone through a {through[0]}"
            before = now
        return "passed", ""

    def work_out(self, problem: Problem) -> Any:
        return _world(problem).bin

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return int(rng.integers(self.bins))

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """An obstacle is moved aside."""
        scene = [list(o) for o in problem.state["obstacles"]]
        one = scene[rng.integers(len(scene))]
        one[1] += int(rng.integers(8, 12)) * (1 if one[1] < 32 else -1)
        return replace(problem, state={**problem.state, "obstacles": scene})

    def say(self, answer: Any) -> str:
        return f"bin {answer + 1}"


def _fixed(problem: Problem) -> list[Wall]:
    """All that stands still: (end, end, kind, half thickness), in 64ths of the side."""
    s = problem.state
    return walls_of(tuple(tuple(o) for o in s["obstacles"]), s["bins"])


def _ground(problem: Problem, size: int) -> np.ndarray:
    """The picture without the ball, float32 `(size, size, 3)`."""
    picture = np.empty((size, size, 3), np.float32)
    picture[:] = np.array(problem.state["colours"][0], np.float32)
    u = size / 64
    cover = np.zeros((size, size), np.float32)
    for (ax, ay), (bx, by), _, thick in _fixed(problem):
        cover = np.maximum(cover, capsule(size, (ax * u, ay * u), (bx * u, by * u), thick * u))
    cover[round(GROUND * u) :] = 1
    return blend(picture, cover, np.array(INK, np.float32))


def _world(problem: Problem) -> Fall:
    s = problem.state
    return fall(s["start"], tuple(tuple(o) for o in s["obstacles"]), s["bins"], *WORLDS[0])


COMPONENT = Falling
