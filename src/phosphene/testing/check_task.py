"""Conformance of a task: deterministic, solvable, readable, and hard to fool."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from phosphene.clip import Clip
from phosphene.task import Canvas, Problem, Task
from phosphene.testing.mutants import NULLS, SOUND_NULLS, Mutant


def accepted(
    task: Task, problems: Sequence[Problem], canvas: Canvas, mutant: Mutant | None = None
) -> float | None:
    """Share of oracle clips, or of a mutant of them, that pass; None where there are none."""
    verdicts = []
    for problem in problems:
        if mutant is None:
            clip: Clip | None = task.solve(problem, canvas)
        else:
            clip = mutant(task, problem, canvas, np.random.default_rng([problem.seed, 1]))
        if clip is not None:
            verdicts.append(task.score(problem, clip, canvas=canvas).passed)
    return float(np.mean(verdicts)) if verdicts else None


def check_task(task: Task, seeds: int = 4, canvas: Canvas = Canvas()) -> None:
    """Raise AssertionError, saying what is wrong, unless `task` keeps a task's promises.

    The same seed deals the same problem and pixels; state is JSON-able; three wordings; the
    answer follows from the givens by `work_out`; altered givens show in the first frame; the
    oracle starts at the first frame, ends on the last, and passes, as a clip and as a picture;
    every null fails. `phosphene certify` does the same at length, with intervals.
    """
    problems = [task.sample(i, "test" if i % 2 else "train") for i in range(seeds)]
    check_deals(task, problems)
    check_drawing(task, problems[0], canvas)
    assert accepted(task, problems, canvas) == 1, "the oracle does not always pass"
    for problem in problems[:4]:
        still = Clip(task.last_frame(problem, canvas)[None])
        if not task.AUDIO_VISUAL:
            verdict = task.score(problem, still, canvas=canvas)
            assert verdict.passed, f"the solved picture alone does not pass: {verdict}"
    for name, mutant in {**NULLS, **(SOUND_NULLS if task.AUDIO_VISUAL else {})}.items():
        share = accepted(task, problems, canvas, mutant) or 0.0
        # By luck another problem, or a wrong answer's sound, may be right: the certificate's 1 %.
        assert share * seeds <= 1, f"the null {name!r} passes in {share:.0%} of cases"


def check_deals(task: Task, problems: Sequence[Problem]) -> None:
    """Problems are reproducible, JSON-able, worded three ways, many, and solvable by rules."""
    for problem in problems:
        assert problem == task.sample(problem.seed, problem.split), "a seed dealt two problems"
        assert json.loads(json.dumps(problem.state)) == problem.state, "state is not plain JSON"
        assert len(set(problem.prompts)) >= 3, "a problem wants three wordings"
        worked = task.work_out(problem.answered(None))
        assert task.right(problem, worked), f"work_out says {worked}, wrong by the task's own rule"
        assert json.loads(json.dumps(worked)) == worked, "an answer is not plain JSON"
        guess = task.guess(problem, np.random.default_rng(problem.seed))
        assert json.loads(json.dumps(guess)) == guess, "a guess is not plain JSON"
        assert task.say(worked), "say() says nothing"
    states = {json.dumps(p.state, sort_keys=True) for p in problems}
    assert len(states) > len(problems) / 2, "few different problems"


def check_drawing(task: Task, problem: Problem, canvas: Canvas) -> None:
    """Drawing is deterministic, consistent between clip and stills, and shows altered givens."""
    clip, first = task.solve(problem, canvas), task.first_frame(problem, canvas)
    assert clip.frames is not None
    assert clip.digest == task.solve(problem, canvas).digest, "the oracle is not deterministic"
    assert len(clip.frames) == canvas.frames, "the oracle ignores canvas.frames"
    assert (clip.frames[0] == first).all(), "the oracle starts elsewhere than the first frame"
    # Strokes that were drawn in several pieces may end a shade darker than in one.
    apart = np.abs(clip.frames[-1].astype(int) - task.last_frame(problem, canvas)).mean()
    assert apart < 1, f"the film's end is {apart:.1f} levels away from the solved picture"
    assert (task.first_frame(problem.answered(problem.state["answer"]), canvas) == first).all()
    other = task.alter(problem, np.random.default_rng(0))
    assert other.state["answer"] == problem.state["answer"], "alter() changed the answer"
    assert (task.first_frame(other, canvas) != first).any(), "altered givens can't be seen"
    long = replace(canvas, frames=canvas.frames + 7)
    verdict = task.score(problem, task.solve(problem, long), canvas=long)
    assert verdict.passed, f"a longer clip does not pass: {verdict}"
    if clip.audio is not None:
        wanted = round(float(canvas.frames / canvas.fps) * canvas.rate)
        assert abs(clip.audio.shape[1] - wanted) <= 1, "sound and picture differ in length"
        assert np.abs(clip.audio).max() > 0.05, "the sound is silent"
