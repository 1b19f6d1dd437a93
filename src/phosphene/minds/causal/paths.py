"""Paths: the edge from one part of a model to another, with everything else frozen.

A sender's output is set to the twin's; all other attention and MLP outputs and all thoughts stay as
they were, so that a receiver sees nothing but the sender's own contribution to the residual stream.
What the receiver then puts out is put into an otherwise free run. The next thought is a receiver
too: what would be fed.

References:
    Localizing Model Behavior with Path Patching (Goldowsky-Dill et al., 2023), https://arxiv.org/abs/2304.05969
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from phosphene.minds.causal.chain import follow, opened, put
from phosphene.minds.causal.patches import PARTS, At, Patched, told
from phosphene.minds.wires import Change, Site
from phosphene.probe import ALPHA, Figure, Finding, Heat
from phosphene.probing.effect import interval, step_down

ARMS = ("twin", "random")
DIRECT = "logits"  # the receiver that is none: straight into what is said
FED = Site("embedding")  # what is fed as the next thought


def receivers(patched: Patched, sender: At) -> list[At]:
    """Parts that a sender's output can reach: in a later layer, in no earlier call."""
    site, group = sender
    call = patched.spots[group][0]
    later = PARTS.index(site.kind)
    fed = patched.subject.way == "thoughts" and call < patched.subject.thoughts
    thought = [(FED, f"thought {call + 1}")] if fed else []
    return thought + [
        (s, g)
        for s, g in patched.places
        if s.kind in PARTS
        and (s.layer, PARTS.index(s.kind)) > (site.layer, later)
        and patched.spots[g][0] >= call
        and (patched.spots[g][0] > call or _reaches(patched, group, g))
    ]


def _reaches(patched: Patched, sender: str, receiver: str) -> bool:
    """Whether some token of the receiver stands at or behind one of the sender."""
    first = patched.spots[sender][1].long().argmax(1)
    mask = patched.spots[receiver][1]
    last = mask.shape[1] - 1 - mask.flip(1).long().argmax(1)
    return bool((last >= first).any())


@torch.no_grad()
def edges_of(patched: Patched, senders: Sequence[At]) -> dict[str, np.ndarray]:
    """M lost along each edge.

    Returns:
        for each sender by its number, `(b, arms, receivers + 1)`; the last is `DIRECT`.
    """
    return {str(n): _from(patched, sender, n) for n, sender in enumerate(senders)}


def _from(patched: Patched, sender: At, salt: int) -> np.ndarray:
    site, group = sender
    call, _ = patched.spots[group]
    here, there = patched.base[0][site][call], patched.twin[0][site][call]
    ends = receivers(patched, sender)
    plain = patched.base[1]
    begin = opened(patched.subject, patched.problems)
    out = np.full((len(patched.problems), len(ARMS), len(ends) + 1), np.nan)
    for a, values in enumerate((there, patched.jolt(here, there, 1000 + salt))):
        logits, seen = _frozen(patched, sender, values, ends)
        out[:, a, -1] = (plain - patched.margin(logits)).cpu().numpy()
        for r, (end, tokens) in enumerate(ends):
            at = patched.spots[tokens][0]
            if end == FED:
                moved = follow(patched.subject, begin, put({at - 1: seen[FED][at - 1]})).answer
            else:
                change = {end: patched.put(tokens, seen[end][at])}
                moved = patched.rerun(begin, patched.problems, change, at)
            out[:, a, r] = (plain - patched.margin(moved)).cpu().numpy()
    return out


def _frozen(
    patched: Patched, sender: At, values: torch.Tensor, ends: Sequence[At]
) -> tuple[torch.Tensor, dict[Site, list[torch.Tensor]]]:
    """One run with the sender set and all else as it was; also what each part would have put out.

    Every part is read before it is set back, so one run serves all receivers.
    """
    subject = patched.subject
    seen: dict[Site, list[torch.Tensor]] = {s: [] for s, _ in ends} | {FED: []}
    clean = patched.base[0]
    setting = patched.put(sender[1], values)(0)

    def hold(site: Site) -> Change:
        def change(value: torch.Tensor, call: int) -> torch.Tensor:
            if site in seen:
                seen[site].append(value.clone())
            kept = clean[site][call]
            return setting(kept, call) if site == sender[0] else kept

        return change

    parts = [s for s in patched.sites if s.kind in PARTS]
    fed = patched.thoughts if subject.way == "thoughts" else None
    with subject.wires.editing({s: hold(s) for s in parts}):
        state = opened(subject, patched.problems)
        if fed is None:
            return told(subject, state), seen

        def keep(t: int, own: torch.Tensor) -> torch.Tensor:
            seen[FED].append(own)
            return fed[t]

        return follow(subject, state, keep).answer, seen


def report_edges(
    patched: Patched, senders: Sequence[At], lost: dict[str, np.ndarray], scale: float
) -> tuple[list[Finding], dict[str, Figure]]:
    """Claims over all edges of all senders, and a picture a sender.

    Args:
        lost: of `edges_of`, for all pairs.
        scale: of M: what the twin's whole run takes.
    """
    ends = [[*receivers(patched, s), None] for s in senders]
    flat = np.concatenate([lost[str(n)] for n in range(len(senders))], 2) / scale
    p = step_down(flat[:, 0] - flat[:, 1])
    stands = np.array([interval(c).low > 0 for c in (flat[:, 0] - flat[:, 1]).T]) & (p < ALPHA)
    found, figures = [], {}
    begin = 0
    for n, sender in enumerate(senders):
        here = slice(begin, begin + len(ends[n]))
        begin = here.stop
        found.append(_edge(sender, ends[n], flat[..., here], p[here], stands[here]))
        figures[f"edges-{n + 1}"] = _heat(sender, ends[n], flat[..., here], stands[here])
    return found, figures


def _named(at: At | None) -> str:
    return DIRECT if at is None else f"{at[0]}, {at[1]}"


def _edge(
    sender: At, ends: Sequence[At | None], lost: np.ndarray, p: np.ndarray, stands: np.ndarray
) -> Finding:
    mean = lost[:, 0].mean(0)
    ranked = np.argsort(-np.where(stands if stands.any() else True, mean, -np.inf), kind="stable")
    best = int(ranked[0])
    value, push = interval(lost[:, 0, best]), float(lost[:, 1, best].mean())
    told = "; ".join(f"{_named(ends[i])} {mean[i]:.0%}" for i in ranked[:3] if stands[i]) or "none"
    return Finding(
        f"{_named(sender)} acts along edges",
        f"{int(stands.sum())} of {len(ends)} edges; strongest: {told} of the way to the twin's "
        f"answer ({push:.0%} for a random change as large)",
        bool(stands.any()),
        value.share,
        value.low,
        value.high,
        push,
        float(p[best]),
        value.n,
        "share of the way",
    )


def _heat(sender: At, ends: Sequence[At | None], lost: np.ndarray, stands: np.ndarray) -> Heat:
    parts = [e for e in ends if e is not None]
    groups = [*dict.fromkeys(g for _, g in parts), DIRECT]
    sites = [str(s) for s in dict.fromkeys(s for s, _ in parts)] or [DIRECT]
    values = np.full((1, len(sites), len(groups)), np.nan)
    marks = np.zeros(values.shape, bool)
    for i, end in enumerate(ends):
        row = 0 if end is None else sites.index(str(end[0]))
        column = groups.index(DIRECT if end is None else end[1])
        values[0, row, column], marks[0, row, column] = lost[:, 0, i].mean(), stands[i]
    return Heat(
        f"Edges from {_named(sender)}",
        "tokens",
        "receiver",
        groups,
        sites,
        values,
        marks=marks,
        unit="share of the way",
    )
