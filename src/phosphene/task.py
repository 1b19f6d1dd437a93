"""Task: deals problems, draws their solutions, reads clips and judges what it read."""

from __future__ import annotations

import abc
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, ClassVar, Literal

import numpy as np

from phosphene.clip import Clip
from phosphene.registry import Registry
from phosphene.trace import Protocol, Reading, Trace
from phosphene.verdict import Part, Verdict

tasks = Registry("task", "phosphene.tasks")

Split = Literal["train", "test"]
Variation = Literal["stroke", "colour", "wobble"]
SMALLEST = 32  # pixels a side below which nothing is read
GIVENS = 0.0025  # share of the picture that may differ where nothing should: 10 pixels of 64x64
STEADY = 0.0075  # the same, for frames on the way


@dataclass(frozen=True)
class Problem:
    """One instance of a task.

    Args:
        task: the task's name.
        seed: what it was dealt from; (task fields, split, seed) deal the same problem again.
        split: `train` instances may be trained on; `test` instances never are, by construction.
        prompts: three or more wordings of the same request, none of which gives the answer away.
        caption: the whole scene in words, for generators that are given no first frame.
        state: the full hidden truth, JSON-able; `state["answer"]` is what the film ends on, in the
            symbols that the task's reader returns.
    """

    task: str
    seed: int
    split: Split
    prompts: tuple[str, ...]
    caption: str
    state: Mapping[str, Any]

    def answered(self, answer: Any) -> Problem:
        """The same problem with another answer, right or wrong: what its film then shows."""
        return replace(self, state={**self.state, "answer": answer})


@dataclass(frozen=True)
class Canvas:
    """What clips of a task are rendered on.

    Args:
        size: side of the square picture, pixels.
        frames: number of frames; the first one shows the problem, the last one its solution.
        fps: frames a second.
        rate: sound samples a second (Hz), one channel.
    """

    size: int = 64
    frames: int = 9
    fps: int | Fraction = 8
    rate: int = 8000

    @property
    def seconds(self) -> float:
        """From the first frame to the last."""
        return float((self.frames - 1) / self.fps)


def held_out(instance: str, one_in: int) -> bool:
    """Whether an instance, written as text, belongs to the test split: about one in `one_in` does.

    A hash decides, so the split is fixed by construction: no list to keep, no seed to remember.
    """
    return hashlib.sha256(instance.encode()).digest()[0] % one_in == 0


class Task(abc.ABC):
    """A frozen dataclass whose fields are the task's difficulty. One file in `tasks/` is one task.

    An author writes how problems are dealt (`sample`), drawn (`film`, `sound`) and read (`read`,
    `hear`); how they are worked out (`work_out`) and what counts as right (`right`, `process`); and
    how to make wrong ones (`guess`, `alter`), which the certificate throws at the scorer.

    Class attributes:
        LADDER: fields of growing difficulty, easiest first; the certificate covers every rung.
        PROCESS: the way to the answer counts; a cut to the answer must fail.
        AUDIO_VISUAL: the sound is part of the answer; silence must fail.
        ANCHORED: something in the first frame stays where it is, so that clips can be laid over it;
            without, `read` copes with shifts itself.
        VARIATIONS: hand-drawn looks that the scorer accepts in the answer.
    """

    name: ClassVar[str]
    LADDER: ClassVar[tuple[Mapping[str, Any], ...]] = ({},)
    PROCESS: ClassVar[bool] = False
    AUDIO_VISUAL: ClassVar[bool] = False
    ANCHORED: ClassVar[bool] = True
    VARIATIONS: ClassVar[tuple[Variation, ...]] = ("stroke", "colour", "wobble")

    # What an author writes.

    @abc.abstractmethod
    def sample(self, seed: int, split: Split = "test") -> Problem:
        """Deal problem number `seed`: it depends on (fields, split, seed) alone.

        The first frame never shows the answer already.
        """

    @abc.abstractmethod
    def film(self, problem: Problem, canvas: Canvas, times: np.ndarray) -> np.ndarray:
        """The oracle's pictures, with `problem.state["answer"]` as the answer.

        Args:
            times: `(n,)` in 0..1: 0 is the problem, 1 the full solution. Where physics decides,
                the moment is `times * canvas.seconds`.

        Returns:
            float32 `(n, size, size, 3)`, 0..255.
        """

    def sound(self, problem: Problem, canvas: Canvas) -> np.ndarray | None:
        """The oracle's sound, float32 `(1, samples)` for `canvas.frames / canvas.fps` seconds."""
        return None

    @abc.abstractmethod
    def region(self, problem: Problem, size: int) -> np.ndarray:
        """Where the picture may change on the way to the answer: bool `(size, size)`."""

    @abc.abstractmethod
    def read(self, problem: Problem, frames: np.ndarray, first: np.ndarray) -> list[Reading]:
        """Read pictures. Knows the givens and where to look, never what is right.

        Args:
            frames: uint8 `(n, s, s, 3)`, registered onto `first`.
            first: uint8 `(s, s, 3)`, the problem's first frame at this size.

        Returns:
            n readings.
        """

    def dated(self, readings: list[Reading], seconds: np.ndarray) -> list[Reading]:
        """Readings with the moments of their frames in their answers; by default as they are.

        For tasks where what is right depends on when. `seconds` `(n,)` count from the first frame;
        an image alone is taken for the end of what was asked for.
        """
        return readings

    def hear(self, problem: Problem, track: np.ndarray, rate: int) -> Any:
        """What a mono track float32 `(samples,)` says, in symbols, JSON-able."""
        return None

    def right(self, problem: Problem, answer: Any) -> bool:
        """Whether an answer in symbols is right; by default the one right answer is the truth's."""
        return answer == problem.state["answer"]

    def same(self, problem: Problem, read: Any, drawn: Any) -> bool:
        """Whether what was read is what was drawn; measures may differ a little."""
        return read == drawn

    def process(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """Whether the way to the answer was legal, with a reason if not; all frames are read."""
        return "not judged", ""

    def sounds_right(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        """Whether the sound is right, with a reason if not; for audio-visual tasks."""
        return "not judged", ""

    @abc.abstractmethod
    def work_out(self, problem: Problem) -> Any:
        """The answer, from the givens in `problem.state` by rules; never from `state["answer"]`."""

    @abc.abstractmethod
    def guess(self, problem: Problem, rng: np.random.Generator) -> Any:
        """A random answer in symbols, of the right form, drawn as a player would who can't think.

        It may be right by luck; that is the chance level.
        """

    @abc.abstractmethod
    def alter(self, problem: Problem, rng: np.random.Generator) -> Problem:
        """The problem with other givens in the picture, and the answer left as it is."""

    def say(self, answer: Any) -> str:
        """An answer in few words, for people."""
        return str(answer)

    # What follows from it.

    def solve(self, problem: Problem, canvas: Canvas) -> Clip:
        """The oracle: a clip that starts at the problem and ends on its answer, with its sound."""
        times = np.linspace(0, 1, canvas.frames) if canvas.frames > 1 else np.ones(1)
        pixels = np.rint(self.film(problem, canvas, times)).clip(0, 255).astype(np.uint8)
        track = self.sound(problem, canvas)
        rate = None if track is None else canvas.rate
        return Clip(pixels, Fraction(canvas.fps), track, rate)

    def first_frame(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        """uint8 `(size, size, 3)`: the picture the generator is given."""
        return self._still(problem, canvas, 0.0)

    def last_frame(self, problem: Problem, canvas: Canvas) -> np.ndarray:
        """uint8 `(size, size, 3)`: the solved picture, which image models are asked for."""
        return self._still(problem, canvas, 1.0)

    def _still(self, problem: Problem, canvas: Canvas, time: float) -> np.ndarray:
        picture = self.film(problem, canvas, np.array([time]))[0]
        return np.rint(picture).clip(0, 255).astype(np.uint8)

    def decode(
        self,
        problem: Problem,
        clip: Clip,
        every: bool = True,
        canvas: Canvas = Canvas(),
    ) -> Trace:
        """Read a clip: pictures to readings, sound to symbols. Judges nothing.

        Args:
            every: read every frame; otherwise the last one alone, unless the process counts.
            canvas: what was asked for; its size doesn't matter, clips of any square size are read.
        """
        from phosphene.readers.scene import changes, register, rest, softened, work_size

        if clip.frames is None:
            return Trace(0, unreadable="no picture")
        try:
            frames = work_size(clip.frames)
        except ValueError as error:
            return Trace(len(clip.frames), unreadable=str(error))
        size, last = frames.shape[1], len(frames) - 1
        if size < SMALLEST:
            return Trace(last + 1, unreadable=f"{size} pixels a side are too few to read")
        first = self.first_frame(problem, replace(canvas, size=size))
        keep = rest(self.region(problem, size))
        if self.ANCHORED:
            frames, keep = register(frames, first, keep)
        changed = changes(frames, softened(frames[0], first, keep), keep).mean((1, 2))
        which = list(range(last + 1)) if every or self.PROCESS else [last]
        seconds = np.array(which) / float(clip.fps) if last else np.array([canvas.seconds])
        readings = self.dated(self.read(problem, frames[which], first), seconds)
        heard = None
        if clip.audio is not None and clip.rate is not None:
            heard = self.hear(problem, clip.audio.mean(0), clip.rate)
        return Trace(
            last + 1,
            dict(zip(which, readings, strict=True)),
            tuple(round(float(share), 5) for share in changed),
            heard,
            fps=float(clip.fps),
        )

    def judge(self, problem: Problem, trace: Trace, protocol: Protocol = "last") -> Verdict:
        """Judge what was read, on the frame that `protocol` chooses.

        `best` is an oracle: of all frames the one that fares best, the last of several.
        """
        if trace.unreadable:
            return Verdict("unreadable", reason=trace.unreadable)
        if protocol != "best":
            return self._at(problem, trace, trace.frame(protocol))
        rank = {"passed": 2, "unreadable": 1, "failed": 0}
        found = [self._at(problem, trace, k) for k in sorted(trace.readings)]
        return max(reversed(found), key=lambda v: (rank[v.headline], v.answer == "passed"))

    def score(
        self,
        problem: Problem,
        clip: Clip,
        protocol: Protocol = "last",
        canvas: Canvas = Canvas(),
    ) -> Verdict:
        """Decode and judge in one step."""
        trace = self.decode(problem, clip, protocol != "last", canvas)
        return self.judge(problem, trace, protocol)

    def _at(self, problem: Problem, trace: Trace, k: int) -> Verdict:
        reading = trace.readings[k]
        reasons = []
        if reading.unreadable:
            answer: Part = "unreadable"
            reasons.append(reading.unreadable)
        elif reading.answer is None:
            answer = "failed"
            reasons.append("no answer is shown")
        else:
            answer = "passed" if self.right(problem, reading.answer) else "failed"
            wanted = "" if answer == "passed" else f", not {self.say(problem.state['answer'])}"
            reasons.append(f"reads {self.say(reading.answer)}{wanted}")
        gone = list(reading.altered)
        if trace.changed[k] > GIVENS:
            gone.append(f"{trace.changed[k]:.1%} of the picture")
        if gone:
            reasons.append(f"altered: {', '.join(gone)}")
        process: tuple[Part, str] = ("not judged", "")
        stability: tuple[Part, str] = ("not judged", "")
        if trace.frames > 1:
            stability = _steady(trace)
            if self.PROCESS:
                process = self.process(problem, trace)
        sound = self._sound(problem, trace)
        reasons += [text for _, text in (process, stability, sound) if text]
        return Verdict(
            answer,
            "failed" if gone else "passed",
            process[0],
            stability[0],
            sound[0],
            "; ".join(reasons),
            {"frame": k, "answer": reading.answer, "heard": trace.heard},
        )

    def _sound(self, problem: Problem, trace: Trace) -> tuple[Part, str]:
        if not self.AUDIO_VISUAL:
            return "not judged", ""
        return ("failed", "no sound") if trace.heard is None else self.sounds_right(problem, trace)


def _steady(trace: Trace) -> tuple[Part, str]:
    """Whether every frame leaves alone what nothing should change."""
    worst = max(trace.changed)
    if worst <= STEADY:
        return "passed", ""
    return "failed", f"frame {trace.changed.index(worst)} changes {worst:.1%} of the rest"
