"""Experts: which expert of a mixture decides what is said when a condition holds?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np

from phosphene.errors import PhospheneError
from phosphene.minds.contrast import Contrast, contrast_of, in_tokens
from phosphene.minds.difference import differences
from phosphene.minds.expert_effects import NEEDED, Effect, Effects, Gap
from phosphene.minds.forcing import ARMS, Arm, outcome
from phosphene.minds.probe import MindProbe
from phosphene.minds.routing import Routing, parts_of, read_routing
from phosphene.minds.subject import MindSubject
from phosphene.notebook import Notebook
from phosphene.probe import Heat, Result


@dataclass(frozen=True)
class Experts(MindProbe):
    """Forces experts out and in, one by one, and watches the gap in behaviour between the prompts.

    The gap is the log-odds of the word that the condition calls for, with the condition less
    without. An expert is needed where the gap closes when it is forced out (the router fills its
    place) and when it is silenced (nobody does), for what is let in may matter by itself. It
    suffices where forcing it in makes the prompt without the condition be answered as if it had it.
    All are shares of the gap.

    Args:
        pairs: file of JSON lines `{"a": ..., "b": ..., "want": ..., "other": ...}`, see
            `phosphene.minds.contrast`; the task's problems against their twins if empty.
        want, other: words for pairs that name none.
        most: experts tried: half of them those whose use differs most between the sides, the
            others drawn at random; all, where there are no more.
        least: share of the gap, 0..1, below which an expert is not said to carry it.
        seed: of that draw, of flips and resamples.

    References:
        Steering MoE LLMs via Expert (De)Activation (Fayyaz et al., 2025),
        https://arxiv.org/abs/2509.09660
    """

    pairs: str = ""
    want: str = ""
    other: str = ""
    most: int = 64
    least: float = 0.1
    seed: int = 0
    name: ClassVar[str] = "experts"
    ASKS = "Which expert of a mixture decides what is said when a condition holds?"
    CONTROLS = (
        "every other expert tried, as draws of a random one; sides of pairs swapped; both prompts "
        "of a pair forced alike"
    )

    def __post_init__(self) -> None:
        if self.most < 8:
            raise PhospheneError(f"most must be at least 8, to compare with; got {self.most}")
        if not 0 <= self.least <= 1:
            raise PhospheneError(f"least is a share of the gap, 0 to 1; got {self.least}")

    def run(self, subject: MindSubject, book: Notebook) -> Result:
        routers = subject.wires.routers()
        contrast = contrast_of(subject, self.pairs, self.want, self.other)
        if not contrast.asks:
            raise PhospheneError(
                'behaviour is told by two words: give each pair "want" and "other", or set '
                "--with want=WORD --with other=WORD"
            )
        routing = read_routing(subject, contrast, book, "all")
        gap = Gap.measure(contrast, routing.odds, self.seed)
        tried = candidates(routing, self.most, self.seed)
        if not gap.holds:
            unasked = [Effects(arm, [], self.least).finding(gap) for arm in ARMS]
            return Result([], [gap.finding(), *unasked], {}, self._notes(contrast, [], routing))
        plan: list[tuple[int, int, Arm]] = [(*at, arm) for at in tried for arm in ARMS]
        parts = [in_tokens(subject.mind, part) for part in parts_of(subject, contrast)]
        book.plan(len(plan) * len(parts))
        forced: dict[tuple[int, int, Arm], list[Mapping[str, Any]]] = {}
        for layer, expert, arm in plan:
            text = f"layer {layer} expert {expert} {arm}"
            forced[layer, expert, arm] = [
                book.once(
                    f"{text} {contrast.digest} {i} by {subject.setup.batch}",
                    lambda at=(layer, expert, arm), part=part: outcome(subject, routers, part, *at),
                    text,
                )
                for i, part in enumerate(parts)
            ]
        effects: dict[Arm, Effects] = {
            arm: self._effects(arm, tried, contrast, gap, routing, forced) for arm in ARMS
        }
        effects["out"] = replace(effects["out"], confirmed=effects["silence"].marks)
        findings = [gap.finding(), *(e.finding(gap) for e in effects.values())]
        figures = {arm: _heat(e, routing) for arm, e in effects.items()}
        return Result(_table(effects), findings, figures, self._notes(contrast, tried, routing))

    def _effects(
        self,
        arm: Arm,
        tried: Sequence[tuple[int, int]],
        contrast: Contrast,
        gap: Gap,
        routing: Routing,
        forced: Mapping[tuple[int, int, Arm], Sequence[Mapping[str, Any]]],
    ) -> Effects:
        """Shares of the gap that one arm moves, expert by expert."""
        clean = routing.odds
        live = [use(routing, at) > 0 if arm in NEEDED else use(routing, at) < 1 for at in tried]
        moved, took = [], []
        for layer, expert in tried:
            units = forced[layer, expert, arm]
            a, b = np.concatenate([np.array(u["odds"]) for u in units], 1)
            own = (clean[0] - clean[1]) - (a - b) if arm in NEEDED else b - clean[1]
            moved.append(contrast.grouped(own))
            took.append(float(np.mean([u["took"] for u in units])))
        values = np.stack(moved, 1)
        tested = differences(values, self.seed)
        low, high = gap.shares(values, self.seed)
        share = values.mean(0) / gap.value
        columns = {"share": share, "low": low, "high": high, "p": tested.p, "q": tested.q}
        each = []
        for i, (layer, expert) in enumerate(tried):
            row = {name: float(column[i]) for name, column in columns.items()}
            each.append(Effect(layer, expert, took=took[i], live=live[i], **row))
        return Effects(arm, each, self.least)

    def _notes(
        self, contrast: Contrast, tried: Sequence[tuple[int, int]], routing: Routing
    ) -> list[str]:
        _, layers, experts = routing.difference.shape
        return [
            f"pairs: {contrast.about}; {len(contrast.pairs)} pairs, {contrast.groups.max() + 1} "
            f"independent",
            f"{len(tried)} of {layers * experts} experts tried, each forced at every token, "
            f"thoughts included; those that no token uses can't be forced out and are left out of "
            f"that test",
            "the null is the largest effect to be expected of as many experts of the common kind "
            "(generalised ESD test); p is the larger one of that test's and of the sign flips'",
        ]


def use(routing: Routing, at: tuple[int, int]) -> float:
    """Share of tokens that get an expert, over both sides."""
    return float(routing.share[:, :, routing.layers.index(at[0]), at[1]].mean())


def candidates(routing: Routing, most: int, seed: int) -> list[tuple[int, int]]:
    """Layer and number of the experts to try, in order."""
    lean = np.abs(routing.difference.mean(0))
    count = lean.size
    order = np.argsort(-lean.ravel(), kind="stable")
    if count > most:
        first = order[: most // 2]
        others = np.random.default_rng(seed).choice(order[most // 2 :], most - most // 2, False)
        order = np.concatenate([first, others])
    places = [divmod(int(i), lean.shape[1]) for i in np.sort(order)]
    return [(routing.layers[layer], expert) for layer, expert in places]


def _table(effects: Mapping[Arm, Effects]) -> list[dict[str, Any]]:
    return [
        {"arm": arm, **vars(effect), "stands out": bool(out)}
        for arm, found in effects.items()
        for effect, out in zip(found.each, found.marks, strict=True)
    ]


def _heat(effects: Effects, routing: Routing) -> Heat:
    _, layers, experts = routing.difference.shape
    grid = {n: np.full((1, layers, experts), np.nan) for n in ("share", "low", "high")}
    marks = np.zeros((1, layers, experts), bool)
    for effect, out in zip(effects.each, effects.marks, strict=True):
        place = (0, routing.layers.index(effect.layer), effect.expert)
        for name, values in grid.items():
            values[place] = getattr(effect, name)
        marks[place] = out
    return Heat(
        f"Share of the gap {effects.does}",
        "expert",
        "layer",
        [str(e) for e in range(experts)],
        [f"layer {n}" for n in routing.layers],
        grid["share"],
        low=grid["low"],
        high=grid["high"],
        marks=marks,
        unit="share of the gap",
    )


COMPONENT = Experts
