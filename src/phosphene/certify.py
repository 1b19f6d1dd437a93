"""Certify: a scorer is thrown everything that should pass and everything that should not."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np

from phosphene import __version__
from phosphene.certificates import digest_of
from phosphene.clip import Clip
from phosphene.statistics import Interval, wilson
from phosphene.task import Canvas, Problem, Task, tasks
from phosphene.testing.mutants import LADDER, NULLS, SOUND_NULLS, VARIATIONS, Mutant, solved

FIRST_SEED = 7 * 10**9  # far from the seeds of suites, exams and training
ORACLE, NULL = 0.99, 0.01  # what a certificate must reach


@dataclass(frozen=True)
class Certificate:
    """What became of a task's scorer.

    Args:
        task: the task's name.
        seeds: problems thrown at it, spread evenly over its ladder.
        size: side of the pictures in pixels.
        digest: of the code that reads and judges (`digest_of`); another digest means it is stale.
        date: when it was made, ISO 8601.
        oracle: accept rate of right clips; `levels` the same by rung of the task's ladder.
        nulls: name -> accept rate of what must be rejected.
        ladder: rung -> accept rate of right clips under degradation.
        variations: look -> accept rate of right clips drawn differently.
        decoder: name -> share of clips whose last frame's answer is read exactly as it was drawn,
            for right and for wrong answers.
        chance: share of random answers that are right, by the rules alone.
    """

    task: str
    seeds: int
    size: int
    digest: str
    date: str
    phosphene: str
    oracle: Interval
    levels: Mapping[str, Interval]
    nulls: Mapping[str, Interval]
    ladder: Mapping[str, Interval]
    variations: Mapping[str, Interval]
    decoder: Mapping[str, Interval]
    chance: Interval

    def faults(self) -> list[str]:
        """Where it falls short of the targets, a few words each; empty when it holds."""
        out = []
        if self.oracle.share < ORACLE:
            out.append(f"oracle {self.oracle}")
        out += [f"null {n!r} {i}" for n, i in self.nulls.items() if i.share > NULL]
        return out

    def record(self) -> dict[str, Any]:
        """JSON-able."""
        return {
            name: _plain(value) for name, value in {**vars(self), "faults": self.faults()}.items()
        }


def _plain(value: Any) -> Any:
    if isinstance(value, Interval):
        return {k: round(v, 5) for k, v in value._asdict().items()}
    if isinstance(value, Mapping):
        return {k: _plain(v) for k, v in value.items()}
    return value


def certify(
    task: str | type[Task],
    seeds: int = 200,
    size: int = 64,
    on_part: Callable[[str], None] | None = None,
) -> Certificate:
    """Prove, or disprove, one task's scorer.

    Args:
        task: a task's name, or the class itself.
        seeds: problems; each meets every mutant.
        size: side of the pictures in pixels.
        on_part: called with a line of progress after each part.

    Returns:
        The certificate, whatever it says; see `Certificate.faults`.
    """
    kind: type[Task] = tasks.get(task) if isinstance(task, str) else task
    canvas = Canvas(size=size)
    dealt = list(_deal(kind, seeds))
    tell = on_part or (lambda line: None)

    def rate(mutant: Mutant | None, which: Sequence[tuple[str, Task, Problem]]) -> Interval | None:
        judged = [v for _, t, p in which if (v := _accepts(t, p, canvas, mutant)) is not None]
        return wilson(sum(judged), len(judged)) if judged else None

    def rates(mutants: Mapping[str, Mutant], part: str) -> dict[str, Interval]:
        out = {}
        for name, mutant in mutants.items():
            found = rate(mutant, dealt)
            if found is not None:
                out[name] = found
                tell(f"{kind.name}: {part} {name}: {found}")
        return out

    levels = {}
    for level in dict.fromkeys(name for name, _, _ in dealt):
        found = rate(None, [d for d in dealt if d[0] == level])
        assert found is not None
        levels[level] = found
    oracle = wilson(round(sum(i.share * i.n for i in levels.values())), len(dealt))
    tell(f"{kind.name}: oracle: {oracle}")
    nulls = NULLS | (SOUND_NULLS if kind.AUDIO_VISUAL else {})
    looks = {n: mutant for n, (sort, mutant) in VARIATIONS.items() if sort in kind.VARIATIONS}
    decoder, chance = _decoder(dealt, canvas)
    tell(f"{kind.name}: decoder on wrong answers: {decoder['wrong answers']}; chance: {chance}")
    return Certificate(
        task=kind.name,
        seeds=seeds,
        size=size,
        digest=digest_of(kind),
        date=datetime.now(UTC).date().isoformat(),
        phosphene=__version__,
        oracle=oracle,
        levels=levels,
        nulls=rates(nulls, "null"),
        ladder=rates(LADDER, "degraded"),
        variations=rates(looks, "drawn with"),
        decoder=decoder,
        chance=chance,
    )


def _deal(kind: type[Task], seeds: int) -> Iterator[tuple[str, Task, Problem]]:
    """(rung, task, problem), over both splits and every rung in turn."""
    rungs = [(rung_name(fields), kind(**fields)) for fields in kind.LADDER]
    for i in range(seeds):
        name, task = rungs[i % len(rungs)]
        yield name, task, task.sample(FIRST_SEED + i, "train" if i // len(rungs) % 2 else "test")


def rung_name(fields: Mapping[str, Any]) -> str:
    """A rung of a ladder in words: `cells 4, colours 1`."""
    return ", ".join(f"{name} {value}" for name, value in fields.items()) or "default"


def _accepts(task: Task, problem: Problem, canvas: Canvas, mutant: Mutant | None) -> bool | None:
    clip: Clip | None
    if mutant is None:
        clip = solved(task, problem, canvas)
    else:
        clip = mutant(task, problem, canvas, np.random.default_rng([problem.seed, 1]))
    return None if clip is None else task.score(problem, clip, canvas=canvas).passed


def _decoder(
    dealt: Sequence[tuple[str, Task, Problem]], canvas: Canvas
) -> tuple[dict[str, Interval], Interval]:
    """How often the reader reads what was drawn, whatever it is; and how often luck is right."""
    right, drawn, lucky = 0, 0, 0
    for _, task, problem in dealt:
        guess = task.guess(problem, np.random.default_rng([problem.seed, 2]))
        lucky += task.right(problem, guess)
        right += _reads(task, problem, canvas)
        drawn += _reads(task, problem.answered(guess), canvas)
    n = len(dealt)
    shares = {"right answers": wilson(right, n), "wrong answers": wilson(drawn, n)}
    return shares, wilson(lucky, n)


def _reads(task: Task, problem: Problem, canvas: Canvas) -> bool:
    trace = task.decode(problem, solved(task, problem, canvas), every=False, canvas=canvas)
    last = trace.readings.get(trace.frames - 1)
    return last is not None and task.same(problem, last.answer, problem.state["answer"])
