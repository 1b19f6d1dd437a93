"""Noise as a recipe: seeds and weights, from which the same white noise comes each time.

    x = sum_i (l_i L + h_i H) e_i,     e_i ~ N(0, I) from seed i,     sum l_i^2 = sum h_i^2 = 1

L and H keep the low and the high spatial frequencies of a draw; they are orthogonal projections, so
x is white whatever the weights are. Breeding noise is arithmetic on the weights: no tensor is ever
stored, and descendants of any depth stay a short list.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    import torch

CUT = 0.25  # of the Nyquist frequency: what lies below is layout, above it texture
_FAINT = 0.02  # weights below this are dropped
_MOST = 24  # terms kept


@dataclass(frozen=True)
class Noise:
    """White noise of one stream.

    Args:
        terms: (seed, low, high): the weights of that seed's draw in the two bands.

    Raises:
        PhospheneError: no terms, a seed out of range, or weights that are no unit vectors.

    References:
        MCMC Methods for Functions (Cotter et al., 2013), section 4.2: the preconditioned
        Crank-Nicolson proposal, https://arxiv.org/abs/1202.0709
    """

    terms: tuple[tuple[int, float, float], ...]

    def __post_init__(self) -> None:
        for seed, _, _ in self.terms:
            if not 0 <= seed < 2**63:
                raise PhospheneError(f"noise seeds lie in 0..2^63-1; got {seed}")
        for band in (1, 2):
            length = math.sqrt(sum(term[band] ** 2 for term in self.terms))
            if not math.isclose(length, 1, abs_tol=1e-6):
                raise PhospheneError(
                    f"noise weights must have length 1 in each band; got {length:.6g}"
                )

    @classmethod
    def fresh(cls, seed: int) -> Noise:
        """An independent draw."""
        return cls(((seed, 1.0, 1.0),))

    @classmethod
    def of(cls, record: Sequence[Sequence[float]]) -> Noise:
        """From its record."""
        return cls(tuple((int(s), float(low), float(high)) for s, low, high in record))

    def record(self) -> list[list[float]]:
        """JSON-able: `[seed, low, high]` a term."""
        return [list(term) for term in self.terms]

    def moved(self, seed: int, low: float, high: float | None = None) -> Noise:
        """A norm-preserving step (pCN) towards a fresh draw: x' = sqrt(1 - b^2) x + b e.

        Args:
            seed: of the fresh draw.
            low, high: b in each band, 0 (the parent) to 1 (nothing left of it); `high` is `low` if
                None. The cosine to the parent is sqrt(1 - b^2).

        Raises:
            PhospheneError: a step out of 0..1, or a seed that is among its own.
        """
        steps = (low, low if high is None else high)
        if not all(0 <= b <= 1 for b in steps):
            raise PhospheneError(f"a step of noise lies in 0..1; got {steps[0]}, {steps[1]}")
        keep = [math.sqrt(1 - b * b) for b in steps]
        if any(s == seed for s, _, _ in self.terms):
            raise PhospheneError(f"a step goes to a fresh draw; {seed} is one of its own seeds")
        old = [(s, keep[0] * a, keep[1] * b) for s, a, b in self.terms]
        return _tidy([*old, (seed, *steps)])

    def blended(self, other: Noise, share: float) -> Noise:
        """On the great circle between two: 0 is this one, 1 the other (slerp, in each band).

        Weights of common seeds are correlated, and the normalisation is exact for them.
        """
        if not 0 <= share <= 1:
            raise PhospheneError(f"a blend lies in 0..1; got {share}")
        mine = {s: (a, b) for s, a, b in self.terms}
        theirs = {s: (a, b) for s, a, b in other.terms}
        seeds = list(dict.fromkeys([*mine, *theirs]))
        bands = []
        for band in (0, 1):
            a = [mine.get(s, (0.0, 0.0))[band] for s in seeds]
            b = [theirs.get(s, (0.0, 0.0))[band] for s in seeds]
            bands.append(_slerp(a, b, share))
        return _tidy(list(zip(seeds, *bands, strict=True)))

    def likeness(self, other: Noise) -> float:
        """Expected cosine between the two draws, as far as the low band goes, -1..1."""
        theirs = {s: a for s, a, _ in other.terms}
        return sum(a * theirs.get(s, 0.0) for s, a, _ in self.terms)

    def mix(self, draws: Sequence[torch.Tensor]) -> torch.Tensor:
        """The noise itself, from one draw a term, all of one shape.

        Frequencies are those of the last two axes where there are four or more axes, of the last
        but one in draws of three (sound: rows in time); draws of fewer axes have one band.
        """
        lows = sum(low * d for (_, low, _), d in zip(self.terms, draws, strict=True))
        if all(low == high for _, low, high in self.terms) or draws[0].ndim < 3:
            return lows  # type: ignore[return-value]
        highs = sum(high * d for (_, _, high), d in zip(self.terms, draws, strict=True))
        return highs + _low(lows - highs)  # type: ignore[operator]


def _slerp(a: Sequence[float], b: Sequence[float], share: float) -> list[float]:
    cosine = max(-1.0, min(1.0, sum(x * y for x, y in zip(a, b, strict=True))))
    angle = math.acos(cosine)
    if angle < 1e-6:
        return list(a)
    if math.pi - angle < 1e-6:
        raise PhospheneError("opposite noises have no middle; blend others")
    p = math.sin((1 - share) * angle) / math.sin(angle)
    q = math.sin(share * angle) / math.sin(angle)
    return [p * x + q * y for x, y in zip(a, b, strict=True)]


def _tidy(terms: list[tuple[int, float, float]]) -> Noise:
    """Without the faintest terms, back to unit length; weights rounded so that JSON is exact."""
    terms = sorted(terms, key=lambda t: -max(abs(t[1]), abs(t[2])))
    kept = [t for t in terms[:_MOST] if max(abs(t[1]), abs(t[2])) > _FAINT]
    sizes = [math.sqrt(sum(t[i] ** 2 for t in kept)) for i in (1, 2)]
    return Noise(tuple((s, a / sizes[0], b / sizes[1]) for s, a, b in kept))


def _low(x: torch.Tensor) -> torch.Tensor:
    """The part of `x` that lies below `CUT`: an orthogonal projection."""
    import torch

    axes = (-2, -1) if x.ndim > 3 else (-2,)
    spectrum = torch.fft.fftn(x, dim=axes)
    kept: Any = torch.ones(())
    for axis in axes:
        far = torch.fft.fftfreq(x.shape[axis]).abs() * 2 <= CUT
        kept = kept * far.reshape([-1 if i == axis % x.ndim else 1 for i in range(x.ndim)])
    return torch.fft.ifftn(spectrum * kept, dim=axes).real
