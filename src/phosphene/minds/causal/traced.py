"""Traced: which places carry the answer, all of them counted, and whether a gradient tells as well.

    E = (M(own run, twin's values put in) - M(own)) / (M(twin's run) - M(own))

averaged as a ratio of means; 0: nothing, 1: the answer is the twin's. Back: the own values in the
twin's run restore M, on the same scale.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import numpy as np

from phosphene.minds.causal.patches import ARMS, PARTS, At
from phosphene.probe import ALPHA, Figure, Finding, Heat
from phosphene.probing.agreement import rank_correlation
from phosphene.probing.effect import Comparison, against, interval

DRAWS = 2000  # resamples of the pairs


class Traced:
    """The outcome of `Patched.exact` and `Patched.estimated` for all pairs.

    Args:
        places: in their order.
        values: as they return them.
    """

    def __init__(self, places: Sequence[At], values: Mapping[str, np.ndarray]) -> None:
        self.places, self.values = places, values
        self.gap = values["base"] - values["twin"]
        found = interval(self.gap)
        self.scale = found.share
        self.tells = found.low > 0
        self.n = len(self.gap)

    def of(self, arm: str) -> np.ndarray:
        """E `(pairs, places)` of an arm."""
        patched = self.values["patched"][:, ARMS.index(arm)]
        if arm.startswith("back"):
            return (patched - self.values["twin"][:, None]) / self._unit
        return (self.values["base"][:, None] - patched) / self._unit

    @property
    def estimate(self) -> np.ndarray:
        """E by gradient, `(pairs, places)`."""
        return -self.values["estimate"] / self._unit

    @property
    def _unit(self) -> float:
        return self.scale if self.tells else 1.0

    @cached_property
    def forth(self) -> Comparison:
        return against(self.of("twin"), [self.of("other"), self.of("random")])

    @cached_property
    def back(self) -> Comparison:
        return against(self.of("back"), [self.of("back, random")])

    @cached_property
    def carries(self) -> np.ndarray:
        """Places that beat every placebo both ways."""
        return self.forth.clears & self.back.clears & self.tells

    def strongest(self, most: int) -> list[At]:
        """The attention and MLP outputs that carry most of the answer."""
        strength = np.nan_to_num(np.abs(self.forth.value))
        ranked = np.argsort(-strength, kind="stable").tolist()
        return [self.places[n] for n in ranked if self.places[n][0].kind in PARTS][:most]

    def table(self) -> list[dict[str, Any]]:
        rows = []
        for n, (site, group) in enumerate(self.places):
            told = interval(self.estimate[:, n])
            rows.append(
                {
                    "site": site.kind,
                    "layer": site.layer,
                    "tokens": group,
                    "n": self.n,
                    "effect": float(self.forth.value[n]),
                    "low": float(self.forth.low[n]),
                    "high": float(self.forth.high[n]),
                    "effect, other problem's": float(interval(self.of("other")[:, n]).share),
                    "effect, random": float(interval(self.of("random")[:, n]).share),
                    "p": float(self.forth.p[n]),
                    "back": float(self.back.value[n]),
                    "back, low": float(self.back.low[n]),
                    "back, high": float(self.back.high[n]),
                    "back, random": float(self.back.null[n]),
                    "p, back": float(self.back.p[n]),
                    "carries": bool(self.carries[n]),
                    "by gradient": told.share,
                    "by gradient, low": told.low,
                    "by gradient, high": told.high,
                }
            )
        return rows

    @property
    def unasked(self) -> str | None:
        """Why no place can carry anything; None if one can."""
        if self.tells:
            return None
        found = interval(self.gap)
        return (
            f"the mind doesn't tell a problem from its twin: M is {found.share:.2g} "
            f"[{found.low:.2g}, {found.high:.2g}] apart"
        )

    def findings(self, top: int) -> list[Finding]:
        groups = list(dict.fromkeys(g for _, g in self.places))
        kinds = list(dict.fromkeys(s.kind for s, _ in self.places))
        out = [self._carrier(f"residual stream at {g}", "layer", g) for g in groups]
        out += [self._carrier(f"{k} output", k, None) for k in kinds if k != "layer"]
        return [*out, self._agreement(top)]

    def _carrier(self, what: str, kind: str, group: str | None) -> Finding:
        name = f"{what} carries the answer"
        if self.unasked:
            return Finding(name, f"not asked: {self.unasked}", None)
        here = np.array([s.kind == kind and group in (None, g) for s, g in self.places])
        claims = self.carries & here
        ranked = np.where(claims if claims.any() else here, self.forth.value, -np.inf)
        best = int(np.nan_to_num(ranked, nan=-np.inf).argmax())
        site, tokens = self.places[best]
        return Finding(
            name,
            f"at {int(claims.sum())} of {int(here.sum())} places; most at {site}, {tokens}: the "
            f"twin's values take the answer {self.forth.value[best]:.0%} of the way "
            f"({self.forth.null[best]:.0%} under the stronger placebo), the own ones bring "
            f"{self.back.value[best]:.0%} back in the twin's run ({self.back.null[best]:.0%})",
            bool(claims.any()),
            float(self.forth.value[best]),
            float(self.forth.low[best]),
            float(self.forth.high[best]),
            float(self.forth.null[best]),
            float(max(self.forth.p[best], self.back.p[best])),
            self.n,
            "share of the way",
        )

    def _agreement(self, top: int) -> Finding:
        """Rank correlation over the places that a gradient ranks highest; pairs are drawn anew."""
        name = f"the gradient ranks places as patches do, top {top}"
        if self.unasked:
            return Finding(name, f"not asked: {self.unasked}", None)
        told, exact, size = self.estimate, self.of("twin"), self.values["size"]
        moved = np.flatnonzero((size > 0).any(0))
        if len(moved) < 3:
            return Finding(name, f"{len(moved)} places are too few to rank", None)
        which = moved[np.argsort(-np.abs(told[:, moved].mean(0)), kind="stable")][:top]
        truly = moved[np.argsort(-np.abs(exact[:, moved].mean(0)), kind="stable")][:top]
        rng = np.random.default_rng(0)
        even = np.full(self.n, 1 / self.n)
        weights = np.vstack([even, rng.multinomial(self.n, even, DRAWS) / self.n])
        by = [
            rank_correlation(weights @ x[:, which], weights @ exact[:, which]) for x in (told, size)
        ]
        low, high = np.quantile(by[0][1:], (0.025, 0.975))
        # Two nulls: shuffled places, and the ranking by size, which needs no gradient.
        mean = exact[:, which].mean(0)
        luck = np.array([rank_correlation(rng.permutation(mean), mean) for _ in range(DRAWS)])
        rho, plain = float(by[0][0]), float(by[1][0])
        behind = int((by[0][1:] <= by[1][1:]).sum())
        p = (1 + max(int((luck >= rho - 1e-12).sum()), behind)) / (1 + DRAWS)
        shared = len(set(which.tolist()) & set(truly.tolist()))
        return Finding(
            name,
            f"rank correlation {rho:.2f} over the {len(which)} places it ranks highest "
            f"({plain:.2f} "
            f"by the size of the difference alone); {shared} of them are among the {len(which)} "
            f"largest exact effects",
            bool(low > 0 and p < ALPHA),
            rho,
            float(min(low, rho)),
            float(max(high, rho)),
            plain,
            float(p),
            self.n,
            "rank correlation",
        )

    def figures(self) -> dict[str, Figure]:
        title = "the twin's values in the own run"
        return {
            "forth": self._heat(title, self.forth, self.carries),
            "back": self._heat("the own values in the twin's run", self.back, self.carries),
        }

    def _heat(self, title: str, found: Comparison, marks: np.ndarray) -> Heat:
        """One panel a kind of site: layers upward, tokens along."""
        groups = list(dict.fromkeys(g for _, g in self.places))
        layers = list(dict.fromkeys(s.layer for s, _ in self.places))
        kinds = list(dict.fromkeys(s.kind for s, _ in self.places))
        at = {(s.kind, s.layer, g): n for n, (s, g) in enumerate(self.places)}

        def grid(values: np.ndarray, blank: Any = np.nan) -> np.ndarray:
            return np.array(
                [
                    [
                        [values[at[k, a, g]] if (k, a, g) in at else blank for g in groups]
                        for a in layers
                    ]
                    for k in kinds
                ]
            )

        notes = np.array([f"placebo {v:.2f}" for v in found.null], object)
        return Heat(
            f"Share of the way that the answer goes: {title}",
            "tokens",
            "layer",
            groups,
            [str(a) for a in layers],
            grid(found.value),
            ["residual stream" if k == "layer" else k for k in kinds],
            grid(found.low),
            grid(found.high),
            grid(marks, False),
            unit="share of the way",
            notes=grid(notes, ""),
        )
