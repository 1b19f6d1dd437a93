"""Lens: what the denoiser expects to draw, step by step, read by the task's own scorer."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
from scipy.stats import binom

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Lines, Probe, Result, Strip
from phosphene.probing.ability import Ability, ability
from phosphene.probing.commitment import commitment, entropy, flips
from phosphene.statistics.intervals import bootstrap, share
from phosphene.statistics.multiple import holm
from phosphene.subject import Subject
from phosphene.tap import Read
from phosphene.task import Problem

SHOWN = 6  # samples whose strips are drawn
NONE = "none"  # a reading of nothing; unlike any answer, which is JSON


@dataclass(frozen=True)
class Lens(Probe):
    """Decodes predicted x0 after every step and reads the answer in its last frame.

        commitment t* = min { t : R(x0_s) = R(x0_T) for all s >= t }

    Whether a sample has committed is asked of readable endings only. The null pairs each sample's
    early readings with another problem's ending.

    Args:
        samples: noise seeds a problem; more than one tells branching from certainty.
        permutations: of endings among problems.

    References:
        Demystifying Video Reasoning (2026), https://arxiv.org/abs/2603.16870
        Video Models Reason Early (2026), https://arxiv.org/abs/2603.30043
    """

    samples: int = 3
    permutations: int = 500
    name: ClassVar[str] = "lens"
    ASKS = "At which denoising step is the answer settled, and what was shown before?"
    CONTROLS = (
        "endings of other problems (how often would an early reading agree by luck?), random "
        "guesses, other noise seeds"
    )

    def __post_init__(self) -> None:
        if self.samples < 1 or self.permutations < 20:
            raise PhospheneError(
                f"lens wants samples >= 1 and permutations >= 20; got {self.samples}, "
                f"{self.permutations}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        problems = subject.problems
        book.plan(len(problems))
        units = [
            book.once(f"problem {p.seed}", lambda p=p: self._look(subject, p), f"problem {i + 1}")
            for i, p in enumerate(problems)
        ]
        readings = [unit["readings"] for unit in units]
        right = [unit["right"] for unit in units]
        able = ability(subject, [[steps[-1] for steps in item] for item in right])
        table = [
            {
                "problem": p.seed,
                "sample": k,
                "step": t,
                "timestep": unit["levels"][t],
                "reading": reading,
                "ending": steps[-1],
                "right": unit["right"][k][t],
                "committed": t >= commitment(steps),
            }
            for p, unit in zip(problems, units, strict=True)
            for k, steps in enumerate(unit["readings"])
            for t, reading in enumerate(steps)
        ]
        findings = [
            self._commitment(readings, able),
            _shown(right, able),
            _branching(readings, able),
            _flips(readings, able),
        ]
        figures: dict[str, Any] = {
            "curves": self._curves(readings, right, able),
            "film": self._film(subject, book, problems),
        }
        return Result(table, findings, figures, [str(able)])

    def _look(self, subject: Subject, problem: Problem) -> dict[str, Any]:
        """All samples of one problem: readings and their rightness at every step."""
        requests = [subject.request(problem, k) for k in range(self.samples)]
        out: dict[str, Any] = {"readings": [], "right": [], "levels": []}
        for request, seen in zip(requests, subject.run(requests, [Read("x0")]), strict=True):
            steps, right = [], []
            for clip in subject.lens(request, seen):
                answer = subject.read(problem, clip).answer
                steps.append(NONE if answer is None else json.dumps(answer))
                right.append(answer is not None and bool(subject.task.right(problem, answer)))
            out["readings"].append(steps)
            out["right"].append(right)
            out["levels"] = [seen.levels[t][0] for t in sorted(seen.levels)]
        return out

    def _commitment(self, readings: list[list[list[str]]], able: Ability) -> Finding:
        """When is the ending settled, against endings of other problems?"""
        items = [[s for s in item if s[-1] != NONE] for item in readings]
        items = [item for item in items if item]
        if not able.does or len(items) < 4:
            return _not_asked("commitment", able)
        steps = len(items[0][0])
        times = np.array([np.mean([commitment(s) for s in item]) for item in items])
        scale = max(steps - 1, 1)
        found = bootstrap(times / scale)
        rng = np.random.default_rng(0)
        nulls = []
        for _ in range(self.permutations):
            order = rng.permutation(len(items))
            nulls.append(
                np.mean(
                    [
                        np.mean([commitment(s, items[j][0][-1]) for s in items[i]])
                        for i, j in enumerate(order)
                    ]
                )
            )
        p = (1 + sum(bool(n <= times.mean()) for n in nulls)) / (1 + self.permutations)
        null = float(np.mean(nulls))
        low, high = found.low * scale, found.high * scale
        return Finding(
            "commitment",
            f"the answer that is drawn is settled at step {times.mean():.2f} of 0..{steps - 1} "
            f"(mean over problems; {null:.2f} if endings were another problem's)",
            bool(p < ALPHA and high < null),
            float(times.mean()),
            low,
            high,
            null,
            p,
            len(items),
            "step",
        )

    def _curves(
        self, readings: list[list[list[str]]], right: list[list[list[bool]]], able: Ability
    ) -> Lines:
        steps = range(len(readings[0][0]))

        def curve(flags: Any) -> np.ndarray:
            found = [
                share([[bool(v) for v in flags(i, t)] for i in range(len(right))]) for t in steps
            ]
            return np.array([[f.share, f.low, f.high] for f in found]).T

        return Lines(
            "What the expected ending shows",
            "denoising step",
            "share of samples",
            list(steps),
            {
                "right": curve(lambda i, t: [s[t] for s in right[i]]),
                "agrees with the ending": curve(
                    lambda i, t: [s[t] == s[-1] and s[-1] != NONE for s in readings[i]]
                ),
                "readable": curve(lambda i, t: [s[t] != NONE for s in readings[i]]),
            },
            able.chance,
        )

    def _film(self, subject: Subject, book: Notebook, problems: Sequence[Problem]) -> Strip:
        """The first samples' expected last frames, and the first frame they were given."""
        rows = []
        for problem in problems[:SHOWN]:
            kept = book.arrays(
                f"film {problem.seed}", lambda p=problem: _strip(subject, p), "film strip"
            )
            told = json.loads(bytes(kept["told"]).decode())
            pictures = [
                (caption, picture, right)
                for (caption, right), picture in zip(told, kept["pictures"], strict=True)
            ]
            answer = subject.task.say(problem.state["answer"])
            rows.append((f"wanted: {answer}", pictures))
        return Strip("Expected last frame after each step", rows)


def _strip(subject: Subject, problem: Problem) -> dict[str, np.ndarray]:
    request = subject.request(problem)
    (seen,) = subject.run([request], [Read("x0")])
    told: list[tuple[str, bool | None]] = [("given", None)]
    pictures = [subject.square_picture(subject.first_frame(problem))]
    for t, clip in enumerate(subject.lens(request, seen)):
        reading = subject.read(problem, clip)
        right = None
        if reading.answer is not None:
            right = bool(subject.task.right(problem, reading.answer))
        words = "?" if reading.answer is None else subject.task.say(reading.answer)
        told.append((f"{t}: {words}", right))
        frames = subject.square(clip).frames
        assert frames is not None
        pictures.append(frames[-1])
    return {
        "pictures": np.stack(pictures),
        "told": np.frombuffer(json.dumps(told).encode(), np.uint8).copy(),
    }


def _shown(right: list[list[list[bool]]], able: Ability) -> Finding:
    """The first step whose expected ending is right more often than guesses are."""
    if not able.does:
        return _not_asked("right answer shown", able)
    steps = len(right[0][0])
    found = [share([[s[t] for s in item] for item in right]) for t in range(steps)]
    # Samples of one problem move together, so the test counts the first one of each.
    firsts = [sum(item[0][t] for item in right) for t in range(steps)]
    p = holm([float(binom.sf(k - 1, len(right), able.chance)) for k in firsts])
    first = next((t for t in range(steps) if p[t] < ALPHA), None)
    if first is None:
        return Finding(
            "right answer shown",
            "at no step clearly above guessing",
            False,
            null=able.chance,
            p=min(p),
            n=len(right),
        )
    at = found[first]
    return Finding(
        "right answer shown",
        f"from step {first} on the expected ending shows the right answer more often than guesses "
        f"would: {at.brief()} there",
        True,
        float(at.share),
        at.low,
        at.high,
        able.chance,
        p[first],
        len(right),
        "share",
    )


def _branching(readings: list[list[list[str]]], able: Ability) -> Finding:
    """Do seeds of one problem differ early and agree late?"""
    name = "branching"
    if len(readings[0]) < 2:
        return Finding(name, "needs two samples a problem or more", None)
    if not able.does:
        return _not_asked(name, able)
    first = [entropy([s[0] for s in item]) for item in readings]
    last = [entropy([s[-1] for s in item]) for item in readings]
    drop = np.array(first) - np.array(last)
    reach = max(float(np.abs(drop).max()), 0.0)
    found = bootstrap(drop, -reach, reach)
    return Finding(
        name,
        f"readings of one problem's seeds spread over {np.mean(first):.2f} bits at the first step "
        f"and {np.mean(last):.2f} at the last",
        found.low > 0,
        found.share,
        found.low,
        found.high,
        0.0,
        None,
        len(drop),
        "bits lost",
    )


def _flips(readings: list[list[list[str]]], able: Ability) -> Finding:
    """How often does the expected answer change on the way?"""
    if not able.does:
        return _not_asked("flips", able)
    steps = len(readings[0][0])
    counts = [float(np.mean([flips(s) for s in item])) for item in readings]
    found = bootstrap(counts, 0.0, max(steps - 1, 1))
    return Finding(
        "flips",
        f"the expected answer changes {found.share:.2f} times on the way",
        found.low > 0,
        found.share,
        found.low,
        found.high,
        0.0,
        None,
        len(counts),
        "changes a sample",
    )


def _not_asked(name: str, able: Ability) -> Finding:
    return Finding(name, f"not asked: the subject does not do the task ({able})", None)


COMPONENT = Lens
