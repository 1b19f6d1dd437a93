"""Adapters: how strongly each LoRA counts in a sample."""

from __future__ import annotations

import contextlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar

from phosphene.errors import PhospheneError, unknown
from phosphene.request import Request
from phosphene.steer import Steer, number


@dataclass(frozen=True)
class Adapters(Steer):
    """Strengths of the LoRA weights that were loaded, for one sample.

    Args:
        weights: name of a LoRA -> its strength, -4 to 4; those that aren't named are left out.

    References:
        LoRA (Hu et al., 2021), https://arxiv.org/abs/2106.09685
    """

    weights: Mapping[str, float]

    name: ClassVar[str] = "adapters"

    def __post_init__(self) -> None:
        if not isinstance(self.weights, Mapping) or not self.weights:
            raise PhospheneError(f"weights of 'adapters' must name LoRAs; got {self.weights!r}")
        for name, value in self.weights.items():
            number(self.name, f"the weight of {name!r}", value, -4, 4)

    @property
    def shared(self) -> Any:
        return dict(self.weights)

    def check(self, pipeline: type, adapters: Collection[str]) -> None:
        if not adapters:
            raise PhospheneError(
                "adapters can't be honoured: no LoRA was loaded; open the backbone with --lora"
            )
        for name in self.weights:
            if name not in adapters:
                raise unknown("LoRA", name, adapters)

    @classmethod
    @contextlib.contextmanager
    def applied(
        cls, rows: Sequence[Adapters], pipeline: Any, requests: Sequence[Request]
    ) -> Iterator[None]:
        weights = rows[0].weights
        loaded = sorted({n for names in pipeline.get_list_adapters().values() for n in names})
        active = pipeline.get_active_adapters()
        pipeline.set_adapters(loaded, [float(weights.get(name, 0.0)) for name in loaded])
        try:
            yield
        finally:
            pipeline.set_adapters(active, [1.0] * len(active))


COMPONENT = Adapters
