"""Descriptors: what the embeddings saw of each item, kept small, in rows that can be compared."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

_SAMPLE = 512  # rows from which axes are found, and that are looked at in one go


@dataclass(frozen=True, eq=False)
class View:
    """Axes to look along: `origin` as in `joined`, `mean` `(d,)`, `axes` `(d, k)`, float32."""

    origin: np.ndarray
    mean: np.ndarray
    axes: np.ndarray


class Descriptors:
    """Rows of joined embeddings, 16 bits a number, in the order they came.

    Which embeddings there are, and how long their vectors, is settled by the first row; later rows
    that lack one have noughts there.
    """

    def __init__(self) -> None:
        self._widths: dict[str, int] = {}
        self._rows = np.zeros((0, 0), np.float16)
        self._count = 0

    def __len__(self) -> int:
        return self._count

    def add(self, vectors: Mapping[str, str]) -> int | None:
        """Take in one item's vectors, base64 of little-endian 16-bit floats as in the log.

        Returns:
            The row's number; None where nothing could be read, or no finite numbers, or noughts.
        """
        found = {name: read(text) for name, text in vectors.items()}
        if not self._widths:
            self._widths = {n: len(v) for n, v in sorted(found.items()) if v is not None and len(v)}
        parts = []
        for name, width in self._widths.items():
            vector = found.get(name)
            usable = vector is not None and len(vector) == width
            parts.append(vector if usable else np.zeros(width, np.float16))
        row = np.concatenate(parts) if parts else np.zeros(0, np.float16)
        if not row.any() or not np.isfinite(row).all():
            return None
        if self._count == len(self._rows):
            grown = np.zeros((max(64, 2 * self._count), len(row)), np.float16)
            if self._count:
                grown[: self._count] = self._rows
            self._rows = grown
        self._rows[self._count] = row
        self._count += 1
        return self._count - 1

    def joined(self, rows: np.ndarray, origin: np.ndarray) -> np.ndarray:
        """Unit float32 `(n, d)`: each embedding centred on `origin` and of equal weight.

        Args:
            rows: numbers of rows.
            origin: float32 `(d,)`, from `origin`.
        """
        out = self._rows[rows].astype(np.float32)
        start = 0
        for width in self._widths.values():
            part = out[:, start : start + width]
            there = part.any(1, keepdims=True)
            part -= origin[start : start + width]
            part *= there
            part /= np.linalg.norm(part, axis=1, keepdims=True).clip(1e-6)
            start += width
        return out / np.linalg.norm(out, axis=1, keepdims=True).clip(1e-6)

    def sample(self) -> np.ndarray:
        """Numbers of at most 512 rows, evenly from the first to the last: enough to find axes."""
        return np.unique(np.linspace(0, self._count - 1, min(self._count, _SAMPLE)).astype(int))

    def projected(self, rows: np.ndarray, view: View) -> np.ndarray:
        """Coordinates float32 `(n, k)` of rows on axes."""
        parts = [rows[i : i + _SAMPLE] for i in range(0, len(rows), _SAMPLE)]
        found = [(self.joined(p, view.origin) - view.mean) @ view.axes for p in parts]
        return np.concatenate([np.zeros((0, view.axes.shape[1]), np.float32), *found])

    def view(self, rows: np.ndarray, count: int) -> View:
        """The principal axes of some rows."""
        origin = self.origin(rows)
        return View(origin, *axes(self.joined(rows, origin), count))

    def origin(self, rows: np.ndarray) -> np.ndarray:
        """Mean of these rows, float32 `(d,)`: what all have in common tells nothing apart."""
        return self._rows[rows].astype(np.float32).mean(0)


def read(text: object) -> np.ndarray | None:
    """A vector of the log, float16; None for what is no vector."""
    try:
        return np.frombuffer(base64.b64decode(text), "<f2")  # type: ignore[arg-type]
    except (binascii.Error, ValueError, TypeError):
        return None


def axes(rows: np.ndarray, count: int) -> tuple[np.ndarray, np.ndarray]:
    """Principal axes of rows float32 `(n, d)`: their mean `(d,)` and unit axes `(d, count)`.

    By the eigenvectors of the `(n, n)` matrix of products, as n is smaller than d mostly. Axes that
    the rows don't have are noughts.
    """
    mean = rows.mean(0)
    away = rows - mean
    values, vectors = np.linalg.eigh(away @ away.T)
    best = np.argsort(-values)[:count]
    found = away.T @ (vectors[:, best] / np.sqrt(values[best].clip(1e-12)))
    found *= values[best] > 1e-9 * len(rows)
    out = np.zeros((rows.shape[1], count), np.float32)
    out[:, : found.shape[1]] = found
    return mean, out
