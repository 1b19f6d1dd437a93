"""Gravity: a ball, let go above ramps, pegs and bins. Lengths are 64ths of the picture's side."""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np

RADIUS = 4.0
START = 6.0  # how far below the top the ball is let go
WALL = 2.0  # half the thickness of walls, ramps and dividers
BINS, GROUND = 46.0, 61.0  # where dividers begin, and the floor's middle line
PULL = 640.0  # a second squared: the side is about a metre

# (kind, x, y, half length, tilt in degrees); (one end, other end, kind, half thickness)
Obstacle = tuple[str, int, int, int, int]
Wall = tuple[tuple[float, float], tuple[float, float], str, float]


class Fall(NamedTuple):
    """What becomes of a ball.

    Fields: `path` `(n, 3)`, seconds, x and y in 64ths of the side; `knocks`, (seconds, object hit);
    `touched`, how many of the obstacles it meets; `bin`, where it ends, None where it is stuck.
    """

    path: np.ndarray
    knocks: tuple[tuple[float, str], ...]
    touched: int
    bin: int | None


def walls_of(scene: tuple[Obstacle, ...], bins: int) -> list[Wall]:
    """All that stands still; the obstacles come last."""
    out = [
        ((0.0, GROUND), (64.0, GROUND), "floor", WALL),
        ((0.0, 0.0), (0.0, GROUND), "wall", WALL),
        ((64.0, 0.0), (64.0, GROUND), "wall", WALL),
    ]
    for i in range(1, bins):
        out.append(((64 * i / bins, BINS), (64 * i / bins, GROUND), "divider", WALL))
    for kind, x, y, half, tilt in scene:
        if kind == "peg":
            out.append(((x, y), (x, y), "peg", 3.0))
        else:
            dx, dy = half * np.cos(np.radians(tilt)), half * np.sin(np.radians(tilt))
            out.append(((x - dx, y - dy), (x + dx, y + dy), "ramp", WALL))
    return out


def roomy(scene: list[Obstacle]) -> bool:
    """Whether obstacles keep apart, by 6/64 of the side."""
    walls = walls_of(tuple(scene), 1)[3:]
    rows = [np.linspace(a, b, 12) for a, b, *_ in walls]
    return all(gaps_to(rows[i], walls[j]).min() >= 6 for i in range(len(rows)) for j in range(i))


@lru_cache(1024)
def fall(start: int, scene: tuple[Obstacle, ...], bins: int, shift: float, bounce: float) -> Fall:
    """Let a ball fall from (start + shift, `START`), by pymunk, in steps of 1/240 s.

    Once in a bin the ball loses 5 % of its speed at each step, as on sand.

    Args:
        start, shift: where, across.
        scene: obstacles from top to bottom.
        bins: how many, side by side.
        bounce: share of its speed that the ball keeps at an impact.
    """
    import pymunk

    space = pymunk.Space()
    space.gravity = (0, PULL)
    space.collision_slop = 0.02
    walls = walls_of(scene, bins)
    for a, b, _, thick in walls:
        shape = pymunk.Segment(space.static_body, a, b, thick)
        shape.elasticity, shape.friction = 1.0, 0.5
        space.add(shape)
    body = pymunk.Body(1.0, pymunk.moment_for_circle(1.0, 0, RADIUS))
    body.position = (start + shift, START)
    ball = pymunk.Circle(body, RADIUS)
    ball.elasticity, ball.friction = bounce, 0.5
    space.add(body, ball)
    step, path, knocks, still, end = 1 / 240, [(0.0, start + shift, START)], [], 0, None
    for i in range(1, 720):
        before = body.velocity
        space.step(step)
        (x, y), now = body.position, body.velocity
        path.append((i * step, x, y))
        kick = (now[0] - before[0]) ** 2 + (now[1] - before[1] - PULL * step) ** 2
        if kick > 40**2 and (not knocks or i * step - knocks[-1][0] > 0.05):
            gaps = [gaps_to(np.array([[x, y]]), wall)[0] for wall in walls]
            knocks.append((i * step, walls[int(np.argmin(gaps))][2]))
        if y > BINS + RADIUS:
            body.velocity = now * 0.95
            body.angular_velocity *= 0.95
            still = still + 1 if now.length < 12 else 0
            if still > 6:
                end = int(x * bins / 64)
                break
    way = np.array(path)
    met = [
        gaps_to(way[:, 1:], wall).min() < RADIUS + 0.4 for wall in walls[len(walls) - len(scene) :]
    ]
    return Fall(way, tuple(knocks), int(np.sum(met)), end)


def gaps_to(places: np.ndarray, wall: Wall) -> np.ndarray:
    """How far places `(n, 2)` lie from the surface of a wall, `(n,)`."""
    a, b = np.array(wall[0]), np.array(wall[1])
    along = np.clip((places - a) @ (b - a) / max((b - a) @ (b - a), 1e-9), 0, 1)
    return np.hypot(*(places - a - along[:, None] * (b - a)).T) - wall[3]


def crosses(
    before: np.ndarray, now: np.ndarray, a: tuple[float, float], b: tuple[float, float]
) -> bool:
    """Whether the way from one place to the next cuts a wall well inside its ends.

    Between two frames a ball may go round an end: a ball's width there doesn't count.
    """
    start, end = np.array(a), np.array(b)
    length = np.hypot(*(end - start))
    if length <= 3 * RADIUS:
        return False
    inset = (end - start) / length * 1.5 * RADIUS
    start, end = start + inset, end - inset

    def side(p: np.ndarray, q: np.ndarray, r: np.ndarray) -> float:
        return float((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]))

    apart = side(start, end, before) * side(start, end, now) < 0
    return apart and side(before, now, start) * side(before, now, end) < 0
