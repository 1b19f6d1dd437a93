"""Genome: a candidate as a recipe. Words, seeds and numbers; never a tensor."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from phosphene.noise import Noise


@dataclass(frozen=True)
class Genome:
    """What may vary from one candidate to the next.

    Args:
        prompt: what is asked for, in words.
        atoms: the choices that the prompt was put together from, slot -> choice (see `Grammar`);
            empty for a prompt that a person wrote.
        negative: what to stay away from; None for the space's own.
        frame: name of the first frame in the space's pictures; None without.
        noise: stream (`video`, `audio`) -> starting noise.
        guidance, steps: None for the space's own.
        steering: as in `Request.steering`.
    """

    prompt: str = ""
    atoms: Mapping[str, str] = field(default_factory=dict)
    negative: str | None = None
    frame: str | None = None
    noise: Mapping[str, Noise] = field(default_factory=dict)
    guidance: float | None = None
    steps: int | None = None
    steering: tuple[Mapping[str, Any], ...] = ()

    def record(self) -> dict[str, Any]:
        """JSON-able, without what is empty; `Genome.of` reads it back exactly."""
        out: dict[str, Any] = {"prompt": self.prompt}
        for name in ("negative", "frame", "guidance", "steps"):
            if getattr(self, name) is not None:
                out[name] = getattr(self, name)
        if self.atoms:
            out["atoms"] = dict(self.atoms)
        if self.noise:
            out["noise"] = {k: v.record() for k, v in self.noise.items()}
        if self.steering:
            out["steering"] = [dict(s) for s in self.steering]
        return out

    @classmethod
    def of(cls, record: Mapping[str, Any]) -> Genome:
        """From its record."""
        values = dict(record)
        values["noise"] = {k: Noise.of(v) for k, v in values.get("noise", {}).items()}
        values["steering"] = tuple(values.get("steering", ()))
        return cls(**values)

    def steered(self, op: str, **settings: Any) -> Genome:
        """With one more steer."""
        return replace(self, steering=(*self.steering, {"op": op, **settings}))
