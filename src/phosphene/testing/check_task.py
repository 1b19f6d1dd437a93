"""Conformance of a task: deterministic, solvable, and hard to fool."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from dataclasses import replace

import numpy as np

from phosphene.clip import Clip
from phosphene.task import Canvas, Problem, Task

Mutant = Callable[[Clip, np.random.Generator], Clip]


def _frozen(clip: Clip, rng: np.random.Generator) -> Clip:
    """The first frame, all the way."""
    assert clip.frames is not None
    return replace(clip, frames=np.repeat(clip.frames[:1], len(clip.frames), 0))


def _noise(clip: Clip, rng: np.random.Generator) -> Clip:
    assert clip.frames is not None
    return replace(clip, frames=rng.integers(0, 256, clip.frames.shape).astype(np.uint8))


def _blank(clip: Clip, rng: np.random.Generator) -> Clip:
    assert clip.frames is not None
    return replace(clip, frames=np.full_like(clip.frames, 255))


def _rotated(clip: Clip, rng: np.random.Generator) -> Clip:
    assert clip.frames is not None
    return replace(clip, frames=np.ascontiguousarray(np.rot90(clip.frames, axes=(1, 2))))


def _erased(clip: Clip, rng: np.random.Generator) -> Clip:
    """Solved, then back to the first frame."""
    assert clip.frames is not None
    return replace(clip, frames=np.concatenate([clip.frames[:-1], clip.frames[:1]]))


# Each must be judged something other than passed.
MUTANTS: dict[str, Mutant] = {
    "frozen": _frozen,
    "noise": _noise,
    "blank": _blank,
    "rotated": _rotated,
    "erased": _erased,
}


def accepted(task: Task, problems: Iterable[Problem], canvas: Canvas, mutant: str | None) -> float:
    """Share of oracle clips (or of a mutant of them) that the task's judge passes."""
    verdicts = []
    for problem in problems:
        clip = task.solve(problem, canvas)
        if mutant is not None:
            clip = MUTANTS[mutant](clip, np.random.default_rng(problem.seed))
        verdicts.append(task.judge(problem, clip).passed)
    return float(np.mean(verdicts))


def check_task(task: Task, seeds: int = 50, canvas: Canvas = Canvas()) -> None:  # noqa: B008
    """Raise AssertionError, saying what is wrong, unless `task` keeps a task's promises.

    Same seed, same problem and pixels; splits disjoint; JSON-able state; three wordings; the oracle
    starts at the first frame and passes; every mutant fails in at least 99 % of cases.
    """
    problems = [task.sample(i) for i in range(seeds)]
    assert problems == [task.sample(i) for i in range(seeds)], "a seed dealt two problems"
    assert len({json.dumps(p.state, sort_keys=True) for p in problems}) > seeds / 2, "few problems"
    assert all(len(p.prompts) >= 3 for p in problems), "a problem wants three wordings"
    one = task.solve(problems[0], canvas)
    assert one.digest == task.solve(problems[0], canvas).digest, "the oracle is not deterministic"
    assert one.frames is not None
    assert len(one.frames) == canvas.frames, "the oracle ignores canvas.frames"
    assert (one.frames[0] == task.first_frame(problems[0], canvas)).all(), "oracle starts elsewhere"
    share = accepted(task, problems, canvas, None)
    assert share == 1, f"the oracle passes in {share:.1%} of cases only"
    for mutant in MUTANTS:
        share = accepted(task, problems, canvas, mutant)
        assert share <= 0.01, f"the mutant {mutant!r} passes in {share:.1%} of cases"
