"""Scale: values to colours, diverging from the null, told apart by colour-blind eyes."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from phosphene.probe import Heat

LEVELS = 21  # odd, so that the null has a colour of its own
# Blue below, orange above: the pair that red-green blindness keeps apart. Lightness runs one way
# from the middle, so that grey prints read as distance from the null.
_LIGHT = ("#123f7a", "#6a9fd6", "#f4f2ed", "#efa25c", "#963a04")
_DARK = ("#b4dbff", "#4179b4", "#2a2a33", "#b0662c", "#ffca8a")


def colours(dark: bool = False) -> list[str]:
    """`LEVELS` hex colours, from far below the null to far above it."""
    anchors = np.array([_channels(c) for c in (_DARK if dark else _LIGHT)])
    at = np.linspace(0, len(anchors) - 1, LEVELS)
    mixed = [np.interp(at, range(len(anchors)), anchors[:, i]) for i in range(3)]
    return ["#" + "".join(f"{round(v):02x}" for v in rgb) for rgb in zip(*mixed, strict=True)]


@dataclass(frozen=True)
class Scale:
    """One scale for all panels of a heat map.

    Args:
        low, null, high: what is shown at least, the middle, what is shown at most;
            `low <= null <= high`.
    """

    low: float
    null: float
    high: float

    @classmethod
    def of(cls, heat: Heat) -> Scale:
        """The scale on which every finite value has its place."""
        finite = heat.values[np.isfinite(heat.values)]
        within = [*finite.tolist(), float(heat.null)]
        return cls(min(within), float(heat.null), max(within))

    @property
    def reach(self) -> float:
        """From the null to either end: the same both ways, so that colours compare."""
        return max(self.high - self.null, self.null - self.low) or 1.0

    def level(self, value: float) -> int:
        """The place of a finite value among the colours, `0..LEVELS - 1`."""
        share = (value - self.null) / self.reach
        return round((min(max(share, -1.0), 1.0) + 1) / 2 * (LEVELS - 1))

    def used(self) -> range:
        """The levels that a legend needs."""
        return range(self.level(self.low), self.level(self.high) + 1)

    def at(self, level: int) -> float:
        """The value in the middle of a level."""
        return self.null + (2 * level / (LEVELS - 1) - 1) * self.reach


def brief(value: float, reach: float) -> str:
    """A value in as many digits as a scale of this reach can tell apart."""
    if not math.isfinite(value):
        return "–"
    size = math.floor(math.log10(reach)) if reach > 0 else 0
    digits = 2 - size if size >= 0 else 1 - size
    text = f"{value:.{max(digits, 0)}f}" if digits < 6 else f"{value:.1e}"
    return text.removeprefix("-") if float(text) == 0 else text


def ticks(low: float, high: float, about: int = 5) -> list[float]:
    """Round numbers within `low..high`, some `about` of them, evenly spaced."""
    step = 10 ** math.floor(math.log10((high - low) / about))
    step *= min((1, 2, 2.5, 5, 10), key=lambda m: abs((high - low) / (step * m) - about))
    return [round(i * step, 12) for i in _between(low / step, high / step)]


def _between(low: float, high: float) -> Iterator[int]:
    return iter(range(math.ceil(low - 1e-9), math.floor(high + 1e-9) + 1))


def _channels(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i : i + 2], 16) for i in (1, 3, 5))
