"""Follow: where the tokens of each block lie in the picture, block by block through a call.

A layout is found at the first block that pictures reach and is carried on from there. What has
been found is kept for each shape of input, for as long as the denoiser lives.
"""

from __future__ import annotations

import weakref
from typing import Any

import numpy as np
import torch
import torch.nn as nn

from phosphene.tap.anatomy import Layer
from phosphene.tap.layout import Layout
from phosphene.tap.locate import entered, find, moving, named, part_of, sample_of, stirred, told

Joint = tuple[Layout | None, Layout | None]

_KNOWN: weakref.WeakKeyDictionary[nn.Module, dict] = weakref.WeakKeyDictionary()


class Caught(BaseException):
    """Carries the queries and keys of a trial out of it. Not an Exception: no model handles it."""

    def __init__(self, query: torch.Tensor, key: torch.Tensor) -> None:
        super().__init__()
        self.query, self.key = query, key


class Follower:
    """Layouts in the denoiser call that is under way.

    Attributes:
        trying: a trial is under way, of which nobody is to take notice.
        catching: the block whose queries and keys it is after, and how many calls of attention
            come before the one that is wanted.
    """

    def __init__(self) -> None:
        self.trying = False
        self.catching: tuple[Layer | None, int] = (None, 0)
        self._here: dict[Any, Any] = {}
        self._last: tuple[str, torch.Tensor] | None = None
        self._ids: tuple[Any, bytes] = (None, b"")
        self._beside: list[torch.Tensor] = []
        self._sounds = False
        self._call: tuple[tuple, dict[str, Any]] = ((), {})

    def begin(self, denoiser: nn.Module, own: list[Layer], call: dict[str, Any]) -> None:
        """A denoiser is called. The first time with inputs of such shapes, it is tried out.

        The trials end before the first block that pictures reach; hooks of parts that come before
        it, as those of a text refiner, keep quiet meanwhile.

        Args:
            own: its blocks.
            call: its arguments, by name.
        """
        self.end()
        known = _KNOWN.setdefault(denoiser, {})
        self._sounds = any(part_of(name) == "sound" for name in call)
        shape = self._shape(call)
        if shape not in known:
            known[shape] = {}
            self.trying = True
            try:
                for first in _firsts(own):
                    layout = find(denoiser, first.block, call)
                    if layout is not None:
                        known[shape][first.name] = layout
                        break
            finally:
                self.trying = False
        self._here = known[shape]

    def end(self) -> None:
        """The call is over: hold on to nothing of it."""
        self._last = None
        self._beside.clear()
        self._call = ((), {})

    def _shape(self, call: dict[str, Any]) -> tuple:
        """What layouts depend on."""
        latents, _ = sample_of(call)
        ids = call.get("img_ids")
        if ids is not None and latents is not None and self._ids[0] is not ids:
            places = told(latents.shape[1], call)
            self._ids = (ids, b"" if places is None else places.tobytes())
        return (*((k, _shape(v)) for k, v in call.items()), self._ids[1])

    def enter(self, layer: Layer, args: tuple, kwargs: dict[str, Any]) -> None:
        """A block is called: the picture goes on where what it is given holds, unchanged, what an
        earlier block of known layout gave out."""
        self._call = (args, kwargs)
        if layer.name in self._here:
            return
        self._here[layer.name] = None
        given = entered(args, kwargs)
        if self._last is None or given is None or given.ndim != 3:
            return
        name, before = self._last
        offset = _offset(given, before) if before.ndim == 3 else None
        layout = self._here[name]
        if offset is not None:
            n, m = given.shape[1], before.shape[1]
            rest = given[:, :offset] if offset else given[:, m:]
            parts = {}
            if not self._sounds and any(_same(rest, b) for b in self._beside):
                parts["text"] = np.arange(n - m) + (0 if offset else m)
            self._here[layer.name] = layout if n == m else layout.shifted(offset, n, parts)

    def leave(self, layer: Layer, output: torch.Tensor, whole: Any) -> None:
        """A block has given out `output`, the picture or, in a refiner, the text; `whole` is all
        that it gave."""
        self._call = ((), {})
        if self._here.get(layer.name) is None:
            self._beside.append(output)
            return
        self._last = (layer.name, output)
        if isinstance(whole, tuple | list):
            self._beside = [b for b in whole if isinstance(b, torch.Tensor) and b is not output]

    def at(self, layer: Layer, tokens: int) -> Layout | None:
        """The layout at a block, if it is one of so many tokens."""
        layout = self._here.get(layer.name)
        return layout if layout is not None and layout.tokens == tokens else None

    # Queries and keys, among which text may be joined to the picture.

    def joint(self, layer: Layer, query: torch.Tensor, key: torch.Tensor, turn: int) -> Joint:
        """Layouts of the queries and keys of a block's self-attention.

        The block is called again, as far as its attention, with single tokens changed; the queries
        that change are the ones they became.

        Args:
            turn: how many calls of attention there were in this block before.
        """
        place = (layer.name, query.shape[2], key.shape[2])
        if place not in self._here:
            self._here[place] = self._tried(layer, query, key, turn)
        return self._here[place]

    def _tried(self, layer: Layer, query: torch.Tensor, key: torch.Tensor, turn: int) -> Joint:
        layout = self._here.get(layer.name)
        if layout is None:
            return None, None
        call = named(layer.block, *self._call)
        hidden = next((n for n in ("hidden_states", "x") if n in call), None)
        if hidden is None or call[hidden].ndim != 3 or call[hidden].shape[1] != layout.tokens:
            return None, None

        def moved(name: str, token: int) -> tuple[np.ndarray, np.ndarray]:
            changed = call[name].clone()
            changed[:, token] = stirred(changed[:, token])
            found = self._until_attention(layer, {**call, name: changed}, turn)
            if found is None:
                nothing = np.empty(0, int)
                return nothing, nothing
            return _moving(found.query, query), _moving(found.key, key)

        sides = _starts(moved, hidden, layout.tokens)
        texts = [n for n in call if part_of(n) == "text" and _rows(call[n], query)]
        joined: list[Layout | None] = []
        for side, tokens in enumerate((query.shape[2], key.shape[2])):
            start = sides[side]
            if start is None or start + layout.tokens > tokens:
                joined.append(None)
                continue
            parts = {}
            for name in texts:
                begin = _starts(moved, name, call[name].shape[1])[side]
                if begin is not None:
                    parts["text"] = np.arange(begin, begin + call[name].shape[1])
            plain = start == 0 and tokens == layout.tokens and not parts
            joined.append(layout if plain else layout.shifted(start, tokens, parts))
        return joined[0], joined[1]

    def _until_attention(self, layer: Layer, call: dict[str, Any], turn: int) -> Caught | None:
        """A block's queries and keys in a trial; None if it gets by without attention."""
        self.trying, self.catching = True, (layer, turn)
        try:
            with torch.no_grad():
                layer.block.forward(**call)
        except Caught as caught:
            return caught
        finally:
            self.trying, self.catching = False, (None, 0)
        return None


def _starts(moved: Any, name: str, tokens: int) -> list[int | None]:
    """Where an input's tokens begin among queries and among keys; None where they don't lie there
    one after another, each in a place of its own."""
    tried = {t: moved(name, t) for t in sorted({0, tokens // 2, tokens - 1})}
    out: list[int | None] = []
    for side in (0, 1):
        offsets = {int(m[side][0]) - t for t, m in tried.items() if len(m[side]) == 1}
        single = all(len(m[side]) == 1 for m in tried.values())
        out.append(offsets.pop() if single and len(offsets) == 1 else None)
    return out


def _moving(a: torch.Tensor, b: torch.Tensor) -> np.ndarray:
    return moving(a.transpose(1, 2).flatten(2), b.transpose(1, 2).flatten(2))


def _rows(value: Any, query: torch.Tensor) -> bool:
    return isinstance(value, torch.Tensor) and value.ndim == 3 and value.shape[1] < query.shape[2]


def _shape(value: Any) -> Any:
    """The part of an argument that a layout can depend on."""
    if isinstance(value, torch.Tensor):
        return tuple(value.shape[1:])
    if isinstance(value, list | tuple):
        return tuple(_shape(v) for v in value)
    return value if isinstance(value, int | str | None) else type(value).__name__


def _firsts(own: list[Layer]) -> list[Layer]:
    """The first block of each row."""
    rows: dict[str, Layer] = {}
    for layer in own:
        rows.setdefault(layer.row, layer)
    return list(rows.values())


def _same(a: torch.Tensor, b: torch.Tensor) -> bool:
    return a.shape == b.shape and torch.equal(a, b)


def _offset(given: torch.Tensor, before: torch.Tensor) -> int | None:
    """Where what a block gave out begins in what another is given."""
    n, m = given.shape[1], before.shape[1]
    for offset in sorted({0, n - m}, reverse=True):
        if offset >= 0 and torch.equal(given[:, offset : offset + m], before):
            return offset
    return None
