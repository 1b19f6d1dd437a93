"""Address: where in a running generator a value lives."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    import torch

    from phosphene.tap.reduce import Reducer

Site = Literal[
    "residual",  # the residual stream as a block leaves it
    "text",  # the text stream as a block leaves it, where there are two
    "attention",  # what self-attention adds (before gates)
    "cross",  # what attention to the text adds
    "mlp",  # what the feed-forward layer adds
    "query",  # of self-attention, after its norm and rotary embedding
    "key",  # likewise
    "head",  # what each head of self-attention gives, before they are mixed
    "map",  # the weights of self-attention, reduced at once
    "cross_map",  # the weights of attention to the text, reduced at once
    "x_t",  # the noised sample that a step starts from
    "prediction",  # what the scheduler is given: after guidance
    "x0",  # the clean sample that this prediction implies
]
BLOCK_SITES: tuple[Site, ...] = ("residual", "text", "attention", "cross", "mlp")
HEAD_SITES: tuple[Site, ...] = ("query", "key", "head")
MAP_SITES: tuple[Site, ...] = ("map", "cross_map")
STEP_SITES: tuple[Site, ...] = ("x_t", "prediction", "x0")
SITES: tuple[Site, ...] = (*BLOCK_SITES, *HEAD_SITES, *MAP_SITES, *STEP_SITES)


@dataclass(frozen=True, order=True)
class Address:
    """One place in one run of a pipeline; the value there is a tensor whose first axis counts the
    samples of the batch.

    Args:
        step: number of the denoising step, from 0: how often the scheduler has stepped before.
        branch: `cond` or `uncond`, by the name the pipeline gives the call; else, by the habit of
            diffusers, the first of two calls is `cond`, and of a doubled batch the second half.
            Further ones are `branch2`, `branch3` ... Values at the scheduler are `guided`.
        layer: number of the block, in the order in which they run; -1 for values at the scheduler.
        site: what is read there.
        stream: 0 for the sample that the pipeline's own scheduler steps, 1 for the next one (the
            sound of a joint generator).
        call: 0, unless a layer comes to this site more than once in one call of the denoiser, as
            the stages of a UNet do, which hold several attentions.
    """

    step: int
    branch: str
    layer: int
    site: Site
    stream: int = 0
    call: int = 0


@dataclass(frozen=True)
class Read:
    """What to keep of a site.

    Args:
        site: where.
        reduce: turns `(samples, tokens, width)` into what is kept; see `phosphene.tap.reduce`.
            At `query`, `key` and `head` the value is `(samples, tokens, heads, dim)`; `map` and
            `cross_map` take the reducers of `phosphene.tap.maps`. None keeps everything: mind the
            memory.
        layers: numbers of blocks; None for all.
        steps: numbers of steps; None for all.
        branches: names; None for all.
    """

    site: Site
    reduce: Reducer | None = None
    layers: Collection[int] | None = None
    steps: Collection[int] | None = None
    branches: Collection[str] | None = None

    def wants(self, at: Address) -> bool:
        """Whether the value at this address is asked for."""
        return _within(self, at)

    def meets(self, other: Read) -> bool:
        """Whether both ask for one value; it has room for what one of them keeps."""
        return self.site == other.site and all(
            a is None or b is None or set(a) & set(b)
            for a, b in (
                (self.layers, other.layers),
                (self.steps, other.steps),
                (self.branches, other.branches),
            )
        )


@dataclass(frozen=True)
class Edit:
    """A value to be replaced while the pipeline runs.

    Args:
        site: where; a block's site, `query`, `key`, `head`, `x_t` (the step's input, before the
            denoiser sees it), or `prediction`.
        change: is handed the value `(samples, ...)` and its address, and returns a new tensor of
            the same shape; the tensor it is given must be left as it is. At `residual` and the
            other block sites the value is `(samples, tokens, width)`, at `query`, `key` and `head`
            it is `(samples, tokens, heads, dim)`.
        layers, steps, branches: as in `Read`.

    Raises:
        PhospheneError: a site that follows from others.
    """

    site: Site
    change: Callable[[torch.Tensor, Address], torch.Tensor]
    layers: Collection[int] | None = None
    steps: Collection[int] | None = None
    branches: Collection[str] | None = None

    def __post_init__(self) -> None:
        if self.site == "x0":
            raise PhospheneError("x0 follows from x_t and prediction; edit one of those")
        if self.site in MAP_SITES:
            raise PhospheneError(f"{self.site} follows from query and key; edit one of those")

    def wants(self, at: Address) -> bool:
        """Whether the value at this address is to be replaced."""
        return _within(self, at)

    def apply(self, value: torch.Tensor, at: Address) -> torch.Tensor:
        """The new value.

        Raises:
            PhospheneError: it has another shape, or the old one was changed in place.
        """
        version = value._version
        new = self.change(value, at)
        if value._version != version:
            raise PhospheneError(f"an edit at {at} changed its input in place; return a new tensor")
        if new.shape != value.shape:
            raise PhospheneError(
                f"an edit at {at} returned {tuple(new.shape)}; it must keep {tuple(value.shape)}"
            )
        return new.to(value)


def _within(asked: Any, at: Address) -> bool:
    return (
        asked.site == at.site
        and (asked.layers is None or at.layer in asked.layers or at.layer < 0)
        and (asked.steps is None or at.step in asked.steps)
        and (asked.branches is None or at.branch in asked.branches or at.branch == "guided")
    )
