"""Gates: the logits of a mixture of experts' routers, read and edited before they choose.

Routers differ in how they choose: softmax or sigmoid, groups, correction biases, weights that are
normalised or not. None of that is written anew here. A router is run a second time with the outcome
of its linear map replaced, so its own code chooses from the changed logits. What counts as logits
is what the linear map gives: some routers return probabilities under that name.

Tokens are flattened, sequence by sequence, before a router sees them; values here have their shape
`(b, s, experts)` back. Padding is in them: whoever counts masks it.

References:
    Outrageously Large Neural Networks: The Sparsely-Gated Mixture-of-Experts Layer (Shazeer et al.,
    2017), https://arxiv.org/abs/1701.06538
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from weakref import WeakKeyDictionary

import torch
from torch import nn
from torch.overrides import TorchFunctionMode

from phosphene.errors import PhospheneError

LogitChange = Callable[[torch.Tensor], torch.Tensor]


def hook_gate(block: nn.Module, router: nn.Module, change: LogitChange) -> GateHandle:
    """Change a router's logits; its choice of experts is made anew from them, in its own way.

    Args:
        block: what the router is part of: its input `(b, s, width)` tells the shape.
        router: has one linear map, from the residual stream to the experts.
        change: function of the logits `(b, s, experts)`, float32 whatever the model computes in, so
            that small differences survive. Several changes of one router follow one another.

    Returns:
        A handle with `remove()`.

    Raises:
        PhospheneError: on the model's next call, if the router has not just one linear map.
    """
    gate = _GATES.get(router)
    if gate is None:
        gate = _GATES[router] = _Gate(block, router)
    gate.changes.append(change)
    return GateHandle(router, change)


@dataclass(frozen=True, eq=False)
class GateHandle:
    """Takes a change of a router back."""

    router: nn.Module
    change: LogitChange

    def remove(self) -> None:
        """The router does without this change from now on."""
        gate = _GATES[self.router]
        gate.changes = [c for c in gate.changes if c is not self.change]
        if not gate.changes:
            gate.close()
            del _GATES[self.router]


def squashes(router: nn.Module, width: int) -> str:
    """How a router makes scores of its logits: `sigmoid` or `softmax`.

    Args:
        width: of the residual stream.
    """
    like = next(router.parameters())
    replay = _Replay(lambda value: value)
    with torch.no_grad(), replay:
        router(torch.zeros(1, width, dtype=like.dtype, device=like.device))
    return "sigmoid" if "sigmoid" in replay.called else "softmax"


class _Gate:
    """The hooks of one router: one for all its changes, which would undo each other's otherwise."""

    def __init__(self, block: nn.Module, router: nn.Module) -> None:
        self.changes: list[LogitChange] = []
        self._shape: tuple[int, ...] = ()
        self._handles = [
            block.register_forward_pre_hook(self._measure, with_kwargs=True),
            router.register_forward_hook(self._choose, with_kwargs=True),
        ]

    def close(self) -> None:
        for handle in self._handles:
            handle.remove()

    def _measure(self, block: nn.Module, args: tuple, kwargs: dict) -> None:
        states = args[0] if args else kwargs["hidden_states"]
        self._shape = tuple(states.shape[:-1])

    def _choose(self, router: nn.Module, args: tuple, kwargs: dict, plain: Any) -> Any:
        replay = _Replay(self._changed)
        with replay:
            out = router.forward(*args, **kwargs)
        if replay.maps != 1:
            raise PhospheneError(
                f"the router {type(router).__name__} has {replay.maps} linear maps, not one: its "
                f"logits can't be told"
            )
        return _like(out, plain)

    def _changed(self, flat: torch.Tensor) -> torch.Tensor:
        given = flat.float().reshape(*self._shape, flat.shape[-1])
        value = given
        for change in list(self.changes):
            value = change(value)
        # Unchanged logits go on in the router's own precision: reads leave a model bit-identical.
        same = value is given or torch.equal(value, given)
        out = value.reshape(flat.shape)
        return out.to(flat.dtype) if same else out


_GATES: WeakKeyDictionary[nn.Module, _Gate] = WeakKeyDictionary()


class _Replay(TorchFunctionMode):
    """Replaces what linear maps give; notes what is called."""

    def __init__(self, change: LogitChange) -> None:
        super().__init__()
        self.change = change
        self.maps = 0
        self.called: set[str] = set()

    def __torch_function__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.called.add(getattr(func, "__name__", ""))
        out = func(*args, **(kwargs or {}))
        if func is not nn.functional.linear:
            return out
        self.maps += 1
        return self.change(out)


def _like(out: Any, plain: Any) -> Any:
    """Values in the precision they have without changes: the experts go on in it."""
    if isinstance(out, torch.Tensor):
        return out.to(plain.dtype)
    return type(out)(_like(new, old) for new, old in zip(out, plain, strict=True))
