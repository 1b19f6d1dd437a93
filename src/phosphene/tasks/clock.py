"""Clock: the first frame shows a clock's face; the video writes the time below it, as H:MM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, capsule, palette
from phosphene.errors import PhospheneError
from phosphene.readers.numbers import Area, read_written, reading, rectangle
from phosphene.readers.scene import softened
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Reading
from phosphene.writing import CLEAR_FONTS, Line, film_writing, hear_spelled, spell

PROMPTS = (
    "read the clock and write the time below it",
    "what time does the clock show? write it on the line, as hours:minutes",
    "write down the time in digits; keep the camera still and leave the clock as it is",
)
STEPS = (60, 30, 15, 5, 1)
# As shares of the face's radius: the hands' lengths, and circles that both and one of them cross.
HOUR, MINUTE = 0.53, 0.83
BOTH, LONG = 0.4, 0.69
PROFILE = 720  # directions that are looked at around the face
BLUNT = 12  # the same, by which a hand may seem wider or further on: a minute


@dataclass(frozen=True)
class Clock(Task):
    """Twelve at the top, a thick short hand for the hours and a thin long one for the minutes.

    One time in five is held out of training. There are 12, 24, 48, 144 or 720 times, each in
    endless looks.

    Args:
        step: minutes between the times that are dealt: 60, 30, 15, 5 or 1.
        variety: 0 for one font and colour; 1 for all fonts and colours.
    """

    step: int = 5
    variety: float = 1.0
    name: ClassVar[str] = "clock"
    LADDER = ({"step": 30}, {"step": 15}, {"step": 5}, {"step": 1})

    def __post_init__(self) -> None:
        if self.step not in STEPS:
            raise PhospheneError(
                f"clock.step must be one of {', '.join(map(str, STEPS))}; got {self.step}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 23])
        times = [
            t for t in range(0, 720, self.step) if (split == "test") == held_out(f"clock {t}", 5)
        ]
        minutes = int(rng.choice(times))
        varied = rng.random() < self.variety
        state = {
            "minutes": minutes,
            "answer": _digits(minutes),
            "font": int(rng.choice(CLEAR_FONTS)) if varied else 0,
            "colours": palette(rng, 4, self.variety if varied else 0.0).tolist(),
            "dial": (255 - rng.uniform(0, 70, 3) * self.variety).tolist(),
            # Centre (x, y) and radius of the face, shares of the side.
            "face": [
                0.5 + float(rng.uniform(-8, 8) / 64 * self.variety),
                22.5 / 64,
                21 / 64 - float(rng.uniform(0, 4) / 64 * self.variety),
            ],
        }
        hour, minute = minutes // 60 or 12, minutes % 60
        caption = f"a clock shows {minute} minutes past {hour}; the time is written below it"
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["colours"], np.float32)
        given = _picture(size, s, colours)
        return film_writing(given, _answer(s), s["font"], colours[1], times)

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        return spell(problem.state["answer"], canvas)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        return rectangle(_area(size), size)

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        area, size = _area(len(first)), len(first)
        readings = []
        # At 64 pixels a colon is two specks: it may be there or not.
        then = softened(frames[0], first, ~rectangle(area, size))
        every = read_written(frames, first, area, "0123456789:", optional=":")
        for written, frame in zip(every, frames, strict=True):
            one = reading(written, _moved_hands(frame, then, problem.state["face"]), area, size)
            readings.append(replace(one, answer=_time(written.text)))
        return readings

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> str:
        return hear_spelled(track, rate)

    def work_out(self, problem: Problem) -> Any:
        hour, minute = divmod(problem.state["minutes"], 60)
        return f"{hour or 12}:{minute:02d}"

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        return _digits(int(rng.choice(range(0, 720, self.step))))

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """Another time on the clock, at least five minutes away."""
        times = np.arange(0, 720, max(self.step, 5))
        now = problem.state["minutes"]
        minutes = int(rng.choice(times[np.abs(times - now) >= 5]))
        return replace(problem, state={**problem.state, "minutes": minutes})


def _digits(minutes: int) -> str:
    return f"{minutes // 60 or 12}:{minutes % 60:02d}"


def _time(text: str) -> str | None:
    """Digits as a time, the last two for the minutes; fewer than three as they are."""
    if len(text) < 3:
        return text or None
    return f"{text[:-2].removeprefix('0')}:{text[-2:]}"


def _picture(size: int, s: Any, colours: np.ndarray) -> np.ndarray:
    """The clock and the line below it, float32 `(s, s, 3)`."""
    paper, ink, short, _, long = colours
    cx, cy, radius = (size * share for share in s["face"])
    y, x = np.mgrid[:size, :size].astype(np.float32) + 0.5
    away, unit = np.hypot(x - cx, y - cy), size / 64
    picture = np.broadcast_to(paper, (size, size, 3))
    dial = np.clip(radius - away + 0.5, 0, 1)
    picture = blend(picture, dial, np.array(s["dial"], np.float32))
    dark = np.clip(0.8 * unit - np.abs(away - radius) + 0.5, 0, 1)

    def stroke(turn: float, start: float, end: float, width: float) -> np.ndarray:
        """A stroke along a direction between shares of the radius; half its width in pixels."""
        across, up = np.sin(2 * np.pi * turn) * radius, np.cos(2 * np.pi * turn) * radius
        tips = [(float(cx + r * across), float(cy - r * up)) for r in (start, end)]
        return capsule(size, tips[0], tips[1], width * unit)

    for hour in range(12):
        dark = np.maximum(dark, stroke(hour / 12, 0.88 - 0.05 * (hour % 3 == 0), 0.93, 0.6))
    picture = blend(picture, dark, ink)
    picture = blend(picture, stroke(s["minutes"] / 720, 0, HOUR, 1.5), short)
    picture = blend(picture, stroke(s["minutes"] % 60 / 60, 0, MINUTE, 0.9), long)
    left, right = (6 * unit, 63.2 * unit), (58 * unit, 63.2 * unit)
    return blend(picture, 0.5 * capsule(size, left, right, 0.5 * unit), ink)


def _moved_hands(frame: np.ndarray, first: np.ndarray, face: Any) -> tuple[str, ...]:
    """Whether a hand points elsewhere than in the first frame.

    On a circle that both hands cross, and on one that the long hand alone reaches, every direction
    that is dark in one picture must be dark nearby in the other.
    """
    from scipy.ndimage import maximum_filter1d

    def near(dark: np.ndarray) -> np.ndarray:
        spread = maximum_filter1d(dark.astype(np.uint8), 2 * BLUNT + 1, mode="wrap")
        return np.asarray(spread, bool)

    out = []
    for name, share in (("the hour hand", BOTH), ("the minute hand", LONG)):
        now, then = (_profile(picture, face, share) for picture in (frame, first))
        gone = then & ~near(now)
        new = now & ~near(then)
        if gone.sum() + new.sum() > 4:
            out.append(f"{name} has moved")
    return tuple(out)


def _profile(picture: np.ndarray, face: Any, share: float) -> np.ndarray:
    """Which of `PROFILE` directions are dark on a circle of that share of the radius: bool."""
    from scipy.ndimage import map_coordinates

    size, turn = len(picture), np.arange(PROFILE) / PROFILE * 2 * np.pi
    cx, cy, radius = face
    x = (cx + share * radius * np.sin(turn)) * size - 0.5
    y = (cy - share * radius * np.cos(turn)) * size - 0.5
    values = np.stack(
        [map_coordinates(picture[..., c].astype(np.float32), [y, x], order=1) for c in range(3)]
    )
    away = np.abs(values - np.median(values, 1, keepdims=True)).max(0)
    return away > 0.45 * max(float(away.max()), 60)


def _answer(s: Any) -> Line:
    text = s["answer"] or ""
    return Line(text, 0.5 - len(text) * 5 / 64, 46.5 / 64)


def _area(size: int) -> Area:
    """The strip below the face."""
    return round(size * 46 / 64), round(size * 3 / 64), size, round(size * 61 / 64)


COMPONENT = Clock
