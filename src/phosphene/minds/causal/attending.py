"""Attending: attention probabilities by head, from where something is decided to named tokens."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from typing import Any

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.causal.chain import opened
from phosphene.minds.causal.patches import told
from phosphene.minds.causal.places import QUESTION, Parts, parts
from phosphene.minds.causal.stakes import Stakes, stakes
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.wires import Change, Site, Wires


@contextmanager
def probabilities(wires: Wires) -> Iterator[dict[int, list[torch.Tensor]]]:
    """Layer -> one tensor `(b, heads, positions, positions seen)` a call, of all that runs inside.

    Fused attention kernels keep no probabilities: the plain one is used inside, and what was there
    before is put back.

    Raises:
        PhospheneError: on the way out of the block, for a model whose attention tells none.
    """
    model: Any = wires.model
    before = getattr(model.config, "_attn_implementation", None)
    taken: dict[int, list[torch.Tensor]] = {}

    def taker(layer: int) -> Any:
        def take(module: Any, args: Any, out: Any) -> None:
            weights = out[1] if isinstance(out, tuple) and len(out) > 1 else None
            if not isinstance(weights, torch.Tensor) or weights.dim() != 4:
                raise PhospheneError(
                    f"{type(module).__name__} tells no attention probabilities; heads can't be read"
                )
            taken.setdefault(layer, []).append(weights.detach().float())

        return take

    with ExitStack() as stack:
        model.set_attn_implementation("eager")
        if before is not None:
            stack.callback(model.set_attn_implementation, before)
        for site in wires.sites("attention"):
            module = wires.module(site)
            assert module is not None
            stack.callback(module.register_forward_hook(taker(site.layer)).remove)
        yield taken


class Attending:
    """A batch, run once with attention kept."""

    def __init__(self, subject: MindSubject, problems: Sequence[TextProblem]) -> None:
        self.subject, self.problems = subject, list(problems)
        self.parts: list[Parts] = [parts(subject.mind, p) for p in problems]
        self.length = max(len(p.ids) for p in self.parts)
        self.measure: Stakes = stakes(subject, problems)

    @torch.no_grad()
    def masses(self) -> dict[str, np.ndarray]:
        """Attention mass from each decision to groups of tokens.

        Returns:
            `own` `(b, groups, decisions, layers, heads)`, groups as in `QUESTION`; `other`, the
            same for the path facts alone with those of other problems as long, `(b, decisions,
            layers, heads)`, their mean, nan where there is no such problem; `step` `(b, steps,
            decisions, layers, heads)`, mass on the fact of each worked step, nan where none is.
        """
        subject = self.subject
        with probabilities(subject.wires) as taken:
            told(subject, opened(subject, self.problems))
        # (b, decisions, layers, heads, tokens of the question)
        maps = torch.stack([self._decisions(taken[a]) for a in sorted(taken)], 2).cpu().numpy()
        own = np.stack(
            [self._mass(maps, [p.groups()[name] for p in self.parts]) for name in QUESTION], 1
        )
        most = max(len(p.path) for p in self.parts)
        step = [self._mass(maps, [self._stated(p, k) for p in self.parts]) for k in range(most)]
        return {"own": own, "other": self._others(maps), "step": np.stack(step, 1)}

    def decisions(self) -> list[str]:
        """Names of what decides: the begin mark, each thought, the answer mark."""
        begin = ["begin mark"] if self.subject.mind.mark("begin") else ["last word"]
        calls = {"thoughts": self.subject.thoughts, "pause": 1, "none": 0}[self.subject.way]
        between = [f"thought {t + 1}" for t in range(calls)]
        if self.subject.way == "pause":
            between = ["last pause"] if self.subject.thoughts else []
        marks = [*self.subject.mind.mark("end"), *self.subject.mind.mark("answer")]
        return [*begin, *between, *(["answer mark"] if marks else [])]

    @torch.no_grad()
    def without(self, heads: Sequence[tuple[int, int]]) -> dict[str, np.ndarray]:
        """Lead and right answers `(b,)` with these (layer, head) silenced where something is
        decided: behind the question."""
        subject = self.subject
        changes: dict[Site, Change] = {}
        for layer in sorted({a for a, _ in heads}):
            changes[Site("heads", layer)] = self._silence([h for a, h in heads if a == layer])
        with subject.wires.editing(changes):
            logits = told(subject, opened(subject, self.problems))
        return {
            "lead": self.measure.lead(logits).float().cpu().numpy(),
            "right": self.measure.right(logits).cpu().numpy(),
        }

    def _silence(self, heads: Sequence[int]) -> Change:
        count = self.subject.wires.heads

        def change(value: torch.Tensor, call: int) -> torch.Tensor:
            out = value.clone()
            wide = out.unflatten(-1, (count, -1))
            first = -1 if call == 0 else 0
            wide[:, first:, list(heads)] = 0.0
            return wide.flatten(-2)

        return change

    def _decisions(self, calls: Sequence[torch.Tensor]) -> torch.Tensor:
        """`(b, decisions, heads, tokens of the question)`: the last position of each call."""
        rows = [c[:, :, -1, : self.length] for c in calls]
        return torch.stack(rows, 1)

    def _mass(self, maps: np.ndarray, masks: Sequence[np.ndarray]) -> np.ndarray:
        """`(b, decisions, layers, heads)`; nan where a mask is empty."""
        out = np.full(maps.shape[:-1], np.nan)
        for i, mask in enumerate(masks):
            if mask.any():
                out[i] = maps[i][..., self.length - len(mask) :][..., mask].sum(-1)
        return out

    @staticmethod
    def _stated(part: Parts, step: int) -> np.ndarray:
        where = part.path[step] if step < len(part.path) else None
        return np.zeros(len(part.ids), bool) if where is None else part.sentence == where

    def _others(self, maps: np.ndarray) -> np.ndarray:
        """Mass on where other problems of the same layout have their path facts."""
        layout = [(len(p.ids), int(p.groups()["path facts"].sum())) for p in self.parts]
        out = np.full(maps.shape[:-1], np.nan)
        for i, own in enumerate(layout):
            alike = [k for k, o in enumerate(layout) if k != i and o == own and own[1]]
            if alike:
                masks = [self.parts[k].groups()["path facts"] for k in alike]
                here = maps[i][..., self.length - own[0] :]
                out[i] = np.mean([here[..., m].sum(-1) for m in masks], 0)
        return out
