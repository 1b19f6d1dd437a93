"""Verifier: can runs that will fail be told early, and their seeds be changed in time?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook
from phosphene.probe import ALPHA, Finding, Lines, Probe, Result
from phosphene.probing.ability import ability
from phosphene.probing.ridge import fit_predict
from phosphene.probing.variables import instance
from phosphene.statistics.intervals import bootstrap
from phosphene.subject import Subject
from phosphene.tap import Frames, Read
from phosphene.task import Problem

FEWEST = 10  # runs of either outcome below which nothing is fitted


@dataclass(frozen=True)
class Verifier(Probe):
    """A ridge probe on all layers at an early step predicts whether the finished run is right.

    Policy: start N seeds, go to that step, finish the one most likely to be right. Calls of the
    denoiser: N (s + 1) + (T - s - 1), against N T for best of N and T for a single run. Trained and
    judged on disjoint instances.

    Args:
        samples: seeds a problem, N.
        step: the early step s; a fifth of the way if -1.
        permutations: of outcomes among problems.

    References:
        Seeking Physics in Diffusion Noise (2026), https://arxiv.org/abs/2603.14294
        Video Models Reason Early (2026), https://arxiv.org/abs/2603.30043
    """

    samples: int = 4
    step: int = -1
    permutations: int = 200
    name: ClassVar[str] = "verifier"
    ASKS: ClassVar[str] = "Can runs that will fail be told early enough to start them anew?"
    CONTROLS: ClassVar[str] = (
        "outcomes permuted among problems, a seed chosen at random, and the best of all seeds "
        "finished (an oracle)"
    )

    def __post_init__(self) -> None:
        if self.samples < 2 or self.permutations < 20:
            raise PhospheneError(
                f"verifier wants samples >= 2 and permutations >= 20; got {self.samples}, "
                f"{self.permutations}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        book.plan(len(subject.problems))
        kept = [
            book.arrays(f"runs {p.seed}", lambda p=p: self._runs(subject, p), f"problem {i + 1}")
            for i, p in enumerate(subject.problems)
        ]
        right = np.stack([k["right"] for k in kept])  # (problems, samples)
        steps = int(kept[0]["steps"][0])
        at = steps // 5 if self.step < 0 else self.step
        if not 0 <= at < steps:
            raise PhospheneError(f"verifier.step must lie in 0..{steps - 1}; got {self.step}")
        able = ability(subject, right.tolist())
        notes = [str(able), f"{int(right.sum())} of {right.size} runs end right"]
        if min(right.sum(), right.size - right.sum()) < FEWEST:
            why = (
                f"not asked: of {right.size} runs {int(right.sum())} end right; both outcomes "
                f"must come {FEWEST} times"
            )
            return Result([], [Finding("early warning", why, None)], {}, notes)
        groups = [instance(p) for p in subject.problems]
        _, numbers = np.unique(groups, return_inverse=True)
        curve = []
        for t in range(steps):
            features = np.stack([k["features"][:, t] for k in kept]).astype(float)
            curve.append(self._auroc(features, right, numbers, t == at))
        features = np.stack([k["features"][:, at] for k in kept]).astype(float)
        predicted = _held_out(features, right.astype(float), numbers)
        area, low, high, p = curve[at]
        findings = [
            Finding(
                "early warning",
                f"after step {at} of 0..{steps - 1} the outcome of unseen problems' runs is "
                f"predicted with an AUROC of {area:.2f}",
                bool(p < ALPHA and low > 0.5),
                area,
                low,
                high,
                0.5,
                p,
                len(set(numbers.tolist())),
                "AUROC",
            ),
            self._gain(predicted, right, numbers, at, steps),
        ]
        x = np.array([[c[0], c[1], c[2]] for c in curve]).T
        figure = Lines(
            "How well the outcome is predicted",
            "denoising step",
            "AUROC on unseen instances",
            list(range(steps)),
            {"probe": x},
            0.5,
        )
        table = [
            {"problem": q.seed, "sample": k, "right": bool(right[i, k]), "predicted": float(v)}
            for i, q in enumerate(subject.problems)
            for k, v in enumerate(predicted[i])
        ]
        return Result(table, findings, {"auroc": figure}, notes)

    def _runs(self, subject: Subject, problem: Problem) -> dict[str, np.ndarray]:
        """All seeds of one problem: pooled activations by step, and how they end."""
        requests = [subject.request(problem, k) for k in range(self.samples)]
        seen = subject.run(requests, [Read("residual", Frames())])
        right = [subject.right(problem, o.clip) for o in seen]
        steps = sorted({at.step for at in seen[0].values})
        features = []
        for o in seen:
            places = sorted(o.values)
            features.append(
                [
                    np.concatenate(
                        [o.values[a].mean((0, 1)).numpy() for a in places if a.step == t]
                    )
                    for t in steps
                ]
            )
        return {
            "features": np.array(features, np.float16),
            "right": np.array(right),
            "steps": np.array([len(steps)]),
        }

    def _auroc(
        self, features: np.ndarray, right: np.ndarray, groups: np.ndarray, test: bool
    ) -> tuple[float, float, float, float]:
        """AUROC with its interval over problems; p by permuted outcomes where asked."""
        predicted = _held_out(features, right.astype(float), groups)
        area = auroc(predicted.ravel(), right.ravel())
        rng = np.random.default_rng(0)
        # Problems of one instance fail together, so whole instances are drawn and permuted.
        members = [np.flatnonzero(groups == g) for g in np.unique(groups)]
        draws = []
        for _ in range(400):
            i = np.concatenate([members[k] for k in rng.integers(0, len(members), len(members))])
            if 0 < right[i].sum() < right[i].size:
                draws.append(auroc(predicted[i].ravel(), right[i].ravel()))
        low, high = np.quantile(draws, (0.025, 0.975))
        p = 1.0
        if test:
            nulls = []
            for _ in range(self.permutations):
                shuffled = _dealt(right, members, rng)
                guess = _held_out(features, shuffled.astype(float), groups)
                nulls.append(auroc(guess.ravel(), shuffled.ravel()))
            p = (1 + sum(n >= area for n in nulls)) / (1 + self.permutations)
        return area, float(low), float(high), float(p)

    def _gain(
        self, predicted: np.ndarray, right: np.ndarray, groups: np.ndarray, at: int, steps: int
    ) -> Finding:
        """Right answers of the seed that the probe prefers, less those of a seed at random."""
        n = right.shape[1]
        chosen = right[np.arange(len(right)), predicted.argmax(1)].astype(float)
        by_problem = chosen - right.mean(1)
        count = groups.max() + 1
        values = np.array([by_problem[groups == g].mean() for g in range(count)])
        found = bootstrap(values, -1.0, 1.0)
        calls = n * (at + 1) + steps - at - 1
        return Finding(
            "accuracy gained",
            f"finishing the preferred one of {n} seeds gives {chosen.mean():.0%} right, a seed at "
            f"random {right.mean():.0%}, the best of {n} finished ones {right.any(1).mean():.0%}; "
            f"{calls} calls of the denoiser against {n * steps} for best of {n}, "
            f"{1 - calls / (n * steps):.0%} saved, and {steps} for a single run",
            found.low > 0,
            found.share,
            found.low,
            found.high,
            0.0,
            None,
            count,
            "difference of shares",
        )


def _dealt(
    right: np.ndarray, members: Sequence[np.ndarray], rng: np.random.Generator
) -> np.ndarray:
    """Each instance's outcomes given to another one; repeated or cut where sizes differ."""
    out = right.copy()
    for here, there in zip(members, rng.permutation(len(members)), strict=True):
        out[here] = right[np.resize(members[there], len(here))]
    return out


def _held_out(features: np.ndarray, right: np.ndarray, groups: np.ndarray) -> np.ndarray:
    """Predictions `(problems, samples)` for instances the probe has not seen."""
    problems, samples, width = features.shape
    folds = np.random.default_rng(0).permutation(groups.max() + 1)[groups] % 5
    out = np.empty((problems, samples))
    for fold in np.unique(folds):
        here = folds == fold
        x, y = features[~here].reshape(-1, width), right[~here].reshape(-1)
        guess = fit_predict(x, y, features[here].reshape(-1, width))
        out[here] = guess.reshape(-1, samples)
    return out


def auroc(scores: Sequence[float] | np.ndarray, right: Any) -> float:
    """Chance that a right run scores above a wrong one, ties counted half.

    References:
        The meaning and use of the area under a ROC curve (Hanley, McNeil, 1982).
    """
    scores, right = np.asarray(scores, float), np.asarray(right, bool)
    above = scores[right][:, None] - scores[~right][None]
    return float(((above > 0) + 0.5 * (above == 0)).mean())


COMPONENT = Verifier
