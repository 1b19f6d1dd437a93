"""Maps: attention weights, reduced without ever being written out.

The share of its attention that a token gives to a group of tokens is what attention returns where
the values say who belongs to the group:

    mass(q, G) = sum_{k in G} softmax(q k / sqrt d) = attention(q, k, 1[k in G])

so the model's own attention function is called once more, with its own mask, and memory stays that
of an attention output whatever the number of tokens. The figures are as exact as the model's
arithmetic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch

from phosphene.errors import PhospheneError
from phosphene.tap.address import Address
from phosphene.tap.layout import PARTS, Layout
from phosphene.tap.reduce import Reducer, host, known


@dataclass(frozen=True, eq=False)
class AttentionMap:
    """The weights of one call of attention.

    Args:
        query: `(samples * rows, heads, queries, dim)`, after norm and rotary embedding.
        key: `(samples * rows, heads, keys, dim)`; fewer heads where groups of them share keys.
        samples: of the batch; a UNet attends in several rows a sample, which are averaged.
        mask: as given to attention, broadcast over samples and heads; None for none.
        causal: whether each token sees only those before it.
        scale: of the products.
        shared: whether heads share keys.
        keys: places of the keys; None where that isn't known.
        attend: torch's scaled dot-product attention.
    """

    query: torch.Tensor
    key: torch.Tensor
    samples: int
    mask: torch.Tensor | None = None
    causal: bool = False
    scale: float | None = None
    shared: bool = False
    keys: Layout | None = None
    attend: Callable[..., torch.Tensor] = torch.nn.functional.scaled_dot_product_attention

    @property
    def queries(self) -> int:
        """How many tokens ask."""
        return self.query.shape[2]

    def mass(self, groups: torch.Tensor, which: torch.Tensor | None = None) -> torch.Tensor:
        """Attention that queries give to groups of keys.

        Args:
            groups: 0 or 1, `(groups, keys)`.
            which: numbers of queries; None for all.

        Returns:
            `(samples * rows, heads, queries, groups)`.
        """
        query, mask, causal = self._asking(which)
        members = groups.T.to(self.query)
        out = []
        # Values as wide as the queries keep to the kernel that the model itself runs on.
        width = self.query.shape[-1]
        for part in members.split(width, 1):
            values = torch.nn.functional.pad(part, (0, width - part.shape[1]))
            values = values.expand(*self.key.shape[:2], -1, -1)
            found = self.attend(
                query,
                self.key,
                values,
                attn_mask=mask,
                is_causal=causal,
                scale=self.scale,
                enable_gqa=self.shared,
            )
            out.append(found[..., : part.shape[1]])
        return out[0] if len(out) == 1 else torch.cat(out, -1)

    def _asking(self, which: torch.Tensor | None) -> tuple[torch.Tensor, torch.Tensor | None, bool]:
        """Chosen queries, and what they are allowed to see."""
        if which is None:
            return self.query, self.mask, self.causal
        mask = self.mask
        if self.causal:
            mask = torch.arange(self.key.shape[2], device=which.device) <= which[:, None]
        elif mask is not None and mask.shape[-2] > 1:
            mask = mask.index_select(-2, which)
        return self.query.index_select(2, which), mask, False

    def per_sample(self, rows: torch.Tensor) -> torch.Tensor:
        """The mean over the rows of each sample."""
        return rows if len(rows) == self.samples else rows.unflatten(0, (self.samples, -1)).mean(1)


@dataclass(frozen=True, eq=False)
class Mass(Reducer):
    """Attention between groups of tokens, `(samples, heads, groups, groups)`: of what a group's
    tokens give out, on average, the share that goes to each group of keys.

    Args:
        queries: bool `(groups, tokens)`; None for each token by itself.
        keys: likewise.
        sampled: look at that many queries of each group only, chosen by chance; None for all.
        seed: of the choice.
    """

    queries: np.ndarray | None = None
    keys: np.ndarray | None = None
    sampled: int | None = None
    seed: int = 0
    _plans: dict = field(default_factory=dict, init=False, repr=False)

    @property
    def sees_layout(self) -> bool:
        return False

    @property
    def of_maps(self) -> bool:
        return True

    def __call__(self, value: AttentionMap, layout: Layout | None, at: Address) -> torch.Tensor:
        asking, keys = value.queries, value.key.shape[2]
        key = (asking, keys, value.query.device)
        if key not in self._plans:
            self._plans[key] = Plan(
                _groups(self.queries, asking, at)[None],
                _groups(self.keys, keys, at),
                self.sampled,
                self.seed,
                value.query.device,
            )
        return self._plans[key](value)


@dataclass(frozen=True, eq=False)
class FrameMass(Reducer):
    """Attention between frames, `(samples, heads, 3 + frames, 3 + frames)`.

    Rows are the ones who look, columns those looked at, in the order `text`, `sound`, `other`
    (tokens of no known kind), frame 0, frame 1 ... A row sums to 1; one without tokens is nan. At
    `cross_map` the columns are single words: `(samples, heads, 3 + frames, words)`.

    Args:
        mask: bool `(samples or 1, height, width)`, a part of the picture at any resolution: there
            are as many rows again as frames, of the tokens of each frame that lie in it.
        sampled: look at that many queries of each group only, chosen by chance; None for all.
        seed: of the choice.
    """

    mask: np.ndarray | None = None
    sampled: int | None = None
    seed: int = 0
    _plans: dict = field(default_factory=dict, init=False, repr=False)

    @property
    def needs_layout(self) -> bool:
        return True

    @property
    def of_maps(self) -> bool:
        return True

    def __call__(self, value: AttentionMap, layout: Layout | None, at: Address) -> torch.Tensor:
        layout = known(layout, at)
        if at.site == "map":
            known(value.keys, at)
        key = (layout, value.keys, value.key.shape[2], value.query.device)
        if key not in self._plans:
            seen = value.keys
            columns = np.eye(value.key.shape[2], dtype=bool) if seen is None else groups(seen)
            rows = groups(layout)[None]
            if self.mask is not None:
                rows = np.concatenate(
                    [rows.repeat(len(self.mask), 0), _inside(layout, self.mask)], 1
                )
            self._plans[key] = Plan(rows, columns, self.sampled, self.seed, value.query.device)
        return self._plans[key](value)


def _inside(layout: Layout, mask: np.ndarray) -> np.ndarray:
    """Bool `(samples, frames, tokens)`: tokens of each frame that lie in the samples' masks."""
    return np.stack(
        [[layout.inside(m, [f]) for f in range(layout.frames)] for m in mask.astype(np.float32)]
    )


def groups(layout: Layout) -> np.ndarray:
    """Bool `(3 + frames, tokens)`: text, sound, others, then each frame."""
    others = [layout.part(name) for name in (*PARTS, "other")]
    return np.stack([*others, *(layout.places[:, 0] == f for f in range(layout.frames))])


class Plan:
    """How one shape of map is reduced: tensors that are made once.

    Args:
        queries: bool `(samples or 1, groups, queries)`.
        keys: bool `(groups, keys)`.
        sampled, seed: as in `Mass`.
        device: of the map.
    """

    def __init__(
        self,
        queries: np.ndarray,
        keys: np.ndarray,
        sampled: int | None,
        seed: int,
        device: torch.device,
    ) -> None:
        self._which: torch.Tensor | None = None
        if sampled is not None:
            queries, which = _chosen(queries, sampled, seed)
            self._which = torch.from_numpy(which).to(device)
        single = np.eye(queries.shape[2], dtype=bool)
        self._single = queries.shape[1:] == single.shape and bool((queries == single).all())
        weights = torch.from_numpy(queries).float().to(device)
        # A group without tokens has no mean: 0 / 0.
        self._weights = (weights / weights.sum(-1, keepdim=True))[:, None]
        self._keys = torch.from_numpy(keys).to(device)

    def __call__(self, value: AttentionMap) -> torch.Tensor:
        rows = value.per_sample(value.mass(self._keys, self._which).float())
        if self._single:
            return host(rows)
        if len(self._weights) not in (1, len(rows)):
            raise PhospheneError(
                f"{len(self._weights)} masks for {len(rows)} samples; give one each"
            )
        return host(torch.matmul(self._weights, rows))


def _chosen(queries: np.ndarray, sampled: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """At most so many queries of each group, and the numbers of all that are in one."""
    rng = np.random.default_rng(seed)
    kept = np.zeros_like(queries)
    for place in np.ndindex(queries.shape[:2]):
        kept[place][rng.permutation(np.flatnonzero(queries[place]))[:sampled]] = True
    which = np.flatnonzero(kept.any((0, 1)))
    return kept[..., which], which


def _groups(groups: np.ndarray | None, tokens: int, at: Address) -> np.ndarray:
    if groups is None:
        return np.eye(tokens, dtype=bool)
    if groups.ndim != 2 or groups.shape[1] != tokens:
        raise PhospheneError(
            f"groups of shape {groups.shape} for the {tokens} tokens of layer {at.layer} "
            f"({at.site}); give bool (groups, {tokens})"
        )
    return groups.astype(bool)
