"""Bounce: a ball flies on from where its streak points; each impact on a wall is heard."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, capsule, disc, palette
from phosphene.errors import PhospheneError
from phosphene.readers.blobs import find_blobs, uncast, widest
from phosphene.readers.onsets import onsets
from phosphene.sound import finish, mix, thump
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "the ball flies on and bounces off the walls",
    "let the ball move in the direction of its streak",
    "show where the ball goes, with a knock at every impact",
)
RADIUS = 5 / 64  # of the ball, as a share of the side
STREAK = 0.25  # seconds of flight that the streak behind the ball shows
HORIZON = 12.0  # seconds that a flight is known for
FOREIGN = 0.005  # share of the picture that may be neither paper nor ball nor streak

Flight = Sequence[Sequence[float]]


@dataclass(frozen=True)
class Bounce(Task):
    """One ball in a square box, elastic walls, no gravity.

    An answer is a flight: points `[seconds, x, y]`, flown through in straight lines from the given
    place. The truth's points are its impacts; a picture shows one point, where the ball is then.
    Motion is exact, nothing accumulates from frame to frame. Starts are continuous; one in five
    (cell of an 8x8 grid and one of 16 directions together) is held out.

    Args:
        slowest, fastest: speed in sides a second.
        tolerance: how far from the true place the ball may be in the last frame, as a share of
            the side; 1/16 is 4 pixels of 64. On the way it may be half as much again, at the start
            a fifth less.
        variety: 0 for fixed colours, 1 for free ones.
    """

    slowest: float = 0.5
    fastest: float = 1.2
    tolerance: float = 1 / 16
    variety: float = 1.0
    name: ClassVar[str] = "bounce"
    LADDER = (
        {"slowest": 0.5, "fastest": 0.7},
        {"slowest": 0.5, "fastest": 1.2},
        {"slowest": 1.2, "fastest": 1.8},
    )
    PROCESS = True
    ANCHORED = False
    VARIATIONS = ("wobble",)

    def __post_init__(self) -> None:
        if not 0 < self.slowest <= self.fastest:
            raise PhospheneError(
                f"bounce wants 0 < slowest <= fastest; got {self.slowest}, {self.fastest}"
            )
        if not 0 < self.tolerance <= 0.25:
            raise PhospheneError(f"bounce.tolerance must lie in 0..0.25; got {self.tolerance}")

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 3])
        while True:
            x, y = rng.uniform(0.15, 0.85, 2)
            angle = rng.uniform(0, 2 * np.pi)
            cell = (int(x * 8), int(y * 8), int(angle / (2 * np.pi) * 16))
            if (split == "test") == held_out(f"bounce {cell}", 5):
                break
        speed = rng.uniform(self.slowest, self.fastest)
        position = [float(x), float(y)]
        velocity = [float(speed * np.cos(angle)), float(speed * np.sin(angle))]
        state = {
            "position": position,
            "velocity": velocity,
            "colours": palette(rng, 1, self.variety).tolist(),
            "answer": flight(position, velocity),
        }
        return Problem(self.name, seed, split, PROMPTS, "a ball bounces in a box", state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        size = canvas.size
        paper, ink = np.array(problem.state["colours"], np.float32)
        pictures = np.empty((len(times), size, size, 3), np.float32)
        pictures[:] = paper
        places, headings = _motion(problem, times * canvas.seconds)
        for picture, (x, y), (vx, vy) in zip(
            pictures, places * size, headings * STREAK * size, strict=True
        ):
            # The streak is straight, along the present direction, so that one frame shows it.
            streak = capsule(size, (x, y), (x - vx, y - vy), size * 1.5 / 64)
            reach = RADIUS * size + 2
            rows = slice(max(int(min(y, y - vy) - reach), 0), int(max(y, y - vy) + reach))
            columns = slice(max(int(min(x, x - vx) - reach), 0), int(max(x, x - vx) + reach))
            ball = disc(size, x, y, RADIUS * size)[rows, columns]
            drawn = blend(picture[rows, columns], 0.5 * streak[rows, columns], ink)
            picture[rows, columns] = blend(drawn, ball, ink)
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        seconds = float(canvas.frames / canvas.fps)
        track = np.zeros(round(seconds * canvas.rate), np.float32)
        for time in impacts(problem, seconds):
            mix(track, thump(round(0.1 * canvas.rate), canvas.rate), time, canvas.rate)
        return finish(track, canvas.rate)

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> list[float]:
        """Moments of the knocks, in seconds."""
        return [round(float(t), 3) for t in onsets(track, rate)]

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return np.ones((size, size), bool)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        """The ball's place in each picture; `dated` makes it a point of a flight."""
        paper, ink = np.array(problem.state["colours"], np.float32)
        axis = ink - paper
        away = uncast(frames, paper) - paper
        amount = away @ (axis / (axis @ axis))
        strange = (widest(away - amount[..., None] * axis) > 60) | (amount < -0.25)
        return [self._one(p, a, s, axis) for p, a, s in zip(away, amount, strange, strict=True)]

    def _one(
        self, away: np.ndarray, amount: np.ndarray, strange: np.ndarray, axis: np.ndarray
    ) -> Reading:
        """One picture: colours minus paper, share of ink in each pixel, and what is neither."""
        size, full = len(amount), np.pi * RADIUS**2
        # The streak is half as dark as the ball: above one half the disc stands alone.
        dark = amount > 0.65
        balls = find_blobs(dark, 0.15 * full)
        if len(balls) != 1:
            return Reading(unreadable=f"{len(balls)} balls" if balls else "no ball")
        ball = balls[0]
        if not 0.45 <= ball.area / full <= 1.9 or ball.roundness < 0.8:
            return Reading(unreadable=f"a blob {ball.area / full:.1f} times the ball, not the ball")
        y, x = (np.mgrid[:size, :size] + 0.5) / size
        distance = np.hypot(x - ball.x, y - ball.y)
        altered = []
        if np.abs(np.median(away[::2, ::2].reshape(-1, 3), 0)).max() > 36:
            altered.append("the paper's colour")
        if np.abs(np.median(away[distance < RADIUS / 2], 0) - axis).max() > 64:
            altered.append("the ball's colour")
        faint = (amount > 0.25) & (distance > RADIUS * 1.4)
        tail = distance < STREAK * self.fastest + 2 * RADIUS
        strange = strange | (faint & ~tail)
        if strange.mean() > FOREIGN or (faint & tail).mean() > 0.02 + 0.08 * STREAK * self.fastest:
            altered.append("something that is neither ball nor streak")
        place = (round(ball.x, 4), round(ball.y, 4))
        marks = [Mark("point", place)]
        streak = (amount > 0.25) & tail & (distance > RADIUS * 1.25)
        if streak.sum() * 64**2 > 3 * size**2:
            end = (round(float(x[streak].mean()), 4), round(float(y[streak].mean()), 4))
            marks.append(Mark("path", (*end, *place)))
        return Reading([list(place)], "", tuple(altered), tuple(marks))

    def dated(self, readings: list[Reading], seconds: np.ndarray) -> list[Reading]:
        return [
            r if r.answer is None else replace(r, answer=[[round(float(t), 4), *r.answer[0]]])
            for r, t in zip(readings, seconds, strict=True)
        ]

    def right(self, problem: Problem, answer: Any) -> bool:
        return self.same(problem, answer, problem.state["answer"])

    def same(self, problem: Problem, read: Any, drawn: Any) -> bool:
        """Whether every point of one flight lies on another, within the tolerance."""
        return read is not None and _errors(problem, read, drawn).max() <= self.tolerance

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """One ball in every frame, near its true place: so no leaps, and turns at walls alone."""
        errors = []
        first = trace.readings[0]
        if len(first.marks) == 2:
            x0, y0, x1, y1 = first.marks[1].at
            if np.dot((x1 - x0, y1 - y0), problem.state["velocity"]) < 0:
                return "failed", "frame 0: the streak points another way"
        for k, reading in sorted(trace.readings.items()):
            if reading.answer is None:
                return "failed", f"frame {k}: {reading.unreadable}"
            if reading.altered:
                return "failed", f"frame {k}: altered {', '.join(reading.altered)}"
            error = float(_errors(problem, reading.answer, problem.state["answer"])[0])
            # The start is given: less is forgiven there, or clips a frame early would pass.
            if error > (1.5 if k else 0.8) * self.tolerance:
                return "failed", f"frame {k}: the ball is {_far(error)} off its flight"
            errors.append(error)
        return "passed", f"the ball stays within {_far(max(errors))} of its flight"

    def work_out(self, problem: Problem) -> Any:
        return flight(problem.state["position"], problem.state["velocity"])

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        s = problem.state
        angle = np.arctan2(*s["velocity"][::-1]) + rng.uniform(np.pi / 6, 2 * np.pi - np.pi / 6)
        speed = rng.uniform(self.slowest, self.fastest)
        return flight(s["position"], [speed * np.cos(angle), speed * np.sin(angle)])

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """Another start, another paper, or another ball."""
        s = problem.state
        which = ("position", "paper", "ball")[rng.integers(3)]
        if which == "position":
            start = np.array(s["position"])
            moved = start
            while np.hypot(*(moved - start)) < 2.5 * self.tolerance:
                moved = rng.uniform(0.15, 0.85, 2)
            return replace(problem, state={**s, "position": moved.tolist()})
        colours = np.array(s["colours"])
        if which == "paper":
            colours[0, rng.integers(3)] -= 70
        else:
            channel = rng.integers(3)
            colours[1, channel] += 110 if colours[1, channel] < 128 else -110
        return replace(problem, state={**s, "colours": colours.tolist()})

    def say(self, answer: Any) -> str:
        points = [f"({x:.2f}, {y:.2f}) at {t:.2f} s" for t, x, y in answer[:3]]
        return ", ".join(points) + (" ..." if len(answer) > 3 else "")


def flight(position: Sequence[float], velocity: Sequence[float]) -> list[list[float]]:
    """The impacts of a ball on the walls as points `[seconds, x, y]`, and its place at `HORIZON`.

    Each coordinate is a triangle wave between the walls, independent of the other.
    """
    span = 1 - 2 * RADIUS
    times = [HORIZON]
    for p, v in zip(position, velocity, strict=True):
        if abs(v) >= 1e-6:
            first = ((1 - RADIUS - p) if v > 0 else (p - RADIUS)) / abs(v)
            times += list(np.arange(first, HORIZON, span / abs(v)))
    moments = np.array(sorted(times))[:, None]
    unfolded = (np.array(position) - RADIUS + np.array(velocity) * moments) % (2 * span)
    places = RADIUS + np.where(unfolded < span, unfolded, 2 * span - unfolded)
    return np.concatenate([moments, places], 1).tolist()


def impacts(problem: Problem, until: float) -> list[float]:
    """Times in seconds, sorted, at which the ball touches a wall before `until`."""
    return [
        t
        for t, *place in problem.state["answer"]
        if t < until and np.abs(np.array(place) - 0.5).max() > 0.5 - RADIUS - 1e-6
    ]


def _motion(problem: Problem, seconds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Places and velocities `(n, 2)` at those moments, in sides and sides a second."""
    path = np.array([[0.0, *problem.state["position"]], *problem.state["answer"]])
    if seconds.max() > path[-1, 0]:
        raise PhospheneError(
            f"bounce is known for {path[-1, 0]:.1f} s; got {seconds.max():.1f}: ask for fewer "
            "frames or more of them a second"
        )
    leg = np.clip(np.searchsorted(path[:, 0], seconds, side="right") - 1, 0, len(path) - 2)
    velocity = np.diff(path[:, 1:], axis=0) / np.maximum(np.diff(path[:, :1], axis=0), 1e-9)
    return path[leg, 1:] + velocity[leg] * (seconds - path[leg, 0])[:, None], velocity[leg]


def _errors(problem: Problem, points: Flight, drawn: Flight) -> np.ndarray:
    """How far each point of a flight lies from where `drawn` has the ball then, in sides."""
    seen = np.array(points)
    path = np.array([[0.0, *problem.state["position"]], *drawn])
    true = np.stack([np.interp(seen[:, 0], path[:, 0], path[:, i]) for i in (1, 2)], 1)
    return np.hypot(*(seen[:, 1:] - true).T)


def _far(share: float) -> str:
    return f"{share:.3f} sides ({64 * share:.1f} px of 64)"


COMPONENT = Bounce
