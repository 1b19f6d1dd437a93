"""Attention: which frames look at which, and which way information goes in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.notebook import Notebook, batches
from phosphene.probe import ALPHA, Figure, Finding, Probe, Result
from phosphene.probing.flow import (
    BESIDE,
    FEWEST,
    ORDERED,
    Arrays,
    among_twins,
    by_order,
    drawn,
    interval,
    measures,
)
from phosphene.probing.flow_figures import by_step, frames_heat, heads_heat, strongest_heads
from phosphene.probing.groups import region
from phosphene.probing.twin import shuffled
from phosphene.statistics import holm, sign_flip
from phosphene.subject import Observation, Subject
from phosphene.tap import FrameMass, Read
from phosphene.task import Problem

SAYS = {
    "forward": "attention of {who} to earlier frames less that to later ones is {value:+.3f}",
    "chain": "attention of {who} to the frame just before less that to the one just after is "
    "{value:+.3f}",
    "first frame": "attention of {who} to the first frame less that to another is {value:+.3f}",
    "text": "{who} give {value:.3f} of their attention to the words",
    "sound": "{who} give {value:.3f} of their attention to the sound",
}
WHO = {"": "drawn frames", "answer ": "the answer's tokens in drawn frames"}
MEASURES = tuple(who + name for who in WHO for name in SAYS)


@dataclass(frozen=True)
class Attention(Probe):
    """Exact attention between frames at every step, layer and head, reduced as it is seen.

    Three nulls: the sign of an item's figure is chance (flips over items), the order of the frames
    is chance (their labels permuted), and the network is like any other (the same with its weights
    shuffled). A claim has to clear all that apply, and those of all claims together by Holm. Single
    heads are marked where they go beyond every head of every twin.

    Args:
        twins: networks with shuffled weights.
        twin_items: problems that each of them is given.
        sampled: queries looked at in each frame; None for all of them, which is exact.

    References:
        DiffTrack (2025), https://arxiv.org/abs/2506.17220
        Demystifying Video Reasoning (2026), https://arxiv.org/abs/2603.16870
    """

    twins: int = 19
    twin_items: int = 4
    sampled: int | None = None
    name: ClassVar[str] = "attention"
    ASKS = "Which frames look at which, and does information pass from frame to frame in time?"
    CONTROLS = "networks with shuffled weights, frames' labels permuted, sign flips over items"

    def __post_init__(self) -> None:
        if self.twins < 8 or self.twin_items < 1:
            raise PhospheneError(
                f"attention wants twins >= 8 and twin_items >= 1; got {self.twins}, "
                f"{self.twin_items}"
            )

    def run(self, subject: Subject, book: Notebook) -> Result:
        problems = subject.problems
        # As many as were asked for at a time, whatever the pipeline takes: units keep their names.
        parts = list(batches(problems, subject.setup.batch))
        few = problems[: self.twin_items]
        book.plan(len(parts) + self.twins)
        seen = [
            book.arrays(f"maps of {[p.seed for p in part]}", lambda p=part: self._look(subject, p))
            for part in parts
        ]
        ours = {name: np.concatenate([s[name] for s in seen]) for name in seen[0]}
        theirs = [
            book.arrays(f"twin {k}", lambda k=k: self._twin(subject, few, k), f"shuffled twin {k}")
            for k in range(self.twins)
        ]
        names = [n for n in MEASURES if n in ours]
        if not names:
            raise PhospheneError(
                f"{subject.backbone.id} draws {ours['mass'].shape[-1] - BESIDE} latent frame(s); "
                f"attention between frames needs two or more"
            )
        findings = _findings(names, ours, theirs, len(few))
        figures: dict[str, Figure] = {
            "frames": frames_heat(ours["mass"], "Attention between frames"),
            "answer": frames_heat(
                ours["answer mass"], "Attention of the answer's tokens, by frame"
            ),
            "steps": by_step(names, ours),
        }
        for name in names:
            figures[f"heads {name}"] = heads_heat(name, ours, theirs)
        strongest = next(n for n in ("answer chain", "answer first frame", *names) if n in names)
        figures["strongest heads"] = strongest_heads(strongest, ours)
        size = ours[names[0]].shape
        notes = [
            f"{size[1]} steps, {size[2]} layers, {size[3]} heads; "
            + ("all queries" if self.sampled is None else f"{self.sampled} queries a frame")
            + "; only calls that follow the prompt",
            "attention shows where a token looks, not what it does with it: patching tells that",
        ]
        return Result(_table(names, ours, theirs), findings, figures, notes)

    def _look(self, subject: Subject, problems: Sequence[Problem]) -> Arrays:
        """Of each problem: measures `(items, steps, layers, heads)`, of all tokens of a frame and
        of those in the answer's part of the picture; `mass` between frames, mean over heads,
        `(items, steps, layers, g, g)`, `answer mass` likewise; `heads`, those maps mean over steps,
        `(items, layers, heads, g, g)`."""
        found = [
            _ordered(seen)
            for part in batches(problems, subject.batch)
            for seen in self._run(subject, part)
        ]
        rows = np.stack(found)
        size = rows.shape[-1]
        whole = rows[..., :size, :]
        answer = np.concatenate([rows[..., :BESIDE, :], rows[..., size:, :]], -2)
        out: dict[str, np.ndarray] = {"mass": whole.mean(3), "answer mass": answer.mean(3)}
        out |= {"heads": whole.mean(1), "answer heads": answer.mean(1)}
        for who, mass in zip(WHO, (whole, answer), strict=True):
            for name, measure in measures(mass).items():
                out[who + name] = measure(mass).astype(np.float32)
        return out

    def _run(self, subject: Subject, problems: Sequence[Problem]) -> list[Observation]:
        """One batch, each sample with the place of its own answer."""
        mask = np.stack([region(subject, p) for p in problems])
        read = Read("map", FrameMass(mask, self.sampled))
        try:
            return subject.run([subject.request(p) for p in problems], [read])
        except PhospheneError:
            if subject.batch >= len(problems):
                raise
            # The pipeline has turned out to take one sample at a time.
            return [seen for p in problems for seen in self._run(subject, [p])]

    def _twin(self, subject: Subject, problems: Sequence[Problem], seed: int) -> Arrays:
        """The measures of a network with shuffled weights."""
        with shuffled(subject.pipeline, seed + 1):
            found = self._look(subject, problems)
        out = {name: found[name] for name in MEASURES if name in found}
        broken = [name for name in out if not np.isfinite(out[name]).all()]
        if broken:
            raise PhospheneError(
                f"{subject.backbone.id} with shuffled weights breaks down (no finite {broken[0]}); "
                f"try it in float32"
            )
        return out


def _split(name: str) -> tuple[str, str]:
    """Who looks, and the measure."""
    who = next(w for w in reversed(WHO) if name.startswith(w))
    return who, name.removeprefix(who)


def _ordered(seen: Observation) -> np.ndarray:
    """Maps of one sample `(steps, layers, heads, g, g)`, of the branch that follows the prompt."""
    branches = {at.branch for at in seen.values}
    branch = "cond" if "cond" in branches else min(branches)
    steps = sorted({at.step for at in seen.values})
    layers = sorted({at.layer for at in seen.values if at.step == steps[0]})
    found = {(at.step, at.layer): v for at, v in seen.values.items() if at.branch == branch}
    shapes = {tuple(v.shape) for v in found.values()}
    if len(shapes) > 1 or len(found) != len(steps) * len(layers):
        # Where layers differ in heads, or two networks share the steps, only means over heads and
        # layers have a place at every step.
        rows = [[v.mean(0) for (t, _), v in sorted(found.items()) if t == step] for step in steps]
        return torch.stack([torch.stack(row).mean(0)[None, None] for row in rows]).numpy()
    return torch.stack([torch.stack([found[t, n] for n in layers]) for t in steps]).numpy()


def _findings(
    names: Sequence[str], ours: Arrays, theirs: Sequence[Arrays], few: int
) -> list[Finding]:
    """One a measure: its mean over steps, layers and heads."""
    asked: list[tuple[str, np.ndarray, np.ndarray, float]] = []
    left: list[Finding] = []
    for name in names:
        items = ours[name].mean((1, 2, 3)).astype(float)
        twins = np.array([t[name].mean() for t in theirs], float)
        who, plain = _split(name)
        mean = drawn(ours[f"{who}mass"]).mean((0, 1, 2))
        if plain in ORDERED and len(mean) < FEWEST:
            says = f"not asked: {len(mean)} drawn frames have too few orders; {FEWEST} are needed"
            left.append(Finding(name, says, None, float(items.mean()), n=len(items)))
            continue
        null = 0.0 if plain in ORDERED else float(twins.mean())
        p = max(sign_flip(items - null), among_twins(float(items[:few].mean()), twins))
        if plain in ORDERED:
            p = max(p, by_order(ORDERED[plain], mean))
        asked.append((name, items, twins, p))
    made = []
    for (name, items, twins, _), p in zip(asked, holm([a[3] for a in asked]), strict=True):
        value, low, high = (float(v) for v in interval(items))
        null = float(twins.mean())
        clear = not low <= null <= high
        who, plain = _split(name)
        says = SAYS[plain].format(value=value, who=WHO[who])
        says += f"; with shuffled weights {null:+.3f}"
        made.append(
            Finding(
                name,
                says,
                bool(p < ALPHA and clear),
                value,
                low,
                high,
                null,
                p,
                len(items),
                "share of attention",
            )
        )
    return made + left


def _table(names: Sequence[str], ours: Arrays, theirs: Sequence[Arrays]) -> list[dict[str, Any]]:
    """By step and layer, mean over heads; by layer and head, mean over steps."""
    rows = []
    for name in names:
        found, null = ours[name], np.mean([t[name].mean(0) for t in theirs], 0)
        for what, axis in ((("step", "layer"), 3), (("layer", "head"), 1)):
            mean, low, high = interval(found.mean(axis))
            other = null.mean(axis - 1)
            for place in np.ndindex(mean.shape):
                at = dict(zip(what, place, strict=True))
                rows.append(
                    {
                        "measure": name,
                        "step": at.get("step"),
                        "layer": at.get("layer"),
                        "head": at.get("head"),
                        "value": float(mean[place]),
                        "low": float(low[place]),
                        "high": float(high[place]),
                        "shuffled": float(other[place]),
                        "n": len(found),
                    }
                )
    return rows


COMPONENT = Attention
