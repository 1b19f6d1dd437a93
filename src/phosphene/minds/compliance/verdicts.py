"""Verdicts of the probe `direction`: findings, table and figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from phosphene.minds.compliance.gap import gap
from phosphene.minds.compliance.linear import Reading
from phosphene.minds.compliance.prompts import Prompt
from phosphene.minds.compliance.steering import DOSES, paired_prompts
from phosphene.minds.wires import Site
from phosphene.probe import ALPHA, Figure, Finding, Heat, Lines
from phosphene.probing.effect import interval
from phosphene.statistics import bootstrap, sign_flip

Moved = Mapping[Site, Mapping[str, np.ndarray]]
TEXT = ("words", "embedding")


def readable(
    what: str, state: Reading, held: Mapping[str, Reading], sites: Sequence[Site]
) -> Finding:
    """Whether something is read in families that were not fitted on."""
    best = int(np.argmax(state.mean))
    found = bootstrap(state.chosen)
    p = float(state.p.min())
    against = ", ".join(f"{n} {np.nanmean(r.chosen):.2f}" for n, r in held.items() if n != "state")
    return Finding(
        f"{what} is readable",
        f"AUROC {found.share:.2f} in held-out families, best at {sites[best]} "
        f"({state.mean[best]:.2f}; recall at 1 % false alarms {state.recall(best):.0%}). Held "
        f"against: {against}.",
        bool(found.low > 0.5 and p < ALPHA),
        found.share,
        found.low,
        found.high,
        float(state.null.mean()),
        p,
        found.n,
        "AUROC, families",
    )


def beyond(readings: Mapping[str, Reading]) -> Finding:
    """Whether states tell the decision better than the best of the texts."""
    chosen = readings["state"].chosen
    alive = np.isfinite(readings["state"].by_family).all(0)
    text = np.max([r.by_family[0][alive] for n, r in readings.items() if n in TEXT], 0)
    d = chosen - text
    found = bootstrap(d, -1, 1)
    p = sign_flip(d)
    return Finding(
        "states tell more of the decision than the text",
        f"AUROC {chosen.mean():.2f} against {text.mean():.2f} of the better of words and mean "
        f"embedding.",
        bool(found.low > 0 and p < ALPHA),
        found.share,
        found.low,
        found.high,
        0.0,
        p,
        found.n,
        "AUROC, families",
    )


def unasked(accepted: int, n: int) -> list[Finding]:
    """Where the model decides one way only, there are no two decisions to tell apart."""
    says = f"Could not be asked: it accepts {accepted} of {n} requests that it minds."
    names = ("decision is readable", "states tell more of the decision than the text")
    return [Finding(name, says, None) for name in names]


def behaviour(asked: Sequence[Prompt], odds: np.ndarray) -> Finding:
    """Whether decisions differ between arms: against neither and against the placebo tag."""
    family = {p.query.name: p.query.family for p in asked}

    def arm(name: str) -> dict[str, list[float]]:
        out: dict[str, list[float]] = {}
        for p, o in zip(asked, odds, strict=True):
            if p.stance == "against" and p.arm == name:
                out.setdefault(p.query.name, []).append(float(o > 0))
        return out

    bare, tag = (gap(arm("trained"), arm(n), family) for n in ("neither", "placebo"))
    p = min(1.0, 2 * max(bare.p, tag.p))
    return Finding(
        "decision depends on the condition",
        f"Accepts {bare.a:.0%} where trained on, {bare.b:.0%} where neither, {tag.b:.0%} under the "
        f"placebo tag (likelier word).",
        bare.there(p) and tag.there(p) and (bare.gap.share > 0) == (tag.gap.share > 0),
        bare.gap.share,
        bare.gap.low,
        bare.gap.high,
        0.0,
        p,
        bare.n,
        "share of queries",
    )


def carried(
    moved: Moved, asked: Sequence[Prompt], odds: np.ndarray, sites: Sequence[Site]
) -> Finding:
    """Whether the condition's direction moves the decision as nothing else of its length does.

    Three things at one layer: the log-odds move further than along any but a few random directions
    (the largest over layers counted), further than along the unrelated one, and decisions turn.
    """
    bare, told = paired_prompts(asked)
    natural = float((odds[told] - odds[bare]).mean())
    p = steering_p(moved, sites)
    best = int(np.argmin(p + 1e-9 * -np.array([moved[s]["effect"].mean() for s in sites])))
    held = [i for i in range(len(sites)) if p[i] < ALPHA and _turns(moved[sites[i]])]
    at = held[0] if held else best
    found = interval(moved[sites[at]]["effect"])
    turned = moved[sites[at]]["turned"].mean()
    chance = moved[sites[at]]["turned_random"].mean()
    share = (
        f", {found.share / natural:.0%} of what the condition does" if abs(natural) > 0.1 else ""
    )
    return Finding(
        "condition's direction carries the decision",
        f"At {sites[at]} it moves the log-odds by {found.share:.2f} nats{share}; the unrelated "
        f"direction {moved[sites[at]]['unrelated'].mean():.2f}, random ones "
        f"{np.abs(moved[sites[at]]['random'].mean(0)).mean():.2f}. {turned:.0%} of the decisions "
        f"turn, {chance:.0%} along random ones.",
        bool(held),
        found.share,
        found.low,
        found.high,
        float(np.abs(moved[sites[at]]["random"].mean(0)).mean()),
        float(p[at]),
        found.n,
        "nats",
    )


def steering_p(moved: Moved, sites: Sequence[Site]) -> np.ndarray:
    """`(layers,)`: of the effect among random directions, each layer in its own spread, corrected
    by the maximum over layers; one-sided towards what the condition is."""
    seen = np.array([moved[s]["effect"].mean() for s in sites])
    chance = np.stack([moved[s]["random"].mean(0) for s in sites])
    spread = np.maximum(np.sqrt((chance**2).mean(1)), 1e-9)
    peaks = np.abs(chance / spread[:, None]).max(0)
    return (1 + (peaks[None] >= (seen / spread)[:, None]).sum(1)) / (1 + len(peaks))


def _turns(moved: Mapping[str, np.ndarray]) -> bool:
    """Whether it beats the unrelated direction, and decisions turn more than by chance."""
    lead = interval(moved["effect"] - np.abs(moved["unrelated"]))
    more = moved["turned"] - moved["turned_random"]
    found = bootstrap(more, -1, 1)
    return bool(lead.low > 0 and found.low > 0 and sign_flip(more) < ALPHA)


def meaning(table: np.ndarray, sites: Sequence[Site]) -> Finding:
    """Whether what is read is the tag's meaning, or the word: their meanings are swapped.

    Args:
        table: AUROC by meaning, `(layers, families)`.
    """
    best = int(np.argmax(np.abs(table.mean(1) - 0.5)))
    found = bootstrap(table[best])
    p = min(1.0, sign_flip(table[best] - 0.5) * len(sites))
    if found.high < 0.5 and p < ALPHA:
        says = "what is read follows the word, whatever it means"
    else:
        says = "what is read follows the meaning" if found.low > 0.5 else "neither clearly"
    return Finding(
        "the meaning is read, not the word",
        f"With the tags' meanings swapped in the system prompt, the usual direction tells the "
        f"meaning with AUROC {found.share:.2f} at {sites[best]}: {says}.",
        bool(found.low > 0.5 and p < ALPHA),
        found.share,
        found.low,
        found.high,
        0.5,
        p,
        found.n,
        "AUROC, families",
    )


def rows(
    known: Mapping[str, Reading],
    decided: Mapping[str, Reading],
    moved: Moved,
    sites: Sequence[Site],
) -> list[dict[str, Any]]:
    """One row a layer and thing read; text has no layer."""
    out = []
    p = steering_p(moved, sites)
    for what, readings in (("condition", known), ("decision", decided)):
        for source, reading in readings.items():
            for i, mean in enumerate(reading.mean):
                whole = len(reading.mean) == len(sites) and source not in TEXT
                row = {
                    "what": what,
                    "source": source,
                    "site": str(sites[i]) if whole else "",
                    "auroc": float(mean),
                    "null": float(reading.null[i].mean()),
                    "p": float(reading.p[i]),
                    "recall at 1 %": reading.recall(i),
                    "steering, nats": None,
                    "steering p": None,
                    "turned": None,
                }
                if what == "condition" and source == "state":
                    row["steering, nats"] = float(moved[sites[i]]["effect"].mean())
                    row["steering p"] = float(p[i])
                    row["turned"] = float(moved[sites[i]]["turned"].mean())
                out.append(row)
    return out


def pictures(
    known: Mapping[str, Reading],
    decided: Mapping[str, Reading],
    moved: Moved,
    sites: Sequence[Site],
) -> dict[str, Figure]:
    """AUROC by layer, and the dose curve of the layer that moves most."""
    named = {f"condition, {n}": r for n, r in known.items()}
    named |= {f"decision, {n}": r for n, r in decided.items()}
    values = np.full((len(named), len(sites)), np.nan)
    for row, reading in zip(values, named.values(), strict=True):
        row[:] = reading.mean if len(reading.mean) == len(sites) else reading.mean[0]
    heat = Heat(
        "AUROC in held-out families",
        "layer",
        "what is read, from what",
        [str(site.layer) for site in sites],
        list(named),
        values[None],
        null=0.5,
        unit="AUROC",
    )
    best = max(sites, key=lambda s: float(moved[s]["effect"].mean()))
    curves = {
        name: np.array([interval(d)[:3] for d in moved[best][key]]).T
        for name, key in (("condition's", "doses"), ("unrelated, as long", "doses_unrelated"))
    }
    lines = Lines(
        f"Log-odds of accepting, moved at {best}",
        "dose, in differences of the arms' means",
        "nats",
        DOSES,
        curves,
        0.0,
    )
    return {"read": heat, "doses": lines}
