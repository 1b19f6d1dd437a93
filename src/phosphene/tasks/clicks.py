"""Clicks: every dot of the box's colour lights up with a click; a tally in the box counts them."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, disc, palette
from phosphene.errors import PhospheneError
from phosphene.readers.ink import drawn
from phosphene.readers.onsets import notes, out_of_step
from phosphene.sound import finish, mix, moments, thump
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "how many dots have the colour of the box? each of them lights up with a click, one after "
    "another, and the box gets a stroke for every click",
    "count the dots in the colour of the frame below: light them up one by one, click once for "
    "each, higher dots with higher clicks, and keep a tally of upright strokes in the frame",
    "one at a time every dot that matches the box starts to glow with a short click, the higher "
    "the dot the higher the click, and a stroke is added in the box; the camera is fixed and "
    "nothing else changes",
)
COLUMNS, ROWS = 4, 3
RADIUS, CORE = 5.2 / 64, 2.7 / 64  # of a dot, and of the glow inside it, as shares of the side
INSIDE = (0.09, 0.79, 0.91, 0.95)  # x0, y0, x1, y1 of the box's inside, shares of the side
STROKE, HEIGHT = 2 / 64, 0.105  # width and height of a tally stroke
MOST = 8
PITCHES = 1250.0 / 1.6 ** np.arange(ROWS)  # Hz, the top row's first
GLOW = np.array([255, 240, 170], np.float32)


@dataclass(frozen=True)
class Clicks(Task):
    """Dots of up to three colours on a loose 4 x 3 grid, and a box of one of the colours.

    Places and colours of the dots alone make tens of millions of problems; one in ten is held out.
    Sound must have one click for each dot that lights up, in step with it, and higher clicks for
    dots of higher rows. Times are irregular, so one problem's clicks don't fit another.

    Args:
        fewest, most: dots of the box's colour, 1..8. Below 3 a jump to the answer can't be told
            from a count.
        others: dots of other colours, up to 12 with `most`.
        variety: 0 for fixed colours and an even grid, 1 for free colours and places.
    """

    fewest: int = 4
    most: int = 8
    others: int = 3
    variety: float = 1.0
    name: ClassVar[str] = "clicks"
    LADDER = (
        {"fewest": 4, "most": 5, "others": 2},
        {"fewest": 4, "most": 6, "others": 3},
        {"fewest": 4, "most": 8, "others": 4},
    )
    PROCESS = True
    AUDIO_VISUAL = True

    def __post_init__(self) -> None:
        if not 1 <= self.fewest <= self.most <= MOST:
            raise PhospheneError(
                f"clicks wants 1 <= fewest <= most <= {MOST}; got {self.fewest}, {self.most}"
            )
        if not 0 <= self.others <= COLUMNS * ROWS - self.most:
            raise PhospheneError(
                f"clicks.others must lie in 0..{COLUMNS * ROWS - self.most} beside "
                f"{self.most} dots; got {self.others}"
            )

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 21])
        while True:
            count = int(rng.integers(self.fewest, self.most + 1))
            cells = rng.permutation(COLUMNS * ROWS)[: count + self.others]
            target = int(rng.integers(3))
            kinds = [target] * count + [
                int(k) for k in (target + rng.integers(1, 3, self.others)) % 3
            ]
            dots = sorted(zip(cells.tolist(), kinds, strict=True))
            if (split == "test") == held_out(f"clicks {target} {dots}", 10):
                break
        row, column = np.divmod(np.array([cell for cell, _ in dots]), COLUMNS)
        even = np.stack([0.14 + 0.24 * column, 0.13 + 0.235 * row])
        sway = rng.uniform(-1, 1, (2, len(dots))) * self.variety * 1.5 / 64
        wanted = [i for i, (_, kind) in enumerate(dots) if kind == target]
        state = {
            "places": (even + sway).T.tolist(),
            "rows": row.tolist(),
            "kinds": [kind for _, kind in dots],
            "target": target,
            "pace": int(rng.integers(2**31)),
            "answer": [count, wanted],
            "colours": np.delete(palette(rng, 4, self.variety), 1, 0).tolist(),
        }
        caption = (
            f"{count + self.others} dots stand over a box; those that have the colour of the box "
            "light up one by one, each with a click, and strokes in the box count them"
        )
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["colours"], np.float32)
        ink = colours[1 + s["target"]]
        picture = np.broadcast_to(colours[0], (size, size, 3)).astype(np.float32)
        x0, y0, x1, y1 = INSIDE
        edge = 1.5 / 64
        outer = box(size, *(size * np.array([x0 - edge, y0 - edge, x1 + edge, y1 + edge])))
        picture = blend(picture, outer - box(size, *(size * np.array(INSIDE))), ink)
        for (x, y), kind in zip(s["places"], s["kinds"], strict=True):
            picture = blend(
                picture, disc(size, x * size, y * size, RADIUS * size), colours[1 + kind]
            )
        count, order = s["answer"][0], self._order(problem)
        stages = [picture]
        for i in range(max(count, len(order))):
            if i < len(order):
                x, y = (v * size for v in s["places"][order[i]])
                picture = blend(picture, disc(size, x, y, CORE * size), GLOW)
            if i < count:
                picture = blend(picture, box(size, *(size * _stroke(i))), ink)
            stages.append(picture)
        shown = np.searchsorted(self._moments(problem), times, "right")
        return np.stack(stages)[shown]

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        for i, moment in zip(self._order(problem), self._moments(problem), strict=False):
            click = thump(
                round(0.06 * canvas.rate),
                canvas.rate,
                float(PITCHES[problem.state["rows"][i]]),
                decay=0.012,
            )
            mix(track, click, moment * canvas.seconds, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        area = box(size, *(size * _within(0.03)))
        for x, y in problem.state["places"]:
            area = area + disc(size, x * size, y * size, CORE * size)
        return area > 0.5

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        places, size = np.array(problem.state["places"]), len(first)
        paper = np.array(problem.state["colours"][0])
        away = np.abs(frames.astype(np.int16) - first.astype(np.int16)).max(-1)
        core, rim = np.empty((2, len(frames), len(places)), np.float32)
        for i, (x, y) in enumerate(places * size):
            whole = disc(size, x, y, RADIUS * size)
            middle = disc(size, x, y, CORE * size * 0.75) > 0.5
            core[:, i] = away[:, middle].mean(1)
            ring = (whole > 0.9) & (disc(size, x, y, RADIUS * size * 0.82) < 0.5)
            glow = np.median(frames[:, middle], 1)
            rim[:, i] = _strange(
                np.median(frames[:, ring], 1), np.median(first[ring], 0), paper, glow
            )
        tally = drawn(frames, first, contrast=255)
        return [self._reading(problem, *seen) for seen in zip(core, rim, tally, strict=True)]

    def _reading(
        self, problem: Problem, core: np.ndarray, rim: np.ndarray, tally: np.ndarray
    ) -> Reading:
        lit = np.flatnonzero(core > 42).tolist()
        altered = tuple(f"dot {i + 1}" for i in np.flatnonzero(rim > 100))
        strokes, blot = _strokes(tally)
        marks = [Mark("point", tuple(problem.state["places"][i]), str(i + 1)) for i in lit]
        marks += [Mark("box", stroke) for stroke in strokes]
        answer = [len(strokes), lit] if strokes or lit else None
        return Reading(None if blot else answer, blot, altered, tuple(marks))

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> Any:
        return [list(note) for note in notes(track, rate)]

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """Lights go on and stay on, a few at a time; strokes are added as they do."""
        before: tuple[int, set[int]] = (0, set())
        lights = len(problem.state["answer"][1])
        # What is a click each 80 ms falls two at a time into frames of 125 ms.
        at_once = max(2, int(np.ceil(2 * lights / max(trace.frames - 1, 1))))
        for k, (count, lit) in _shown(trace).items():
            if before[1] - lit:
                return "failed", f"dot {min(before[1] - lit) + 1} goes out again in frame {k}"
            if count < before[0]:
                return "failed", f"a stroke is lost in frame {k}"
            if max(len(lit - before[1]), count - before[0]) > at_once:
                return "failed", f"frame {k} counts {len(lit - before[1])} dots at once"
            before = count, lit
        return "passed", ""

    def sounds_right(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        heard, wanted = trace.heard, problem.state["kinds"].count(problem.state["target"])
        if len(heard) != wanted:
            return "failed", f"{len(heard)} clicks are heard, not {wanted}"
        since = {}
        for k, (_, lit) in _shown(trace).items():
            since |= {i: k for i in lit if i not in since}
        fault = out_of_step([t for t, _ in heard], sorted(since.values()), trace.fps)
        if fault and trace.frames > 1:
            return "failed", fault
        return _in_tune(problem, since, [hertz for _, hertz in heard])

    def work_out(self, problem: Problem) -> Any:
        s = problem.state
        wanted = [i for i, kind in enumerate(s["kinds"]) if kind == s["target"]]
        return [len(wanted), wanted]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        dots = len(problem.state["places"])
        count = int(rng.integers(1, min(dots, MOST) + 1))
        return [count, sorted(rng.permutation(dots)[:count].tolist())]

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        kinds = list(problem.state["kinds"])
        i = int(rng.integers(len(kinds)))
        kinds[i] = int((kinds[i] + rng.integers(1, 3)) % 3)
        return replace(problem, state={**problem.state, "kinds": kinds})

    def say(self, answer: Any) -> str:
        count, lit = answer
        return f"{count} strokes, lit dots {' '.join(str(i + 1) for i in lit) or 'none'}"

    def _order(self, problem: Problem) -> list[int]:
        """The dots that light up, from left to right."""
        return sorted(problem.state["answer"][1], key=lambda i: problem.state["places"][i][0])

    def _moments(self, problem: Problem) -> np.ndarray:
        """When each of them does, as shares of the way, done well before the end.

        Other answers come at other times, as other players would.
        """
        count, lit = problem.state["answer"]
        rng = np.random.default_rng([problem.state["pace"], count, *lit])
        return moments(rng, max(count, len(lit)), 0.06, 0.68, 0.085)


def _strange(seen: np.ndarray, ink: np.ndarray, paper: np.ndarray, glow: np.ndarray) -> np.ndarray:
    """How far a rim's colours `(n, 3)` lie from its ink, levels of 255 `(n,)`.

    Up to three fourths of paper or of the dot's own glow may have been smeared into it.
    """
    away = []
    for other in (np.broadcast_to(paper, glow.shape), glow):
        axis = other - ink
        share = ((seen - ink) * axis).sum(-1) / np.maximum((axis**2).sum(-1), 1)
        away.append(np.linalg.norm(seen - ink - share.clip(0, 0.75)[:, None] * axis, axis=-1))
    return np.minimum(*away)


def _within(margin: float) -> np.ndarray:
    """x0, y0, x1, y1 of the box's inside less a margin, shares of the side."""
    return np.array(INSIDE) + margin * np.array([1, 1, -1, -1])


def _stroke(i: int) -> np.ndarray:
    """x0, y0, x1, y1 of the i-th tally stroke, shares of the side."""
    x = INSIDE[0] + (INSIDE[2] - INSIDE[0]) * (i + 0.5) / MOST
    y = (INSIDE[1] + INSIDE[3]) / 2
    return np.array([x - STROKE / 2, y - HEIGHT / 2, x + STROKE / 2, y + HEIGHT / 2])


def _strokes(ink: np.ndarray) -> tuple[list[tuple[float, ...]], str]:
    """The upright strokes drawn in the box, as boxes, and what there can't be read, if anything."""
    from scipy import ndimage

    size = len(ink)
    # Codecs smear the box's frame; the pixels next to it are left out.
    x0, y0, x1, y1 = (round(v * size) for v in _within(0.03))
    inside = ink[y0:y1, x0:x1]
    labels = np.zeros(inside.shape, np.int32)
    # Well on the way to the darkest ink, so that blurred strokes stay apart.
    ndimage.label(inside > max(32 / 255, 0.38 * inside.max()), np.ones((3, 3)), labels)
    strokes = []
    for rows, columns in ndimage.find_objects(labels):
        high, wide = (rows.stop - rows.start) / size, (columns.stop - columns.start) / size
        if high < 0.3 * HEIGHT and wide < 0.3 * HEIGHT:
            continue
        if high < 0.55 * HEIGHT or wide > 0.8 * high:
            return [], "a mark in the box is no upright stroke"
        left, top = (columns.start + x0) / size, (rows.start + y0) / size
        strokes.append((left, top, left + wide, top + high))
    return sorted(strokes), ""


def _shown(trace: Trace) -> dict[int, tuple[int, set[int]]]:
    """For each readable frame the number of strokes and the dots that are lit."""
    out = {}
    for k, reading in sorted(trace.readings.items()):
        if not reading.unreadable:
            count, lit = reading.answer if reading.answer else (0, [])
            out[k] = (count, set(lit))
    return out


def _in_tune(
    problem: Problem, since: dict[int, int], hertz: list[float | None]
) -> tuple[Part, str]:
    """Whether clicks of higher rows are higher by a twentieth at least.

    Among dots that light up within one frame the higher ones take the higher clicks.
    """
    rows = problem.state["rows"]
    order = sorted(since, key=lambda i: (since[i], rows[i]))
    if len(order) != len(hertz):
        return "failed", f"{len(hertz)} clicks for {len(order)} lit dots"
    if None in hertz:
        return "failed", f"click {hertz.index(None) + 1} has no pitch"
    found: list[float] = []
    for frame in sorted(set(since.values())):
        start = len(found)
        part = hertz[start : start + sum(k == frame for k in since.values())]
        found += sorted((h for h in part if h), reverse=True)
    for a, first in zip(order, found, strict=True):
        for b, second in zip(order, found, strict=True):
            if rows[a] < rows[b] and first < 1.05 * second:
                return "failed", f"dot {a + 1} stands higher than dot {b + 1}, its click doesn't"
    return "passed", ""


COMPONENT = Clicks
