"""Wires: the one way into a running language model; reads and edits at named sites, call by call.

A call is one forward pass: with continuous thought, call 0 reads the question, calls 1 .. k are the
thoughts, and what is heard or said follows. Everything is a plain forward hook, so outputs are
bit-identical with reads on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import nn

from phosphene.errors import PhospheneError
from phosphene.minds.gates import hook_gate
from phosphene.minds.routers import Routers

Kind = Literal["embedding", "layer", "attention", "mlp", "heads", "gate"]
Change = Callable[[torch.Tensor, int], torch.Tensor]
_ATTENTION = ("self_attn", "attn", "attention", "self_attention", "linear_attn", "mixer")
_MLP = ("mlp", "feed_forward", "block_sparse_moe", "ffn", "moe", "feedforward")
_OUTPUT = ("o_proj", "c_proj", "out_proj", "dense")
_GATE = ("gate", "router")
_EXPERTS = ("experts",)


@dataclass(frozen=True, order=True)
class Site:
    """A place in a decoder.

    Args:
        kind: embedding, what enters the first layer; layer, the residual stream behind a layer;
            attention or mlp, what that part adds; heads, the heads' outputs side by side, before
            they are mixed; gate, a router's logits `(b, s, experts)`.
        layer: from 0; 0 for the embedding.
    """

    kind: Kind
    layer: int = 0

    def __str__(self) -> str:
        return "embedding" if self.kind == "embedding" else f"{self.kind} {self.layer}"


@dataclass(eq=False)
class Taken:
    """What was read: site -> one tensor `(b, s, width)` a call, in order."""

    values: dict[Site, list[torch.Tensor]] = field(default_factory=dict)

    def last(self, site: Site, call: int) -> torch.Tensor:
        """`(b, width)` at the last position of a call."""
        return self.values[site][call][:, -1]


class Wires:
    """The sites of a decoder.

    Args:
        model: a transformers model with a language-model head.

    Raises:
        PhospheneError: no list of decoder layers can be found in it.
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.layers = _layers(model)
        config = model.config.get_text_config()
        self.heads: int = config.num_attention_heads
        self.width: int = config.hidden_size

    def sites(self, *kinds: Kind) -> list[Site]:
        """All sites of these kinds that the model has, layer by layer."""
        out = []
        for kind in kinds:
            if kind == "embedding":
                out.append(Site("embedding"))
                continue
            for layer in range(len(self.layers)):
                site = Site(kind, layer)
                if self.module(site) is not None:
                    out.append(site)
        return out

    @contextmanager
    def reading(self, sites: Sequence[Site], keep: bool = False) -> Iterator[Taken]:
        """Read these sites on every call inside the block.

        Args:
            keep: keep the graph, for gradients; else values are detached.
        """
        taken = Taken({site: [] for site in sites})

        def take(site: Site) -> Change:
            def look(value: torch.Tensor, call: int) -> torch.Tensor:
                taken.values[site].append(value if keep else value.detach().clone())
                return value

            return look

        with self.editing({site: take(site) for site in sites}):
            yield taken

    @contextmanager
    def editing(self, changes: Mapping[Site, Change]) -> Iterator[None]:
        """Change these sites on every call inside the block.

        Args:
            changes: site -> function of the value `(b, s, width)` and the number of the call; gives
                what takes its place. A change of a gate alters its logits, and the choice of
                experts is made anew from them.

        Raises:
            PhospheneError: the model has no such site.
        """
        with ExitStack() as stack:
            for site, change in changes.items():
                module = self.module(site)
                if module is None:
                    raise PhospheneError(f"this model has no site {site}")
                stack.callback(self._hook(site, module, change).remove)
            yield

    def routers(self) -> Routers:
        """The routers.

        Raises:
            PhospheneError: the model is dense.
        """
        parts = {}
        for site in self.sites("gate"):
            block, router = self.module(Site("mlp", site.layer)), self.module(site)
            assert block is not None
            assert router is not None
            experts = _part(block, _EXPERTS)
            assert experts is not None
            parts[site.layer] = (block, router, experts)
        if not parts:
            raise PhospheneError(
                f"{type(self.model).__name__} has no routers: it is no mixture of experts; choose "
                f"a model that is one, e.g. of the class Mixtral, Qwen3-MoE, OLMoE, DeepSeek or "
                f"GPT-OSS"
            )
        return Routers(parts)

    def _hook(self, site: Site, module: nn.Module, change: Change) -> Any:
        calls = iter(range(1 << 60))
        if site.kind in ("embedding", "heads"):

            def before(module: nn.Module, args: tuple, kwargs: dict) -> Any:
                if args:
                    return (change(args[0], next(calls)), *args[1:]), kwargs
                name = next(iter(kwargs)) if "hidden_states" not in kwargs else "hidden_states"
                return args, {**kwargs, name: change(kwargs[name], next(calls))}

            return module.register_forward_pre_hook(before, with_kwargs=True)
        if site.kind == "gate":
            block = self.module(Site("mlp", site.layer))
            assert block is not None  # a gate is part of one
            return hook_gate(block, module, lambda value: change(value, next(calls)))

        def after(module: nn.Module, args: tuple, out: Any) -> Any:
            if isinstance(out, tuple):
                return (change(out[0], next(calls)), *out[1:])
            return change(out, next(calls))

        return module.register_forward_hook(after)

    def module(self, site: Site) -> nn.Module | None:
        """What a site hangs on; None where the model has no such site."""
        if site.kind == "embedding":
            return self.layers[0]
        if not 0 <= site.layer < len(self.layers):
            return None
        layer = self.layers[site.layer]
        if site.kind == "layer":
            return layer
        if site.kind in ("attention", "heads"):
            found = _part(layer, _ATTENTION)
            return _part(found, _OUTPUT) if found is not None and site.kind == "heads" else found
        mlp = _part(layer, _MLP)
        if site.kind == "mlp":
            return mlp
        # A gate beside which there are no experts is that of a gated linear unit.
        if mlp is None or _part(mlp, _EXPERTS) is None:
            return None
        return _part(mlp, _GATE)


def _layers(model: Any) -> nn.ModuleList:
    """The longest list of modules of one class below the decoder."""
    decoder = model.get_decoder() if hasattr(model, "get_decoder") else model.base_model
    lists = [m for m in decoder.modules() if isinstance(m, nn.ModuleList) and len(m)]
    alike = [m for m in lists if _part(m[0], _MLP) is not None]
    if not alike:
        raise PhospheneError(f"{type(model).__name__} has no list of decoder layers to look into")
    return max(alike, key=len)


def _part(module: nn.Module, names: Sequence[str]) -> nn.Module | None:
    return next(
        (getattr(module, n) for n in names if isinstance(getattr(module, n, None), nn.Module)), None
    )
