"""Routing report: what the probe `gates` measured, told in findings, a table and figures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from phosphene.minds.class_means import Separation
from phosphene.minds.contrast import Contrast
from phosphene.minds.difference import Differences, Divergence, entropy
from phosphene.minds.routing import Routing
from phosphene.probe import ALPHA, Finding, Heat, Lines


@dataclass(frozen=True, eq=False)
class RoutingReport:
    """All that was measured, to be told.

    Args:
        use: of each expert, places ordered layer by layer.
        surer: differences of entropy, by layer.
        told: separation at the embedding and behind each layer.
        cosine: `(layers, experts)`, of what the router reads with its rows.
    """

    contrast: Contrast
    routing: Routing
    use: Differences
    js: Divergence
    surer: Differences
    told: Separation
    cosine: np.ndarray

    def _name(self, place: int) -> str:
        layer, expert = divmod(place, self.cosine.shape[1])
        return f"layer {self.routing.layers[layer]} expert {expert}"

    @property
    def marks(self) -> np.ndarray:
        """Places whose difference stands: the adjusted p and the interval agree."""
        clear = (self.use.low > 0) | (self.use.high < 0)
        return (self.use.q < ALPHA) & clear

    def table(self) -> list[dict[str, Any]]:
        """A row an expert."""
        share = self.routing.share.mean(1)
        out = []
        for place in range(self.use.mean.size):
            layer, expert = divmod(place, self.cosine.shape[1])
            row = {"layer": self.routing.layers[layer], "expert": expert}
            row |= {"share a": share[0, layer, expert], "share b": share[1, layer, expert]}
            row |= {n: getattr(self.use, n)[place] for n in ("mean", "low", "high", "p", "q")}
            row |= {"cosine": self.cosine[layer, expert], "layer JS": self.js.value[layer]}
            out.append({k: v if isinstance(v, int) else float(v) for k, v in row.items()})
        return out

    def findings(self) -> list[Finding]:
        return [self._experts(), self._divergence(), self._entropy(), self._residual()]

    def _experts(self) -> Finding:
        use, n = self.use, self.use.n
        best = int(np.lexsort((-np.abs(use.mean), use.q))[0])
        sign = 1 if use.mean[best] >= 0 else -1
        ends = sorted((sign * use.low[best], sign * use.high[best]))
        holds = bool(self.marks[best]) and ends[0] > use.chance
        count = int(self.marks.sum())
        text = (
            f"{self._name(best)} gets {100 * use.mean[best]:+.1f} points of tokens with the "
            f"condition; {count} of {use.mean.size} experts differ"
        )
        if not holds:
            text = f"no expert is used more or less with the condition; at most: {text}"
        return Finding(
            "experts by condition",
            f"{text} (swapped sides make {100 * use.chance:.1f} somewhere).",
            holds,
            abs(float(use.mean[best])),
            float(ends[0]),
            float(ends[1]),
            use.chance,
            float(use.q[best]),
            n,
            "share of tokens",
        )

    def _divergence(self) -> Finding:
        js = self.js
        best = int(np.lexsort((-js.value, js.q))[0])
        holds = bool(js.q[best] < ALPHA and js.low[best] > js.null[best])
        word = "spreads" if holds else "does not spread"
        return Finding(
            "routing divergence",
            f"Layer {self.routing.layers[best]} {word} differently over its experts with the "
            f"condition: {js.value[best]:.4f} bits against {js.null[best]:.4f} with sides swapped.",
            holds,
            float(js.value[best]),
            float(js.low[best]),
            float(js.high[best]),
            float(js.null[best]),
            float(js.q[best]),
            self.use.n,
            "bits",
        )

    def _entropy(self) -> Finding:
        surer = self.surer
        best = int(np.argmin(surer.q))
        low, high = float(surer.low[best]), float(surer.high[best])
        holds = bool(surer.q[best] < ALPHA and (low > 0 or high < 0))
        word = "less sure" if surer.mean[best] > 0 else "surer"
        word = word if holds else "neither surer nor less sure"
        return Finding(
            "router entropy",
            f"The router of layer {self.routing.layers[best]} is {word} with the condition: "
            f"{surer.mean[best]:+.4f} bits [{low:+.4f}, {high:+.4f}].",
            holds,
            float(surer.mean[best]),
            low,
            high,
            0.0,
            float(surer.q[best]),
            surer.n,
            "bits",
        )

    def _residual(self) -> Finding:
        told = self.told
        best = 1 + int(np.lexsort((-told.share[1:], told.q[1:]))[0])
        null = float(max(told.null[best], 0.5))
        holds = bool(told.q[best] < ALPHA and told.low[best] > null)
        return Finding(
            "residual direction",
            f"Behind layer {best - 1} the difference of class means orders "
            f"{told.share[best]:.0%} of left-out pairs rightly and is {told.apart[best]:.1%} of "
            f"the norm; in the embedding {told.share[0]:.0%}.",
            holds,
            float(told.share[best]),
            float(told.low[best]),
            float(told.high[best]),
            null,
            float(told.q[best]),
            self.use.n,
            "share of pairs",
        )

    def figures(self) -> dict[str, Heat | Lines]:
        layers, experts = self.cosine.shape
        rows = [f"layer {n}" for n in self.routing.layers]
        columns = [str(e) for e in range(experts)]

        def heat(title: str, values: np.ndarray, unit: str, **more: Any) -> Heat:
            return Heat(title, "expert", "layer", columns, rows, values[None], unit=unit, **more)

        shape = (1, layers, experts)
        bounds = {n: getattr(self.use, n).reshape(shape) for n in ("low", "high")}
        use = self.use.mean.reshape(layers, experts)
        marks = self.marks.reshape(shape)
        stream = np.array([self.told.share, self.told.low, self.told.high])
        entropies = self.routing.entropy.mean(1)
        spread = np.array([self.js.value, self.js.low, self.js.high])
        null = np.repeat(self.js.null[None], 3, 0)
        x = [float(n) for n in self.routing.layers]
        return {
            "experts": heat(
                "Use of experts, with the condition less without",
                use,
                "share",
                **bounds,
                marks=marks,
            ),
            "rows": heat(
                "Cosine of the residual difference with the router's rows", self.cosine, "cosine"
            ),
            "divergence": Lines(
                "Routing divergence",
                "layer",
                "bits",
                x,
                {"a against b": spread, "sides swapped": null},
            ),
            "entropy": Lines(
                "Router entropy",
                "layer",
                "bits",
                x,
                {
                    f"side {s}": np.repeat(v[None], 3, 0)
                    for s, v in zip("ab", entropies, strict=True)
                },
            ),
            "residual": Lines(
                "Pairs told apart by the residual stream; -1 is the embedding",
                "layer",
                "share of left-out pairs",
                [float(i - 1) for i in range(stream.shape[1])],
                {"difference of class means": stream},
                null=0.5,
            ),
        }

    def notes(self, where: str) -> list[str]:
        use = self.routing.share.mean((0, 1)) / self.routing.top
        even = 2 ** entropy(use) / use.shape[1]
        idle = int((use == 0).sum())
        layers = self.routing.layers
        load = ", ".join(f"layer {n} {e:.0%}" for n, e in zip(layers, even, strict=True))
        corr = _correlation(self.use.mean, self.cosine.ravel())
        return [
            f"pairs: {self.contrast.about}; {len(self.contrast.pairs)} pairs, {self.use.n} "
            f"independent; tokens: {where}",
            f"load balance, effective share of experts (100 % is even): {load}; {idle} of "
            f"{use.size} experts idle",
            f"over experts, the difference in use and the cosine of the residual difference with "
            f"the router's row correlate by {corr:.2f}: routing follows the residual stream, so "
            f"the two sides are not independent evidence",
            "a difference in use is no proof that an expert matters: ask the probe `experts`",
        ]


def _correlation(a: np.ndarray, b: np.ndarray) -> float:
    if a.std() == 0 or b.std() == 0:
        return 0.0
    return float(np.corrcoef(a, b)[0, 1])
