"""Bounce: a ball flies on from where its streak points; each impact on a wall is heard."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from phosphene.clip import Clip
from phosphene.draw import blend, capsule, disc, palette
from phosphene.errors import PhospheneError
from phosphene.sound import finish, mix, onsets, thump
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.verdict import Verdict

PROMPTS = (
    "the ball flies on and bounces off the walls",
    "let the ball move in the direction of its streak",
    "show where the ball goes, with a knock at every impact",
)
RADIUS = 5 / 64  # of the ball, as a share of the side
STREAK = 0.25  # seconds of flight that the streak behind the ball shows


@dataclass(frozen=True)
class Bounce(Task):
    """One ball in a square box, elastic walls, no gravity.

    Motion is exact: each coordinate is a triangle wave, so nothing accumulates from frame to frame.
    One start in five (cell of an 8x8 grid and one of 16 directions together) is held out.

    Args:
        slowest, fastest: speed in sides a second.
        tolerance: how far from the true place the ball may be in the last frame, as a share of
            the side; 1/16 is 4 pixels of 64.
        variety: 0 for fixed colours, 1 for free ones.
    """

    slowest: float = 0.5
    fastest: float = 1.2
    tolerance: float = 1 / 16
    variety: float = 1.0
    name: ClassVar[str] = "bounce"

    def __post_init__(self) -> None:
        if not 0 < self.slowest <= self.fastest:
            raise PhospheneError(
                f"bounce wants 0 < slowest <= fastest; got {self.slowest}, {self.fastest}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 3])
        while True:
            x, y = rng.uniform(0.15, 0.85, 2)
            angle = rng.uniform(0, 2 * np.pi)
            cell = (int(x * 8), int(y * 8), int(angle / (2 * np.pi) * 16))
            if (split == "test") == held_out(f"bounce {cell}", 5):
                break
        speed = rng.uniform(self.slowest, self.fastest)
        state = {
            "position": [float(x), float(y)],
            "velocity": [float(speed * np.cos(angle)), float(speed * np.sin(angle))],
            "colours": palette(rng, 1, self.variety).tolist(),
        }
        return Problem(self.name, seed, split, PROMPTS, "a ball bounces in a box", state)

    def solve(self, problem: Problem, canvas: Canvas) -> Clip:
        size = canvas.size
        paper, ink = np.array(problem.state["colours"], np.float32)
        frames = np.empty((canvas.frames, size, size, 3), np.float32)
        for k in range(canvas.frames):
            seconds = k / canvas.fps
            x, y = _place(problem, seconds) * size
            # The streak is straight, along the present direction, so that one frame shows it.
            vx, vy = _heading(problem, seconds) * STREAK * size
            streak = capsule(size, (x, y), (x - vx, y - vy), size * 1.5 / 64)
            picture = blend(np.broadcast_to(paper, frames.shape[1:]), 0.5 * streak, ink)
            frames[k] = blend(picture, disc(size, x, y, RADIUS * size), ink)
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        for time in impacts(problem, canvas.frames / canvas.fps):
            mix(track, thump(round(0.1 * canvas.rate), canvas.rate), time, canvas.rate)
        pixels = np.rint(frames).clip(0, 255).astype(np.uint8)
        return Clip(pixels, Fraction(canvas.fps), finish(track, canvas.rate), canvas.rate)

    def judge(self, problem: Problem, clip: Clip) -> Verdict:
        if clip.frames is None:
            return Verdict("unreadable", reason="no picture")
        size = clip.frames.shape[1]
        true = _place(problem, (len(clip.frames) - 1) / float(clip.fps)) * size
        seen = _ball(clip.frames[-1], problem)
        sound = _sound_evidence(problem, clip)
        if seen is None:
            return Verdict("unreadable", reason="no single ball to be seen", evidence=sound)
        error = float(np.hypot(*(seen - true)))
        allowed = self.tolerance * size
        return Verdict(
            answer="passed" if error <= allowed else "failed",
            reason=f"ball {error:.1f} px from its true place, {allowed:.1f} allowed",
            evidence={"error_px": round(error, 2), "seen": seen.round(1).tolist(), **sound},
        )


def impacts(problem: Problem, until: float) -> list[float]:
    """Times in seconds, sorted, at which the ball touches a wall before `until`."""
    times = []
    for p, v in zip(problem.state["position"], problem.state["velocity"], strict=True):
        if abs(v) < 1e-6:
            continue
        span = 1 - 2 * RADIUS
        first = ((1 - RADIUS - p) if v > 0 else (p - RADIUS)) / abs(v)
        times += list(np.arange(first, until, span / abs(v)))
    return sorted(float(t) for t in times)


def _fold(problem: Problem, seconds: float) -> tuple[np.ndarray, np.ndarray]:
    """Unfolded coordinate modulo a full there-and-back, and the span between the walls."""
    span = 1 - 2 * RADIUS
    start = np.array(problem.state["position"]) - RADIUS
    return (start + np.array(problem.state["velocity"]) * seconds) % (2 * span), np.array(span)


def _place(problem: Problem, seconds: float) -> np.ndarray:
    """Centre (x, y) of the ball as shares of the side."""
    unfolded, span = _fold(problem, seconds)
    return RADIUS + np.where(unfolded < span, unfolded, 2 * span - unfolded)


def _heading(problem: Problem, seconds: float) -> np.ndarray:
    """Velocity (x, y) in sides a second at that moment."""
    unfolded, span = _fold(problem, seconds)
    return np.array(problem.state["velocity"]) * np.where(unfolded < span, 1, -1)


def _ball(picture: np.ndarray, problem: Problem) -> np.ndarray | None:
    """Centre (x, y) in pixels of the ball, None where the picture holds no ball of its size.

    The streak is half as dark as the ball, so a threshold above one half leaves the disc alone.
    """
    size = picture.shape[0]
    paper, ink = np.array(problem.state["colours"], np.float32)
    axis = ink - paper
    dark = (picture.astype(np.float32) - paper) @ axis / (axis @ axis) > 0.65
    area = np.pi * (RADIUS * size) ** 2
    if not 0.4 * area < dark.sum() < 2.5 * area:
        return None
    y, x = np.nonzero(dark)
    centre = np.array([x.mean() + 0.5, y.mean() + 0.5])
    spread = np.hypot(x + 0.5 - centre[0], y + 0.5 - centre[1]).mean()
    # A disc's mean distance from its centre is 2/3 of its radius; two balls spread much wider.
    return centre if spread < 1.3 * RADIUS * size else None


def _sound_evidence(problem: Problem, clip: Clip) -> dict:
    """How many impacts are heard within 60 ms, and how many sounds belong to none."""
    assert clip.frames is not None
    if clip.audio is None or clip.rate is None:
        return {"heard": None}
    true = [t for t in impacts(problem, len(clip.frames) / float(clip.fps)) if t < clip.duration]
    heard = onsets(clip.audio[0], clip.rate)
    near = [t for t in true if len(heard) and np.abs(heard - t).min() < 0.06]
    stray = [t for t in heard if not true or np.abs(np.array(true) - t).min() >= 0.06]
    return {"impacts": len(true), "heard": len(near), "stray": len(stray)}


COMPONENT = Bounce
