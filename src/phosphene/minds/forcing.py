"""Forcing: one expert in, out or silenced, and whether it stands out among the others.

    in:   z_e := max z + eps        out:  z_e := min z - eps

A shift of all logits changes no softmax, so this is the rule of SteerMoE on log softmax(z). The
router then chooses in its own way; where groups or biases overrule it, forcing fails at some
tokens, and `took` says at how many.

References:
    Steering MoE LLMs via Expert (De)Activation (Fayyaz et al., 2025),
    https://arxiv.org/abs/2509.09660
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import torch
from scipy.special import stdtr, stdtrit

from phosphene.minds.contrast import Prompts, decide
from phosphene.minds.routers import Routers
from phosphene.minds.subject import MindSubject
from phosphene.minds.wires import Change, Site
from phosphene.probe import ALPHA

Arm = Literal["out", "silence", "in"]
ARMS: tuple[Arm, ...] = ("out", "silence", "in")
EPS = 0.01  # nats; logits are float32 here, so it survives
MOST = 3  # experts that may stand out at once
FEWEST = 6  # experts below which nothing can stand out among them


def push(expert: int, inside: bool, eps: float = EPS) -> Change:
    """The change of logits that forces an expert in or out at every token."""

    def change(value: torch.Tensor, call: int) -> torch.Tensor:
        value = value.clone()
        others = [e for e in range(value.shape[-1]) if e != expert]
        end = value[..., others]
        value[..., expert] = end.amax(-1) + eps if inside else end.amin(-1) - eps
        return value

    return change


@contextmanager
def forced(
    subject: MindSubject, routers: Routers, layer: int, expert: int, arm: Arm
) -> Iterator[None]:
    """One expert forced in or out, or its output dropped, on every call inside the block."""
    if arm == "silence":
        with routers.silencing(layer, expert):
            yield
        return
    with subject.wires.editing({Site("gate", layer): push(expert, arm == "in")}):
        yield


@torch.no_grad()
def outcome(
    subject: MindSubject, routers: Routers, prompts: Prompts, layer: int, expert: int, arm: Arm
) -> dict[str, Any]:
    """Log-odds `odds` of both sides with an expert forced, and `took`, the share of tokens at which
    that succeeded, padding left out."""
    with forced(subject, routers, layer, expert, arm), routers.reading([layer]) as routed:
        state = decide(subject, prompts)
    chosen = torch.cat([c[..., expert] for c in routed[layer].chosen], 1)
    share = float(chosen[state.mask.bool()].float().mean())
    took = {"in": share, "out": 1 - share, "silence": 1.0}[arm]
    return {"odds": prompts.odds(state.logits).tolist(), "took": took}


@dataclass(frozen=True, eq=False)
class Standing:
    """Values among their fellows.

    Args:
        out: bool `(n,)`, those that stand out.
        low, high: what the others are expected to stay within, all of them together, with 95 %.
        p: of the largest one's standing out, corrected for their number.
    """

    out: np.ndarray
    low: float
    high: float
    p: float


def stand_out(values: np.ndarray, most: int = MOST) -> Standing:
    """Generalised extreme studentised deviate test: which values are not of the same kind?

    Every expert does something, so an effect that differs from nought says little. What matters is
    whether one is beyond what experts taken at random do. Up to `most` values may stand out, none
    hides another.

    Args:
        values: `(n,)`.

    References:
        Percentage Points for a Generalized ESD Many-Outlier Procedure (Rosner, 1983).
    """
    values = np.asarray(values, float)
    n = len(values)
    none = np.zeros(n, bool)
    if n < FEWEST:
        return Standing(none, -np.inf, np.inf, 1.0)
    kept, found, first, best = np.arange(n), 0, 1.0, 1.0
    order: list[int] = []
    for i in range(1, min(most, n - 4) + 1):
        some = values[kept]
        away = np.abs(some - some.mean())
        at, spread = int(away.argmax()), float(some.std(ddof=1))
        if away[at] <= 1e-12 * (np.abs(some).max() + 1e-30):
            break
        m = len(some)
        ratio = away[at] / spread
        # The studentised deviate of the largest, without itself in the spread.
        inner = max((m - 1) ** 2 - m * ratio**2, 1e-12)
        t = ratio * np.sqrt(m * (m - 2) / inner)
        p = min(1.0, 2 * m * float(stdtr(m - 2, -t)))
        order.append(int(kept[at]))
        kept = np.delete(kept, at)
        first = p if i == 1 else first
        if p < ALPHA:
            found, best = i, p
    none[order[:found]] = True
    rest = values[~none]
    m = len(rest)
    # A new value of the same kind, as many times as there are values.
    reach = float(stdtrit(m - 1, 1 - ALPHA / (2 * n))) * rest.std(ddof=1) * np.sqrt(1 + 1 / m)
    p = best if found else first
    return Standing(none, float(rest.mean() - reach), float(rest.mean() + reach), p)
