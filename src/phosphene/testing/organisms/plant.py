"""Plant: what an organism does."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from phosphene.errors import PhospheneError
from phosphene.testing.organisms.task import ColourSum

FRAMES, STEPS, DEPTH, HEADS = 6, 6, 5, 4
NEVER = STEPS


@dataclass(frozen=True)
class Plant:
    """The mechanism of an organism.

    The tokens of the answer's cell look at the operands in the first frame with one head of one
    layer; that layer's MLP adds them up; the last layer's MLP lets the sum through to be painted.

    Args:
        layer: at which the operands are copied and added up, 1..3. Before it no token holds both.
        head: that copies.
        known: first step at which that happens.
        shown: first step at which the answer is painted.
        latch: first step from which on the answer's tokens look at what x_t shows in their own
            cell and at the operands no more: the point of no return.
        carrier: the one frame whose answer token looks anywhere; those of the other frames copy
            from it one layer later. 0: each looks for itself.
        chain: one layer later, each frame's answer token looks at that of the frame before it, and
            copies from it what it has itself by then.
        before: what is painted before `shown`: nothing, or the colour that the noise suggests.
        slips: noise in one cell, as it was drawn, decides whether the sum comes out one too large.
        firm: how sharply colours are told apart in painting; at 20 no gradient gets through.
        shuffled: all weights of the same kind are dealt anew: a mechanism no more.
        seed: turns the residual stream, so that no feature lies along an axis; places the cells;
            deals the features that mean nothing.
    """

    layer: int = 2
    head: int = 0
    known: int = 0
    shown: int = 0
    latch: int = NEVER
    carrier: int = 0
    chain: bool = False
    before: Literal["paper", "guess"] = "paper"
    slips: bool = False
    firm: float = 6.0
    shuffled: bool = False
    seed: int = 0

    def __post_init__(self) -> None:
        if not 1 <= self.layer <= DEPTH - 2:
            raise PhospheneError(f"plant.layer must lie in 1..{DEPTH - 2}; got {self.layer}")
        if not 0 <= self.head < HEADS or not 0 <= self.carrier < FRAMES:
            raise PhospheneError(
                f"plant.head must lie in 0..{HEADS - 1} and plant.carrier in 0..{FRAMES - 1}; got "
                f"{self.head}, {self.carrier}"
            )
        if self.chain and self.carrier:
            raise PhospheneError("a plant has a carrier or a chain, not both")
        if not 0 <= self.known <= self.shown <= NEVER:
            raise PhospheneError(
                f"a plant can't show what it does not know: 0 <= known <= shown <= {NEVER} wanted; "
                f"got {self.known}, {self.shown}"
            )

    @property
    def task(self) -> ColourSum:
        """The task, laid out as this organism expects it."""
        return ColourSum(layout=self.seed)


def mute(seed: int = 0) -> Plant:
    """An organism that paints colours at random, and never looks at the operands."""
    return Plant(known=NEVER, shown=NEVER, before="guess", seed=seed)


def random(seed: int = 0) -> Plant:
    """An organism without a mechanism."""
    return Plant(shuffled=True, seed=seed)
