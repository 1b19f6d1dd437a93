"""Layout: which token is which part of which frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property, lru_cache

import numpy as np
import torch

PARTS = ("text", "sound")


@dataclass(frozen=True, eq=False)
class Layout:
    """Places of the tokens of one stream.

    Args:
        places: int `(tokens, 3)`: frame, row and column of each token, from 0; -1 for tokens that
            are no part of the picture.
        parts: `text` and `sound`: numbers of the tokens that they come in by.
    """

    places: np.ndarray
    parts: Mapping[str, np.ndarray] = field(default_factory=dict)

    @cached_property
    def frames(self) -> int:
        """Latent frames."""
        return int(self.places[:, 0].max()) + 1

    @cached_property
    def rows(self) -> int:
        return int(self.places[:, 1].max()) + 1

    @cached_property
    def columns(self) -> int:
        return int(self.places[:, 2].max()) + 1

    @property
    def tokens(self) -> int:
        return len(self.places)

    @property
    def others(self) -> np.ndarray:
        """Numbers of the tokens that are no part of the picture: text, sound, padding."""
        return np.flatnonzero(self.places[:, 0] < 0)

    @cached_property
    def in_order(self) -> int | None:
        """Number of the first picture token, where frames lie one after another from there on, all
        of one size; None where they don't."""
        inside = np.flatnonzero(self.places[:, 0] >= 0)
        start, size = int(inside[0]), len(inside) // self.frames
        frames = np.repeat(np.arange(self.frames), size)
        if len(frames) != len(inside) or inside[-1] - start + 1 != len(inside):
            return None
        return start if np.array_equal(self.places[inside, 0], frames) else None

    def part(self, name: str) -> np.ndarray:
        """Bool `(tokens,)`: those of `text`, of `sound`, or the `other` ones of no known kind."""
        out = np.zeros(self.tokens, bool)
        if name == "other":
            out[self.others] = True
            for numbers in self.parts.values():
                out[numbers] = False
        else:
            out[self.parts.get(name, np.empty(0, int))] = True
        return out

    def weights(self, masks: np.ndarray | None = None) -> torch.Tensor:
        """What to average by, `(samples, frames, groups, tokens)`; each row sums to 1.

        Args:
            masks: `(samples, groups, height, width)` in 0..1 at any resolution; None for the whole
                picture. A part that covers no token's centre takes the tokens it touches most.
        """
        if masks is None:
            masks = np.ones((1, 1, 1, 1))
        share = coverage(masks, self.rows, self.columns)
        inside = self.places[:, 0] >= 0
        out = np.zeros((*masks.shape[:2], self.frames, self.tokens), np.float32)
        f, r, c = self.places[inside].T
        out[:, :, f, np.flatnonzero(inside)] = share[:, :, r, c]
        total = out.sum(-1, keepdims=True)
        return torch.from_numpy(out / np.maximum(total, 1e-9)).transpose(1, 2).contiguous()

    def inside(self, mask: np.ndarray, frames: range | list[int] | None = None) -> np.ndarray:
        """Bool `(tokens,)`: tokens of `frames` at least half covered by a mask `(height, width)`,
        or, if none is, the one covered most."""
        share = coverage(mask[None, None], self.rows, self.columns)[0, 0]
        chosen = share >= min(0.5, float(share.max()))
        wanted = range(self.frames) if frames is None else frames
        here = np.isin(self.places[:, 0], list(wanted))
        return here & chosen[self.places[:, 1], self.places[:, 2]]

    def shifted(
        self, before: int, tokens: int, parts: Mapping[str, np.ndarray] | None = None
    ) -> Layout:
        """The same picture with `before` other tokens ahead of it, `tokens` in all.

        Args:
            parts: numbers of tokens that join those of the same kind.
        """
        places = np.full((tokens, 3), -1)
        places[before : before + self.tokens] = self.places
        kinds = {name: numbers + before for name, numbers in self.parts.items()}
        for name, numbers in (parts or {}).items():
            kinds[name] = np.union1d(kinds.get(name, np.empty(0, int)), numbers)
        return Layout(places, kinds)


@lru_cache(maxsize=256)
def grid(frames: int, rows: int, columns: int) -> Layout:
    """Tokens frame by frame, row by row."""
    places = np.indices((frames, rows, columns)).reshape(3, -1).T
    places.flags.writeable = False
    return Layout(places)


def coverage(masks: np.ndarray, rows: int, columns: int) -> np.ndarray:
    """Share of each cell of a `rows` x `columns` grid that masks `(..., h, w)` cover."""
    tensor = torch.as_tensor(np.asarray(masks, np.float32)).flatten(0, -3)[:, None]
    pooled = torch.nn.functional.interpolate(tensor, (rows, columns), mode="area")
    return pooled[:, 0].numpy().reshape(*masks.shape[:-2], rows, columns)
