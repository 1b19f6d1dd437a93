"""Rows: which part of an encoder's result belongs to which prompt, learned from its shapes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch


class Ragged(Exception):
    """Rows of different lengths: they can't stand in one batch without padding."""


@dataclass(frozen=True)
class Layout:
    """How a nested result grows with the number of prompts.

    Args:
        kind: `rows` (a tensor with rows along `axis`, in `blocks` blocks of one row a prompt),
            `list` (one item a prompt), `parts` (a tuple or list of fixed length) or `shared`.
        value: what is shared by all prompts.
    """

    kind: str
    axis: int = 0
    blocks: int = 1
    parts: tuple[Layout, ...] = ()
    value: Any = None

    def row(self, result: Any, i: int, count: int) -> Any:
        """The part of prompt i out of a result for `count` prompts, as if encoded alone."""
        if self.kind == "rows":
            places = torch.arange(self.blocks, device=result.device) * count + i
            return result.index_select(self.axis, places)
        if self.kind == "list":
            return [result[i]]
        if self.kind == "parts":
            items = zip(self.parts, result, strict=True)
            return type(result)(p.row(r, i, count) for p, r in items)
        return result

    def join(self, rows: Sequence[Any]) -> Any:
        """One result out of several prompts' own.

        Raises:
            Ragged: their lengths differ, or what ought to be shared isn't.
        """
        if self.kind == "rows":
            if len({tuple(r.shape) for r in rows}) > 1:
                raise Ragged
            return torch.stack(list(rows), self.axis + 1).flatten(self.axis, self.axis + 1)
        if self.kind == "list":
            return [r[0] for r in rows]
        if self.kind == "parts":
            made = (p.join([r[j] for r in rows]) for j, p in enumerate(self.parts))
            return type(rows[0])(made)
        if not all(_equal(r, rows[0]) for r in rows):
            raise Ragged
        return rows[0]


def learn(one: Any, two: Any) -> Layout | None:
    """The layout of results, from a prompt encoded alone and the same prompt encoded twice.

    None if the two don't agree on one.
    """
    if isinstance(one, torch.Tensor) and isinstance(two, torch.Tensor):
        return _learn_tensor(one, two)
    if isinstance(one, list | tuple) and type(one) is type(two):
        if len(one) == len(two):
            parts = [learn(a, b) for a, b in zip(one, two, strict=True)]
            if all(p is not None for p in parts):
                return Layout("parts", parts=tuple(p for p in parts if p is not None))
            return None
        same = isinstance(one, list) and len(one) == 1 and len(two) == 2
        return Layout("list") if same and all(_close(x, one[0]) for x in two) else None
    return Layout("shared", value=one) if _equal(one, two) else None


def _learn_tensor(one: torch.Tensor, two: torch.Tensor) -> Layout | None:
    if one.shape == two.shape:
        return Layout("shared") if _equal(one, two) else None
    if one.ndim != two.ndim:
        return None
    grown = [d for d in range(one.ndim) if one.shape[d] != two.shape[d]]
    if len(grown) != 1 or two.shape[grown[0]] != 2 * one.shape[grown[0]]:
        return None
    layout = Layout("rows", axis=grown[0], blocks=one.shape[grown[0]])
    agree = all(_close(layout.row(two, i, 2), one) for i in range(2))
    return layout if agree else None


def _close(a: Any, b: Any) -> bool:
    """Equal but for what a change of batch size does to rounding."""
    if not (isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor)):
        return _equal(a, b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return False
    slack = 1e-3 if a.dtype in (torch.float32, torch.float64) else 5e-2
    return torch.allclose(a.float(), b.float(), rtol=slack, atol=slack)


def _equal(a: Any, b: Any) -> bool:
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and a.dtype == b.dtype and torch.equal(a, b)
    if isinstance(a, torch.Tensor) or isinstance(b, torch.Tensor):
        return False
    return bool(type(a) is type(b) and a == b)
