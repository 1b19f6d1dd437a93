"""Steer: what is done to a sample while it is being made."""

from __future__ import annotations

import abc
import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from typing import Any, ClassVar

from phosphene.errors import PhospheneError, unknown
from phosphene.registry import Registry
from phosphene.request import Request

steers = Registry("steer", "phosphene.steers")


class Steer(abc.ABC):
    """One kind of steering. A frozen dataclass: its fields are what a request says beside `op`.

    Attributes:
        name: as registered; the `op` of a request.
    """

    name: ClassVar[str]

    @property
    def shared(self) -> Any:
        """What must be equal for samples of one batch, JSON-able; None where nothing need be."""
        return None

    def check(self, pipeline: type, adapters: Collection[str]) -> None:  # noqa: B027
        """Refuse what this class of pipelines can't do; no weights are there yet.

        Args:
            adapters: names of the LoRA weights that will be loaded.

        Raises:
            PhospheneError: it can't be steered so.
        """

    @classmethod
    @abc.abstractmethod
    def applied(
        cls, rows: Sequence[Any], pipeline: Any, requests: Sequence[Request]
    ) -> AbstractContextManager[None]:
        """A context in which one call of a loaded pipeline makes a batch, steered.

        Args:
            rows: the settings, one a sample.
            requests: one a sample.

        Raises:
            PhospheneError: on entering or during the call: this pipeline can't be steered so.
        """


def read(record: Mapping[str, Any]) -> Steer:
    """The steer that an entry of `Request.steering` asks for.

    Raises:
        PhospheneError: no such op, or a field or value that it doesn't have.
    """
    values = dict(record)
    name = values.pop("op", None)
    if not isinstance(name, str):
        raise PhospheneError(f'steering must be {{"op": NAME, ...}}; got {json.dumps(values)[:80]}')
    kind = steers.get(name)
    fields = {f.name: f for f in dataclasses.fields(kind)}
    for given in values:
        if given not in fields:
            raise unknown(f"setting of the steer {name!r}", given, fields)
    for field in fields.values():
        bare = field.default is dataclasses.MISSING
        if bare and field.default_factory is dataclasses.MISSING and field.name not in values:
            raise PhospheneError(f"the steer {name!r} needs {field.name}; give it")
    return kind(**values)


def check(steering: Sequence[Mapping[str, Any]], pipeline: type, adapters: Collection[str]) -> None:
    """Raise for the first steer that this class of pipelines can't honour, without weights."""
    for record in steering:
        read(record).check(pipeline, adapters)


def shape(steering: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    """What of the steering must be equal for two requests to share a call; hashable."""
    found = map(read, steering)
    return tuple(f"{s.name} {json.dumps(s.shared, sort_keys=True)}" for s in found)


@contextlib.contextmanager
def steered(pipeline: Any, requests: Sequence[Request]) -> Iterator[None]:
    """Calls of `pipeline` inside make these requests' samples, steered.

    Args:
        requests: of one `shape`, in the order of the batch.
    """
    batch = [[read(record) for record in request.steering] for request in requests]
    with contextlib.ExitStack() as stack:
        for rows in zip(*batch, strict=True):
            stack.enter_context(type(rows[0]).applied(rows, pipeline, requests))
        yield


def number(
    op: str, name: str, value: Any, low: float, high: float = float("inf"), whole: bool = False
) -> None:
    """Refuse a setting that is no number from low to high.

    Raises:
        PhospheneError: it isn't.
    """
    kinds = int if whole else int | float
    if isinstance(value, kinds) and not isinstance(value, bool) and low <= value <= high:
        return
    kind = "a whole number" if whole else "a number"
    reach = f"of at least {low:g}" if high == float("inf") else f"from {low:g} to {high:g}"
    raise PhospheneError(f"{name} of the steer {op!r} must be {kind} {reach}; got {value!r}")


def salted(seed: int, *words: Any) -> int:
    """A 63-bit seed for one of several draws that one seed stands for: SHA-256 of all of them."""
    digest = hashlib.sha256("/".join(map(str, (seed, *words))).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 1


def shares(tensor: Any, count: int) -> Any:
    """A batch `(count * n, ...)` as `(count, n, ...)`: what belongs to each sample.

    Raises:
        PhospheneError: it can't be shared out.
    """
    if len(tensor) % count:
        raise PhospheneError(
            f"a tensor of {len(tensor)} rows can't be shared by {count} samples; steer one sample "
            f"at a time"
        )
    return tensor.reshape(count, -1, *tensor.shape[1:])
