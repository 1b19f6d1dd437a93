"""Routing: which experts a mind uses on each prompt of a contrast, and the residual stream beside
it. Reduced to means over tokens where it is read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.minds.contrast import Contrast, Pair, decide, in_tokens
from phosphene.minds.routers import Routed, Routers
from phosphene.minds.subject import MindSubject
from phosphene.minds.wires import Site
from phosphene.notebook import Notebook, batches

Where = Literal["shared", "all", "last"]
WHERE: tuple[Where, ...] = ("shared", "all", "last")


@dataclass(frozen=True, eq=False)
class Routing:
    """What both sides of each pair do, side a first.

    Args:
        layers: numbers of the layers with routers.
        share: `(2, pairs, layers, experts)`, share of tokens that get an expert, 0..1.
        probability: like it, the router's mean score; sums to one over experts.
        entropy: `(2, pairs, layers)`, of a token's scores, mean over tokens, bits.
        inputs: `(2, pairs, layers, width)`, mean of what routers read.
        residual: `(2, pairs, 1 + all layers, width)`, mean of the embedding and of the residual
            stream behind each layer.
        odds: `(2, pairs)`, log-odds of the pair's words (nats); nan where it names none.
        top: how many experts a token gets.
    """

    layers: tuple[int, ...]
    share: np.ndarray
    probability: np.ndarray
    entropy: np.ndarray
    inputs: np.ndarray
    residual: np.ndarray
    odds: np.ndarray
    top: int

    @property
    def difference(self) -> np.ndarray:
        """`(pairs, layers, experts)`: share in a less share in b.

        References:
            Steering MoE LLMs via Expert (De)Activation (Fayyaz et al., 2025),
            https://arxiv.org/abs/2509.09660
        """
        return self.share[0] - self.share[1]


def parts_of(subject: MindSubject, contrast: Contrast) -> list[Sequence[Pair]]:
    """The pairs in slices whose two sides go through the model together."""
    return list(batches(contrast.pairs, max(1, subject.setup.batch // 2)))


def read_routing(
    subject: MindSubject, contrast: Contrast, book: Notebook, where: Where = "shared"
) -> Routing:
    """Run both prompts of every pair and read all routers.

    Args:
        where: tokens that count. shared, those that a and b have in common, and all that comes
            after the prompt; all, every token of the prompt too; last, only where the answer is
            said. Padding never counts.

    Raises:
        PhospheneError: the model has no routers; an unknown `where`.
    """
    if where not in WHERE:
        raise PhospheneError(f"where must be one of {', '.join(WHERE)}; got {where!r}")
    routers = subject.wires.routers()
    parts = parts_of(subject, contrast)
    book.plan(len(parts))
    read = [
        book.arrays(
            f"routing {where} {contrast.digest} {i} by {subject.setup.batch}",
            lambda part=part: _read(subject, routers, part, where),
            f"routing, batch {i + 1}",
        )
        for i, part in enumerate(parts)
    ]
    whole = {name: np.concatenate([r[name] for r in read], 1) for name in read[0]}
    top = round(float(whole["share"].sum(-1).max()))
    return Routing(routers.layers, **whole, top=top)


@torch.no_grad()
def _read(
    subject: MindSubject, routers: Routers, pairs: Sequence[Pair], where: Where
) -> Mapping[str, np.ndarray]:
    """Means over the tokens that count: everything `(2, pairs, ...)`."""
    wires = subject.wires
    sites = wires.sites("embedding", "layer")
    prompts = in_tokens(subject.mind, pairs)
    with routers.reading() as routed, wires.reading(sites) as taken:
        state = decide(subject, prompts)
    masks = [np.ones_like(m) if where == "all" else m for m in prompts.shared]
    calls = taken.values[Site("embedding")]
    weights = _weights(masks, [(c.shape[0], c.shape[1]) for c in calls], where == "last")
    scores = [_scores(r, routers.squash(n)) for n, r in routed.items()]
    read = {
        "share": _each(weights, [r.chosen for r in routed.values()]),
        "probability": _each(weights, scores),
        "entropy": _each(weights, [[_entropy(v) for v in s] for s in scores])[..., 0],
        "inputs": _each(weights, [r.inputs for r in routed.values()]).astype(np.float32),
        "residual": _each(weights, [taken.values[s] for s in sites]).astype(np.float32),
    }
    sides = {n: v.reshape(2, len(pairs), *v.shape[1:]) for n, v in read.items()}
    return {**sides, "odds": prompts.odds(state.logits)}


def _weights(
    masks: Sequence[np.ndarray], shapes: Sequence[tuple[int, int]], last: bool
) -> list[torch.Tensor]:
    """What each position weighs in a prompt's mean: `(b, s)` a call, one in all for a prompt.

    Args:
        masks: tokens of the prompts that count; prompts are padded on the left, and marks may
            follow them in the first call.
        shapes: of the calls.
    """
    out = [torch.zeros(shape) if last else torch.ones(shape) for shape in shapes]
    if last:
        out[-1][:, -1] = 1
    else:
        longest = max(map(len, masks))
        marks = shapes[0][1] - longest
        for row, mask in zip(out[0], masks, strict=True):
            row[: longest - len(mask)] = 0
            row[longest - len(mask) : longest] = torch.from_numpy(mask).float()
        if not marks:  # the last token of the prompt is where the answer is said
            out[0][:, -1] = 1
    total = torch.stack([w.sum(1) for w in out]).sum(0)
    return [w / total[:, None] for w in out]


def _each(weights: Sequence[torch.Tensor], values: Sequence[Sequence[torch.Tensor]]) -> np.ndarray:
    """Weighted means over tokens and calls: `(b, places, width)`."""
    means = []
    for calls in values:
        parts = [
            torch.einsum("bs,bsw->bw", w, v.detach().float().cpu())
            for w, v in zip(weights, calls, strict=True)
        ]
        means.append(torch.stack(parts).sum(0))
    return torch.stack(means, 1).double().numpy()


def _scores(routed: Routed, squash: str) -> list[torch.Tensor]:
    """The router's scores `(b, s, experts)` a call, as shares of one."""
    if squash == "sigmoid":
        open_ = [v.sigmoid() for v in routed.logits]
        return [v / v.sum(-1, keepdim=True) for v in open_]
    return [v.softmax(-1) for v in routed.logits]


def _entropy(shares: torch.Tensor) -> torch.Tensor:
    """Bits, `(b, s, 1)`."""
    return torch.special.entr(shares).sum(-1, keepdim=True) / np.log(2)
