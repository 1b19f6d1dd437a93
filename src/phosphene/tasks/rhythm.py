"""Rhythm: a pattern of beats repeats; a line runs along and plays it, and paints how it goes on."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise, product
from typing import Any, ClassVar

import numpy as np

from phosphene.draw import blend, box, palette
from phosphene.errors import PhospheneError
from phosphene.readers.ink import drawn
from phosphene.readers.onsets import SLACK, notes
from phosphene.sound import finish, mix, thump
from phosphene.task import Canvas, Problem, Split, Task, held_out
from phosphene.trace import Mark, Reading, Trace
from phosphene.verdict import Part

PROMPTS = (
    "continue the rhythm: a line grows from left to right under the beats, every filled beat "
    "sounds as the line passes it, and beats under the bar are filled in as the pattern goes on",
    "the row of beats repeats a pattern; fill in the beats under the bar so that it goes on, while "
    "a line below runs from left to right and each filled beat is heard when the line reaches it",
    "play this drum pattern from left to right, higher rows sound higher, draw the line on below "
    "as it plays, and paint the missing beats when their turn comes; what is already there stays "
    "as it is, the camera is fixed",
)
RIGHT = 0.9  # the grid's right side, share of the side
CELL = 0.2  # height of a row, share of the side
LINE = 4 / 64  # the line's width
FRONT = "line"  # what marks its end in a reading
BEATS = 12  # at most: 80 ms each in a clip of a second
PITCHES = 990.0 / 1.8 ** np.arange(3)  # Hz, the top row's first


@dataclass(frozen=True)
class Rhythm(Task):
    """A step sequencer: rows are drums, columns are beats; at most one drum plays on a beat.

    At least two full periods are given, so the shortest period that fits is the only one. With
    three drums there are about three hundred patterns, dealt at any tempo; a third is held out.
    Sound must have a click at every filled beat when the line passes its middle, none at rests,
    the same click for the same row and higher ones for higher rows.

    Args:
        drums: rows, 1..3.
        shortest, longest: the pattern's period in beats, 2..5.
        given, hidden: beats shown, at least two of the longest periods, and beats to fill in; at
            most 12 together.
        variety: 0 for fixed colours and height, 1 for free ones.
    """

    drums: int = 2
    shortest: int = 3
    longest: int = 4
    given: int = 8
    hidden: int = 4
    variety: float = 1.0
    name: ClassVar[str] = "rhythm"
    LADDER = (
        {"drums": 1, "shortest": 2, "longest": 4, "given": 8, "hidden": 4},
        {"drums": 2, "shortest": 2, "longest": 3, "given": 6, "hidden": 4},
        {"drums": 2, "shortest": 3, "longest": 4, "given": 8, "hidden": 4},
        {"drums": 3, "shortest": 4, "longest": 4, "given": 8, "hidden": 4},
    )
    PROCESS = True
    AUDIO_VISUAL = True

    def __post_init__(self) -> None:
        if not 1 <= self.drums <= 3:
            raise PhospheneError(f"rhythm.drums must lie in 1..3; got {self.drums}")
        if not 2 <= self.shortest <= self.longest <= 5:
            raise PhospheneError(
                f"rhythm wants 2 <= shortest <= longest <= 5; got {self.shortest}, {self.longest}"
            )
        if self.given < 2 * self.longest:
            raise PhospheneError(
                f"rhythm.given must be at least {2 * self.longest}, two periods; got {self.given}"
            )
        if self.hidden < 2 or self.given + self.hidden > BEATS:
            raise PhospheneError(
                f"rhythm.hidden must lie in 2..{BEATS - self.given} beside {self.given} beats; "
                f"got {self.hidden}"
            )

    def patterns(self, split: Split) -> list[tuple[int, ...]]:
        """Every pattern of a split: for each beat of a period 0 for a rest, else `1 << row`."""
        every = []
        for period in range(self.shortest, self.longest + 1):
            for drums in product(range(self.drums + 1), repeat=period):
                hits = tuple(drum and 1 << (drum - 1) for drum in drums)
                shown = (hits * BEATS)[: self.given + self.hidden]
                if _period(list(shown[: self.given])) == period and any(shown[self.given :]):
                    every.append(hits)
        return [p for p in every if (split == "test") == held_out(f"rhythm {p}", 3)]

    def sample(self, seed: int, split: Split = "test") -> Problem:
        rng = np.random.default_rng([seed, split == "test", 22])
        patterns = self.patterns(split)
        last = self.given + self.hidden - 1
        while True:
            pattern = patterns[rng.integers(len(patterns))]
            beats = list((pattern * BEATS)[: last + 1])
            # The line starts a part of a beat before the first one and ends just after the last.
            end = rng.uniform(0.92, 0.97)
            lead = rng.uniform(0.35, min(end / 0.08 - last, 1))
            beat = end / (last + lead)
            if not _palindrome(beats, lead, beat):
                break
        room = 0.39 - self.drums * CELL / 2
        state = {
            "drums": self.drums,
            "left": float(0.1 + self.variety * rng.uniform(-0.04, 0.03)),
            "middle": float(0.47 + room * self.variety * rng.uniform(-1, 1)),
            "given": beats[: self.given],
            "lead": float(lead),
            "beat": float(beat),
            "answer": beats[self.given :],
            "colours": palette(rng, 4, self.variety).tolist(),
        }
        caption = (
            f"a drum pattern of {len(beats)} beats is played from left to right by a marker that "
            f"moves below it; its last {self.hidden} beats are painted as it goes on"
        )
        return Problem(self.name, seed, split, PROMPTS, caption, state)

    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        s, size = problem.state, canvas.size
        colours = np.array(s["colours"], np.float32)
        given, count = len(s["given"]), _count(problem)
        picture = np.broadcast_to(colours[0], (size, size, 3)).astype(np.float32)
        for row in range(s["drums"]):
            for beat in range(count):
                cover = 0.22 if beat < given else 0.1
                picture = blend(
                    picture, cover * box(size, *(size * _cell(problem, row, beat))), colours[1]
                )
        x0, top, _, _ = _cell(problem, 0, given)
        bar = box(size, x0 * size, (top - 0.06) * size, RIGHT * size, (top - 0.03) * size)
        picture = blend(picture, bar, colours[4])
        lane = _lane(problem) * size
        track = box(size, _front(problem, 0) * size, lane - size / 128, size, lane + size / 128)
        picture = blend(picture, 0.2 * track, colours[1])
        for beat, hit in enumerate(s["given"]):
            picture = _hit(picture, problem, beat, hit, colours[2])
        stages = [picture]
        for beat, hit in enumerate(s["answer"], given):
            stages.append(_hit(stages[-1], problem, beat, hit, colours[2]))
        struck = np.array([_moment(problem, beat) for beat in range(given, count)])
        shown = np.searchsorted(struck, times, "right")
        pictures = np.stack(stages)[shown]
        low, high = (size * (_lane(problem) + side * LINE / 2) for side in (-1, 1))
        for k, time in enumerate(times):
            line = box(size, _front(problem, 0) * size, low, _front(problem, time) * size, high)
            pictures[k] = blend(pictures[k], line, colours[4])
        return pictures

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        track = np.zeros(round(canvas.frames / canvas.fps * canvas.rate), np.float32)
        for beat, hit in enumerate([*problem.state["given"], *problem.state["answer"]]):
            for row in _rows(hit):
                drum = thump(round(0.06 * canvas.rate), canvas.rate, PITCHES[row], decay=0.014)
                mix(track, drum, _moment(problem, beat) * canvas.seconds, canvas.rate)
        return finish(track, canvas.rate)

    def region(self, problem: Problem, size: int) -> np.ndarray:
        lane = _lane(problem)
        area = box(size, 0, (lane - LINE) * size, size, (lane + LINE) * size)
        for row in range(problem.state["drums"]):
            for beat in range(len(problem.state["given"]), _count(problem)):
                area = area + box(size, *(size * _cell(problem, row, beat)))
        return area > 0.5

    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        away = np.abs(frames.astype(np.int16) - first.astype(np.int16)).max(-1)
        size, given, count = len(first), len(problem.state["given"]), _count(problem)
        changed = np.zeros((len(frames), problem.state["drums"], count), np.float32)
        for row, beat in np.ndindex(changed.shape[1:]):
            x0, y0, x1, y1 = _cell(problem, row, beat) * size
            rows = _core(y0, y1, 0.5)
            columns = _core(x0, x1, 0.3)
            changed[:, row, beat] = away[:, rows, columns].mean((1, 2))
        lane = _lane(problem) * size
        fronts = _fronts(
            drawn(
                frames[:, round(lane - 1) : round(lane + 1)],
                first[round(lane - 1) : round(lane + 1)],
            )
        )
        return [
            _reading(problem, c[:, :given], c[:, given:], front)
            for c, front in zip(changed, fronts, strict=True)
        ]

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> Any:
        return [list(note) for note in notes(track, rate)]

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """The line runs past every beat without jumps; what is painted stays."""
        run = _run(problem, trace)
        if len(run) < 2 or run[-1][1] < _middle(problem, _count(problem) - 1) - 0.02:
            return "failed", "the line doesn't run past all beats"
        jump = 3 * max(1 / _count(problem), 1 / (trace.frames - 1))
        for (k, x), (later, onward) in pairwise(run):
            if onward < x - 0.03:
                return "failed", f"the line runs back in frame {later}"
            if onward - x > jump * (later - k):
                return "failed", f"the line jumps in frame {later}"
        before = [0] * len(problem.state["answer"])
        for k, reading in sorted(trace.readings.items()):
            now = reading.answer or ([0] * len(before) if not reading.unreadable else before)
            if any(b & ~n for b, n in zip(before, now, strict=True)):
                return "failed", f"a painted beat is gone in frame {k}"
            before = now
        return "passed", ""

    def sounds_right(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        beats = [*problem.state["given"], *self.work_out(problem)]
        hits = [beat for beat, hit in enumerate(beats) if hit]
        rows = [beats[beat] for beat in hits]
        if len(trace.heard) != len(hits):
            return "failed", f"{len(trace.heard)} clicks are heard, not {len(hits)}"
        if trace.frames == 1:
            return _in_tune(rows, [hertz for _, hertz in trace.heard])
        run = _run(problem, trace)
        if len(run) < 2:
            return "failed", "no line to play by"
        # When the line passes each beat's middle; where it rests, the last moment of the rest.
        places, back = np.unique([x for _, x in run][::-1], return_index=True)
        seconds = np.array([k for k, _ in run])[::-1][back] / trace.fps
        passed = np.interp([_middle(problem, beat) for beat in hits], places, seconds)
        fault = _off_beat(hits, np.array([time for time, _ in trace.heard]), passed)
        return ("failed", fault) if fault else _in_tune(rows, [hertz for _, hertz in trace.heard])

    def work_out(self, problem: Problem) -> Any:
        given, hidden = problem.state["given"], self.hidden
        period = _period(given)
        return [given[i % period] for i in range(len(given), len(given) + hidden)]

    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        hits = [0, *(1 << row for row in range(problem.state["drums"]))]
        answer = [0]
        while not any(answer):
            answer = [int(hit) for hit in rng.choice(hits, len(problem.state["answer"]))]
        return answer

    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        given = list(problem.state["given"])
        i = int(rng.integers(len(given)))
        others = [0, *(1 << row for row in range(problem.state["drums"]))]
        given[i] = int(rng.choice([hit for hit in others if hit != given[i]]))
        return replace(problem, state={**problem.state, "given": given})

    def say(self, answer: Any) -> str:
        return " ".join("+".join("abc"[row] for row in _rows(hit)) or "-" for hit in answer)


def _count(problem: Problem) -> int:
    return len(problem.state["given"]) + len(problem.state["answer"])


def _rows(hit: int) -> list[int]:
    """The rows that play on a beat, top first."""
    return [row for row in range(3) if hit >> row & 1]


def _period(beats: list[int]) -> int:
    """The shortest period that fits."""
    return next(
        q
        for q in range(1, len(beats) + 1)
        if all(a == b for a, b in zip(beats, beats[q:], strict=False))
    )


def _palindrome(beats: list[int], lead: float, beat: float) -> bool:
    """Whether the clip sounds the same backwards, or nearly: its time would not be judged."""
    hits = [i for i, hit in enumerate(beats) if hit]
    played = [(i - hits[0], beats[i]) for i in hits]
    backwards = [(hits[-1] - i, beats[i]) for i in reversed(hits)]
    return played == backwards and (2 * lead + hits[0] + hits[-1]) * beat > 0.92


def _moment(problem: Problem, beat: int) -> float:
    """When a beat is played, as a share of the way."""
    return (problem.state["lead"] + beat) * problem.state["beat"]


def _middle(problem: Problem, beat: float) -> float:
    """x of a beat's middle, as a share of the side."""
    left = problem.state["left"]
    return left + (RIGHT - left) * (beat + 0.5) / _count(problem)


def _front(problem: Problem, time: float) -> float:
    """x of the line's end at a share of the way."""
    return _middle(problem, time / problem.state["beat"] - problem.state["lead"])


def _lane(problem: Problem) -> float:
    """y of the line, as a share of the side."""
    return problem.state["middle"] + problem.state["drums"] * CELL / 2 + 0.08


def _cell(problem: Problem, row: int, beat: int) -> np.ndarray:
    """x0, y0, x1, y1 of a cell, shares of the side; cells leave a gap of a sixth between them."""
    width = (RIGHT - problem.state["left"]) / _count(problem)
    y = problem.state["middle"] + (row - (problem.state["drums"] - 1) / 2) * CELL
    x = _middle(problem, beat)
    return np.array([x - width * 5 / 12, y - CELL * 5 / 12, x + width * 5 / 12, y + CELL * 5 / 12])


def _core(low: float, high: float, share: float) -> slice:
    """The pixels around the middle of low..high, `share` of it wide: one at least."""
    middle, reach = (low + high) / 2, share * (high - low) / 2
    return slice(int(middle - reach + 0.5), max(int(middle + reach + 0.5), int(middle) + 1))


def _hit(picture: np.ndarray, problem: Problem, beat: int, hit: int, ink: np.ndarray) -> np.ndarray:
    for row in _rows(hit):
        picture = blend(
            picture, box(len(picture), *(len(picture) * _cell(problem, row, beat))), ink
        )
    return picture


def _fronts(ink: np.ndarray) -> list[float | None]:
    """x of the right end of what is drawn in the lane `(n, rows, s)`, None where nothing is."""
    size = ink.shape[-1]
    out: list[float | None] = []
    for column in ink.mean(1):
        solid = np.flatnonzero(column > 0.5)
        if not len(solid):
            out.append(None)
            continue
        end = int(solid[-1]) + 1
        out.append((end + float(column[end] if end < size else 0)) / size)
    return out


def _reading(
    problem: Problem, given: np.ndarray, painted: np.ndarray, front: float | None
) -> Reading:
    hits = [sum(1 << int(row) for row in np.flatnonzero(c > 45)) for c in painted.T]
    unsure = int(((painted > 30) & (painted <= 45)).sum())
    altered = tuple(f"beat {beat + 1}" for beat in np.flatnonzero((given > 60).any(0)))
    marks = [Mark("point", (front, _lane(problem)), FRONT)] if front is not None else []
    for beat, hit in enumerate(hits, len(problem.state["given"])):
        marks += [Mark("box", tuple(_cell(problem, row, beat))) for row in _rows(hit)]
    return Reading(
        hits if any(hits) and not unsure else None,
        f"{unsure} beats neither filled nor empty" if unsure else "",
        altered,
        tuple(marks),
    )


def _run(problem: Problem, trace: Trace) -> list[tuple[int, float]]:
    """(frame, x) of the line's end, from the last frame before it shows, at its start, on."""
    seen = [
        (k, mark.at[0])
        for k, reading in sorted(trace.readings.items())
        for mark in reading.marks
        if mark.text == FRONT
    ]
    if seen and seen[0][0] > 0:
        seen.insert(0, (seen[0][0] - 1, _front(problem, 0)))
    return seen


def _off_beat(hits: list[int], heard: np.ndarray, passed: np.ndarray) -> str:
    """What is wrong with the times of clicks, empty if nothing is.

    Clicks must lie on an even grid of beats, to a fourth of a beat; on the whole they must go with
    the line to within 0.6 beats, and each of them to within a beat: codecs let a line lag.

    Args:
        hits: the beats that click.
        heard, passed: for each of them the times in seconds of its click and of the line's passage.
    """
    beat, start = np.polyfit(hits, heard, 1)
    off = np.abs(heard - (start + beat * np.array(hits)))
    if beat <= 0 or off.max() > beat / 4:
        return f"click {int(off.argmax()) + 1} is off the beat"
    late = heard - passed
    common = float(np.median(late))
    if abs(common) > min(SLACK, 0.6 * beat):
        return f"the clicks come {abs(common):.2f} s {'after' if common > 0 else 'before'} the line"
    if np.abs(late).max() > beat:
        return f"click {int(np.abs(late).argmax()) + 1} doesn't go with the line"
    return ""


def _in_tune(rows: list[int], hertz: list[float | None]) -> tuple[Part, str]:
    """Whether a drum keeps its pitch, and a higher row sounds higher, by a tenth both."""
    for a, (row, first) in enumerate(zip(rows, hertz, strict=True), 1):
        if first is None:
            return "failed", f"click {a} has no pitch"
        for b, (other, second) in enumerate(zip(rows, hertz, strict=True), 1):
            if second is not None and row < other and first < 1.1 * second:
                return "failed", f"click {a} should sound higher than click {b}"
            if second is not None and row == other and first > 1.1 * second:
                return "failed", f"click {a} should sound as high as click {b}"
    return "passed", ""


COMPONENT = Rhythm
