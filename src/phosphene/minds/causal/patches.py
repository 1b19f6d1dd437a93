"""Patches: sites of one run put into another, place by place, and what becomes of the answer.

    M = logit(own answer) - logit(the twin's answer)

A place is a site and a named group of tokens. What comes after a patched place runs freely.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from functools import cached_property

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.causal.chain import decide, follow, onwards, opened
from phosphene.minds.causal.places import Pairs, Place, paired, spots
from phosphene.minds.causal.stakes import answer_ids, difference
from phosphene.minds.subject import MindSubject
from phosphene.minds.task import TextProblem
from phosphene.minds.thinking import State, fork, hear
from phosphene.minds.wires import Change, Kind, Site

ARMS = ("twin", "other", "random", "back", "back, random")
PARTS: tuple[Kind, ...] = ("attention", "mlp")
KINDS: tuple[Kind, ...] = ("layer", *PARTS)
Values = Mapping[Site, Sequence[torch.Tensor]]  # a tensor (b, positions, width) a call
At = tuple[Site, str]


def told(subject: MindSubject, state: State) -> torch.Tensor:
    """The answer's logits `(b, vocabulary)` from the end of the question on; uses the state up.

    Raises:
        PhospheneError: a mind that thinks in words: steps of two problems don't line up.
    """
    mind, way = subject.mind, subject.way
    if way == "cot":
        raise PhospheneError(
            f"{mind.id} thinks in words, which differ in length from problem to problem; give "
            f"--way none, pause or thoughts"
        )
    if way == "thoughts":
        return onwards(subject, state, subject.thoughts).answer
    if way == "pause" and subject.thoughts:
        marks = torch.tensor(mind.mark("pause") * subject.thoughts, device=mind.device)
        state, _ = hear(mind, state, marks.expand(len(state.hidden), -1))
    return decide(mind, state)


class Patched:
    """A batch of problems and their twins, both run and read at all sites."""

    def __init__(
        self, subject: MindSubject, problems: Sequence[TextProblem], layers: Sequence[int]
    ) -> None:
        self.subject, self.problems = subject, list(problems)
        self.pairs: Pairs = paired(subject, problems)
        self.spots: dict[str, Place] = spots(subject, self.pairs)
        self.sites = [s for s in subject.wires.sites(*KINDS) if s.layer in layers]
        self.own = answer_ids(subject, problems)
        self.theirs = answer_ids(subject, self.pairs.twins)

    @cached_property
    def places(self) -> list[At]:
        return [(site, group) for site in self.sites for group in self.spots]

    @cached_property
    def base(self) -> tuple[Values, torch.Tensor]:
        return self._read(self.problems)

    @cached_property
    def twin(self) -> tuple[Values, torch.Tensor]:
        return self._read(self.pairs.twins)

    @cached_property
    def thoughts(self) -> torch.Tensor:
        """What is fed as each thought of the own run, `(thoughts, b, d)`."""
        with torch.no_grad():
            return follow(self.subject, opened(self.subject, self.problems)).fed

    @torch.no_grad()
    def _read(self, problems: Sequence[TextProblem]) -> tuple[Values, torch.Tensor]:
        with self.subject.wires.reading(self.sites) as taken:
            logits = told(self.subject, opened(self.subject, problems))
        return taken.values, self.margin(logits)

    def margin(self, logits: torch.Tensor) -> torch.Tensor:
        """M, `(rows,)`; rows are the batch, once or several times."""
        times = len(logits) // len(self.problems)
        return difference(logits.float(), self.own.repeat(times), self.theirs.repeat(times))

    @torch.no_grad()
    def exact(self) -> dict[str, np.ndarray]:
        """Every place, patched in every arm.

        Returns:
            `base`, `twin` `(b,)`: M of the two runs; `patched` `(b, arms, places)`: M with the
            twin's values in the own run, those of another problem's twin (nan where none is as
            long), the own ones moved as far at random; the own values in the twin's run, and random
            ones there.
        """
        out = np.full((len(self.problems), len(ARMS), len(self.places)), np.nan)
        alike = self._alike()
        # All arms are rows of one batch: small models are bound by calls, not by numbers.
        rows = [*list(self.problems) * 3, *list(self.pairs.twins) * 2]
        begin = opened(self.subject, rows)
        for n, (site, group) in enumerate(self.places):
            call, _ = self.spots[group]
            here, there = self.base[0][site][call], self.twin[0][site][call]
            arms = (
                there,
                there[alike.clip(min=0)],
                self.jolt(here, there, n),
                here,
                self.jolt(there, here, n),
            )
            logits = self.rerun(begin, rows, {site: self.put(group, torch.cat(arms))}, call)
            found = self.margin(logits).reshape(len(ARMS), -1).cpu().numpy()
            found[1] = np.where(alike >= 0, found[1], np.nan)
            out[:, :, n] = found.T
        return {
            "base": self.base[1].cpu().numpy(),
            "twin": self.twin[1].cpu().numpy(),
            "patched": out,
        }

    def rerun(
        self,
        begin: State,
        rows: Sequence[TextProblem],
        changes: Mapping[Site, Callable[[int], Change]],
        call: int,
    ) -> torch.Tensor:
        """Logits with changes that begin at a call; the question is read anew only for call 0.

        Args:
            begin: the rows' questions, read undisturbed.
            changes: site -> from the number of calls that are left out to the change.
        """
        past = int(call > 0)
        with self.subject.wires.editing({s: make(past) for s, make in changes.items()}):
            state = fork(begin) if past else opened(self.subject, rows)
            return told(self.subject, state)

    def estimated(self) -> dict[str, np.ndarray]:
        """What the gradient says of the first arm: two runs and one backward pass for all places.

        Returns:
            `estimate` `(b, places)`: (a_twin - a) . dM/da; `size` of the difference, for a ranking
            by size alone.
        """
        with torch.enable_grad(), self.subject.wires.reading(self.sites, keep=True) as taken:
            margin = self.margin(told(self.subject, opened(self.subject, self.problems)))
            flat = [v for s in self.sites for v in taken.values[s]]
            slopes = torch.autograd.grad(margin.sum(), flat, allow_unused=True)
        found = iter(slopes)
        slope = {s: [next(found) for _ in taken.values[s]] for s in self.sites}
        estimate, size = [], []
        for site, group in self.places:
            call, mask = self.spots[group]
            gap = (self.twin[0][site][call] - self.base[0][site][call]) * mask[..., None]
            by = slope[site][call]
            zero = torch.zeros(len(gap), device=gap.device)
            estimate.append(zero if by is None else (gap * by).sum((1, 2)))
            size.append(gap.square().sum((1, 2)).sqrt())
        return {
            "estimate": torch.stack(estimate, 1).float().cpu().numpy(),
            "size": torch.stack(size, 1).float().cpu().numpy(),
        }

    def put(self, group: str, values: torch.Tensor) -> Callable[[int], Change]:
        """The change that puts values in the place of a group's own, for `rerun`."""
        call, mask = self.spots[group]
        where = mask.repeat(len(values) // len(mask), 1)[..., None]

        def make(past: int) -> Change:
            def change(value: torch.Tensor, number: int) -> torch.Tensor:
                if number + past != call:
                    return value
                return torch.where(where, values.to(value), value)

            return change

        return make

    def jolt(self, own: torch.Tensor, other: torch.Tensor, salt: int) -> torch.Tensor:
        """The own values, each token moved as far as the other's are away, at random."""
        far = (other - own).float().norm(dim=-1, keepdim=True)
        drawn = [
            np.random.default_rng([abs(p.seed), salt]).standard_normal(own.shape[1:])
            for p in self.problems
        ]
        way = torch.from_numpy(np.stack(drawn)).to(far)
        return own + (far * way / way.norm(dim=-1, keepdim=True)).to(own)

    def _alike(self) -> np.ndarray:
        """For each problem another one of the batch that is as long, `(b,)`; -1 where none is."""
        lengths = torch.stack([m.sum(1) for m in self.pairs.groups.values()]).sum(0).cpu().numpy()
        out = np.full(len(lengths), -1)
        for length in np.unique(lengths):
            same = np.flatnonzero(lengths == length)
            if len(same) > 1:
                out[same] = np.roll(same, 1)
        return out
