"""Which ball: notes are written high and low; the balls that make them hop, larger ones lower."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, disc, palette
from phosphene.errors import PhospheneError
from phosphene.readers.cells import alike
from phosphene.readers.onsets import notes, out_of_step
from phosphene.sound import finish, mix, moments, tone
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "large balls sound low and small balls sound high; play the notes from left to right: the ball "
    "that makes a note hops as it sounds, and the box under the note takes the ball's colour",
    "which ball makes which note? the higher a note is written the higher it sounds, and the "
    "smaller its ball; one after another the balls hop and ring, and paint the note's box in their "
    "own colour",
    "play the tune on the balls, the lowest note on the largest one and the highest on the "
    "smallest, from about 260 to 1040 hertz; each ball jumps up once as it sounds and falls back "
    "into place, and the box below its note is filled with its colour; the camera doesn't move",
)
LOW, HIGH = 260.0, 1040.0  # Hz of the largest and of the smallest ball
FLOOR = 0.96  # y that the balls stand on, share of the side
CHART = (0.08, 0.05, 0.92, 0.38)  # x0, y0, x1, y1 of where the notes are written
BOXES = (0.41, 0.53)  # y0, y1 of the boxes under the notes
HOP, AIR = 0.14, 0.22  # height of a hop, share of the side; its length, share of the way
# One colour a ball, far apart: red, blue, green, gold, violet.
INKS = np.array(
    [[215, 40, 40], [40, 70, 225], [20, 150, 60], [235, 175, 20], [150, 50, 190]], np.float32
)


@dataclass(frozen=True)
class WhichBall(Task):
    """A chart of notes over boxes, and balls of different sizes and colours in any order.

    With four balls and four notes there are 108 tunes, 24 orders and 24 colourings; one problem in
    ten is held out. Sound must have one tone a note, of the right pitch to within half the step
    from one ball to the next, in step with the boxes' filling.

    Args:
        balls: 3..5.
        notes: 3..5; neighbours differ.
        variety: 0 for one paper and plain colours, 1 for free ones.
    """

    balls: int = 4
    notes: int = 4
    variety: float = 1.0
    name: ClassVar[str] = "which_ball"
    LADDER = ({"balls": 4, "notes": 4}, {"balls": 5, "notes": 4}, {"balls": 5, "notes": 5})
    PROCESS = True
    AUDIO_VISUAL = True
    VARIATIONS = ()

    def __post_init__(self) -> None:
        for field in ("balls", "notes"):
            if not 3 <= getattr(self, field) <= 5:
                raise PhospheneError(
                    f"which_ball.{field} must lie in 3..5; got {getattr(self, field)}"
                )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 23])
        while True:
            tune = [int(rng.integers(self.balls))]
            while len(tune) < self.notes:
                tune.append(int((tune[-1] + rng.integers(1, self.balls)) % self.balls))
            sizes = rng.permutation(self.balls).tolist()
            inks = rng.permutation(len(INKS))[: self.balls].tolist()
            if (split == "test") == held_out(f"which_ball {tune} {sizes} {inks}", 10):
                break
        shades = INKS[inks] + rng.uniform(-20, 20, (self.balls, 3)) * self.variety
        paper, ink = palette(rng, 1, self.variety)
        state = {
            "tune": tune,
            "sizes": sizes,
            "pace": int(rng.integers(2**31)),
            "answer": [sizes.index(self.balls - 1 - note) for note in tune],
            "colours": [paper.tolist(), ink.tolist(), *shades.clip(0, 255).tolist()],
        }
        caption = (
            f"{self.balls} balls of different sizes stand below a chart of {self.notes} notes; one "
            "after another balls hop and ring, and the box under each note takes a ball's colour"
        )
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        paper, ink, *shades = np.array(s["colours"], np.float32)
        picture = np.broadcast_to(paper, (size, size, 3)).astype(np.float32)
        x0, _, x1, _ = CHART
        for level in range(len(s["sizes"])):
            y, thin = _level(problem, level), 0.4 / 64
            picture = blend(picture, 0.35 * _box(size, x0, y - thin, x1, y + thin), ink)
        for j, note in enumerate(s["tune"]):
            a, b = _column(problem, j)
            y = _level(problem, note)
            picture = blend(picture, _box(size, a, y - 1.3 / 64, b, y + 1.3 / 64), ink)
            edge = 1 / 64
            frame = _box(size, a - edge, BOXES[0] - edge, b + edge, BOXES[1] + edge)
            picture = blend(picture, frame - _box(size, a, *BOXES[:1], b, BOXES[1]), ink)
        started = _moments(problem)
        pictures = np.empty((len(times), size, size, 3), np.float32)
        for k, time in enumerate(times):
            now = picture
            for j in np.flatnonzero(started <= time):
                a, b = _column(problem, int(j))
                now = blend(now, _box(size, a, BOXES[0], b, BOXES[1]), shades[s["answer"][j]])
            for i, shade in enumerate(shades):
                x, y, radius = _ball(problem, i)
                height = max(
                    [
                        _height(time - t)
                        for t, hit in zip(started, s["answer"], strict=True)
                        if hit == i
                    ],
                    default=0.0,
                )
                now = blend(now, disc(size, x * size, (y - height) * size, radius * size), shade)
            pictures[k] = now
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        started = _moments(problem) * canvas.seconds
        for i, start, end in zip(
            problem.state["answer"], started, [*started[1:], np.inf], strict=True
        ):
            seconds = min(0.15, end - start - 0.02)
            ring = tone(round(seconds * canvas.rate), canvas.rate, _pitch(problem, i), fade=0.01)
            mix(track, ring, start, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        area = np.zeros((size, size), np.float32)
        for j in range(len(problem.state["tune"])):
            a, b = _column(problem, j)
            area += _box(size, a, BOXES[0], b, BOXES[1])
        for i in range(len(problem.state["sizes"])):
            x, y, radius = _ball(problem, i)
            area += _box(size, x - radius, y - radius - HOP, x + radius, FLOOR)
        return area > 0.5

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        size, colours = len(first), np.array(problem.state["colours"], np.float32)
        names = np.empty((len(frames), len(problem.state["tune"])), int)
        clear = np.empty(names.shape, bool)
        for j in range(names.shape[1]):
            a, b = _column(problem, j)
            middle = _box(
                size, a + 0.3 * (b - a), BOXES[0] + 0.03, b - 0.3 * (b - a), BOXES[1] - 0.03
            )
            seen = np.median(frames[:, middle > 0.5], 1)
            names[:, j], clear[:, j] = alike(seen, np.delete(colours, 1, 0))
        lifted, gone = _balls(problem, frames, first)
        return [_reading(problem, *seen) for seen in zip(names, clear, lifted, gone, strict=True)]

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> Any:
        return [list(note) for note in notes(track, rate)]

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """Boxes fill from left to right, and the ball that fills one is seen in the air by then."""
        since = _since(trace)
        filled: list[int] = []
        for k, reading in sorted(trace.readings.items()):
            now = reading.answer or ([] if not reading.unreadable else filled)
            if now[: len(filled)] != filled:
                return "failed", f"a box changes again in frame {k}"
            # Two notes may fall into one frame of an eighth of a second, never more.
            if len(now) > len(filled) + 2:
                return "failed", f"frame {k} fills {len(now) - len(filled)} boxes at once"
            filled = now
        reach = max(1, round(0.3 * (trace.frames - 1)))
        for j, k in sorted(since.items()):
            near = range(k - reach, k + reach + 1)
            if not any(filled[j] in _lifted(trace, n) for n in near):
                return "failed", f"ball {filled[j] + 1} doesn't hop for note {j + 1}"
        for k in trace.readings:
            stray = _lifted(trace, k) - {filled[j] for j in since if abs(since[j] - k) <= reach}
            if stray:
                return "failed", f"ball {min(stray) + 1} hops in frame {k} for no note"
        return "passed", ""

    def sounds_right(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        wanted = self.work_out(problem)
        if len(trace.heard) != len(wanted):
            return "failed", f"{len(trace.heard)} tones are heard, not {len(wanted)}"
        half = np.log2(HIGH / LOW) / (len(problem.state["sizes"]) - 1) / 2
        for j, ((_, hertz), i) in enumerate(zip(trace.heard, wanted, strict=True), 1):
            if hertz is None:
                return "failed", f"tone {j} has no pitch"
            if abs(np.log2(hertz / _pitch(problem, i))) > half:
                return "failed", f"tone {j} has {hertz:.0f} Hz, not {_pitch(problem, i):.0f}"
        if trace.frames == 1:
            return "passed", ""
        fault = out_of_step([t for t, _ in trace.heard], sorted(_since(trace).values()), trace.fps)
        return ("failed", fault) if fault else ("passed", "")

    def work_out(self, problem: Problem) -> Any:
        sizes = problem.state["sizes"]
        return [sizes.index(len(sizes) - 1 - note) for note in problem.state["tune"]]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        balls = len(problem.state["sizes"])
        answer = [int(rng.integers(balls))]
        while len(answer) < len(problem.state["tune"]):
            answer.append(int((answer[-1] + rng.integers(1, balls)) % balls))
        return answer

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        state = dict(problem.state)
        if rng.random() < 0.5:
            sizes = state["sizes"]
            a, b = rng.permutation(len(sizes))[:2]
            sizes = list(sizes)
            sizes[a], sizes[b] = sizes[b], sizes[a]
            state["sizes"] = sizes
        else:
            tune = list(state["tune"])
            j = int(rng.integers(len(tune)))
            tune[j] = int((tune[j] + rng.integers(1, len(state["sizes"]))) % len(state["sizes"]))
            state["tune"] = tune
        return replace(problem, state=state)

    def say(self, answer: Any) -> str:
        return "balls " + " ".join(str(i + 1) for i in answer)


def _box(size: int, x0: float, y0: float, x1: float, y1: float) -> np.ndarray:
    return box(size, x0 * size, y0 * size, x1 * size, y1 * size)


def _level(problem: Problem, level: int) -> float:
    """y of a note that lies `level` steps above the lowest."""
    y0, y1 = CHART[1], CHART[3]
    return y1 - (y1 - y0) * (level + 0.5) / len(problem.state["sizes"])


def _column(problem: Problem, j: int) -> tuple[float, float]:
    """x0, x1 of the j-th note and of its box."""
    x0, x1 = CHART[0], CHART[2]
    width = (x1 - x0) / len(problem.state["tune"])
    middle, half = x0 + width * (j + 0.5), min(0.32 * width, 0.07)
    return middle - half, middle + half


def _ball(problem: Problem, i: int) -> tuple[float, float, float]:
    """x, y and radius of the i-th ball at rest, shares of the side; size 0 is the smallest."""
    sizes = problem.state["sizes"]
    radii = (
        (0.042 + (0.115 - 0.042) * np.array(sizes) / (len(sizes) - 1)) * 4.2 / max(len(sizes), 4.2)
    )
    gap = (0.94 - 2 * radii.sum()) / len(sizes)
    x = 0.03 + gap * (i + 0.5) + 2 * radii[:i].sum() + radii[i]
    return float(x), float(FLOOR - radii[i]), float(radii[i])


def _pitch(problem: Problem, i: int) -> float:
    """Hz of the i-th ball: evenly spaced steps, the largest one's lowest."""
    sizes = problem.state["sizes"]
    return float(HIGH * (LOW / HIGH) ** (sizes[i] / (len(sizes) - 1)))


def _moments(problem: Problem) -> np.ndarray:
    """When the notes are played, as shares of the way; other answers at other times."""
    rng = np.random.default_rng([problem.state["pace"], *problem.state["answer"]])
    return moments(rng, len(problem.state["answer"]), 0.05, 0.74, 0.13)


def _height(age: float) -> float:
    """Height of a hop, share of the side, `age` (share of the way) after it began."""
    return HOP * 4 * age * (AIR - age) / AIR**2 if 0 < age < AIR else 0.0


def _balls(
    problem: Problem, frames: np.ndarray, first: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """For each frame and ball, bool `(n, balls)` twice: in the air; neither at rest nor in the air.

    A ball has left the floor when its lowest quarter has become paper.
    """
    size, colours = len(first), np.array(problem.state["colours"], np.float32)
    lifted = np.empty((len(frames), len(problem.state["sizes"])), bool)
    gone = np.empty_like(lifted)
    for i in range(lifted.shape[1]):
        x, y, radius = _ball(problem, i)
        whole = disc(size, x * size, y * size, radius * size) > 0.9
        foot = whole & (np.arange(size)[:, None] + 0.5 > (y + 0.45 * radius) * size)
        column = _box(size, x - 0.7 * radius, y - radius - HOP, x + 0.7 * radius, FLOOR) > 0.5
        shade, paper = colours[2 + i], colours[0]
        ink = np.linalg.norm(frames - shade, axis=-1) < np.linalg.norm(frames - paper, axis=-1)
        lifted[:, i] = ink[:, foot].mean(1) < 0.5
        gone[:, i] = ink[:, column].sum(1) < 0.5 * (whole & column).sum()
    return lifted, gone


def _reading(
    problem: Problem, names: np.ndarray, clear: np.ndarray, lifted: np.ndarray, gone: np.ndarray
) -> Reading:
    """The answer is the balls of the boxes filled so far, from the left, without gaps."""
    count = int((names > 0).sum())
    fault = ""
    if not clear.all():
        fault = f"box {int((~clear).argmax()) + 1} has the colour of no ball"
    elif (names[:count] == 0).any():
        fault = "a box is left out"
    marks = []
    for i, up in enumerate(lifted):
        x, y, radius = _ball(problem, i)
        if up:
            marks.append(Mark("box", (x - radius, y - radius - HOP, x + radius, FLOOR), f"up {i}"))
    for j, name in enumerate(names):
        if name:
            a, b = _column(problem, j)
            marks.append(Mark("text", ((a + b) / 2, sum(BOXES) / 2), str(name)))
    altered = tuple(f"ball {i + 1}" for i in np.flatnonzero(gone))
    answer = [int(name) - 1 for name in names[:count]]
    return Reading(answer if answer and not fault else None, fault, altered, tuple(marks))


def _lifted(trace: Trace, k: int) -> set[int]:
    """The balls that are in the air in frame k."""
    reading = trace.readings.get(k)
    marks = reading.marks if reading else ()
    return {int(mark.text[3:]) for mark in marks if mark.text.startswith("up ")}


def _since(trace: Trace) -> dict[int, int]:
    """For each box the first frame that shows it filled."""
    since: dict[int, int] = {}
    for k, reading in sorted(trace.readings.items()):
        since |= {j: k for j in range(len(reading.answer or [])) if j not in since}
    return since


COMPONENT = WhichBall
