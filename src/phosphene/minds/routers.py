"""Routers: what the routers of a mixture of experts read, say and choose; one expert silenced.

The choice is read where it is used, at the entry of the experts, so it is what the model does in
every family. Values have the shape `(b, s, ...)`, padding among them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch import nn

from phosphene.errors import PhospheneError
from phosphene.minds.gates import LogitChange, hook_gate, squashes


@dataclass(eq=False)
class Routed:
    """What was read at one layer, a value a call.

    Args:
        inputs: `(b, s, width)`, what the router reads.
        logits: `(b, s, experts)`, float32.
        weights: `(b, s, experts)`, float32: what each expert's output is multiplied with; 0 where
            it was not chosen.
        chosen: bool `(b, s, experts)`.
    """

    inputs: list[torch.Tensor] = field(default_factory=list)
    logits: list[torch.Tensor] = field(default_factory=list)
    weights: list[torch.Tensor] = field(default_factory=list)
    chosen: list[torch.Tensor] = field(default_factory=list)


class Routers:
    """The routers of a model and what they choose.

    Args:
        layers: number of layer -> block, router and experts, as `Wires.routers` gives them.

    Raises:
        PhospheneError: layers have different numbers of experts.
    """

    def __init__(self, layers: dict[int, tuple[nn.Module, nn.Module, nn.Module]]) -> None:
        self._parts = layers
        self.layers = tuple(layers)
        counts = {len(self.rows(layer)) for layer in layers}
        if len(counts) != 1:
            raise PhospheneError(f"layers have different numbers of experts: {sorted(counts)}")
        (self.experts,) = counts

    def rows(self, layer: int) -> torch.Tensor:
        """`(experts, width)`: the router's linear map, one row an expert."""
        router = self._parts[layer][1]
        return next(p for p in router.parameters() if p.ndim == 2)

    def squash(self, layer: int) -> str:
        """`sigmoid` or `softmax`."""
        return squashes(self._parts[layer][1], self.rows(layer).shape[1])

    @contextmanager
    def reading(self, layers: Sequence[int] = ()) -> Iterator[dict[int, Routed]]:
        """Read routers on every call inside the block.

        Args:
            layers: whose; all if empty.

        Raises:
            PhospheneError: a model whose experts are not told which of them were chosen.
        """
        taken = {layer: Routed() for layer in layers or self.layers}
        with ExitStack() as stack:
            for layer, routed in taken.items():
                block, router, experts = self._parts[layer]
                stack.callback(hook_gate(block, router, _keeping(routed)).remove)
                handle = router.register_forward_pre_hook(_entering(routed), with_kwargs=True)
                stack.callback(handle.remove)
                handle = experts.register_forward_pre_hook(_choosing(routed), with_kwargs=True)
                stack.callback(handle.remove)
            yield taken
        for layer, routed in taken.items():
            if len(routed.weights) != len(routed.logits):
                kind = type(self._parts[layer][2]).__name__
                raise PhospheneError(f"{kind} of layer {layer} is not told which experts to use")

    @contextmanager
    def silencing(self, layer: int, expert: int) -> Iterator[None]:
        """Drop one expert's output on every call inside the block; nobody takes its place."""

        def drop(module: nn.Module, args: tuple, kwargs: dict) -> Any:
            index, weights = _choice(args, kwargs)
            kept = weights.masked_fill(index == expert, 0)
            args = tuple(kept if value is weights else value for value in args)
            return args, {k: kept if v is weights else v for k, v in kwargs.items()}

        handle = self._parts[layer][2].register_forward_pre_hook(drop, with_kwargs=True)
        try:
            yield
        finally:
            handle.remove()


def _keeping(routed: Routed) -> LogitChange:
    def keep(value: torch.Tensor) -> torch.Tensor:
        routed.logits.append(value.detach().clone())
        return value

    return keep


def _entering(routed: Routed) -> Callable[..., None]:
    def enter(router: nn.Module, args: tuple, kwargs: dict) -> None:
        states = args[0] if args else next(iter(kwargs.values()))
        routed.inputs.append(states.detach().clone())

    return enter


def _choosing(routed: Routed) -> Callable[..., None]:
    """The choice, by expert; the router has run before, so its logits tell the shape."""

    def choose(experts: nn.Module, args: tuple, kwargs: dict) -> None:
        index, weights = _choice(args, kwargs)
        logits = routed.logits[-1]
        # Some models mark what isn't theirs by a number one past the last expert.
        wide = logits.new_zeros(len(index), logits.shape[-1] + 1)
        index = index.clamp(max=logits.shape[-1])
        dense = wide.scatter_add(1, index, weights.detach().float())[:, :-1]
        chosen = wide.scatter(1, index, 1.0)[:, :-1] > 0
        routed.weights.append(dense.reshape(logits.shape))
        routed.chosen.append(chosen.reshape(logits.shape))
        routed.inputs[-1] = routed.inputs[-1].reshape(*logits.shape[:-1], -1)

    return choose


def _choice(args: tuple, kwargs: dict) -> tuple[torch.Tensor, torch.Tensor]:
    """Numbers of the chosen experts and their weights, `(tokens, k)` each."""
    given = [v for v in (*args, *kwargs.values()) if isinstance(v, torch.Tensor)]
    index = next((v for v in given if not v.is_floating_point() and v.ndim == 2), None)
    if index is not None:
        for value in given:
            if value.is_floating_point() and value.shape == index.shape:
                return index, value
    raise PhospheneError("these experts are not told which of them were chosen: an unknown kind")
