"""Blobs: coloured objects on plain paper, told from it and from each other by colour."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from scipy import ndimage

from phosphene.readers.scene import changes, softened

HUES = np.array(
    [
        (214, 39, 40),
        (38, 92, 214),
        (44, 160, 60),
        (250, 140, 20),
        (140, 60, 180),
        (30, 185, 205),
        (235, 205, 30),
        (238, 120, 190),
    ],
    np.float32,
)
CAST = 25  # levels of 255: a shift of the paper's colour up to this one is put right


class Blob(NamedTuple):
    """A connected patch of pixels. Places and areas are shares of the side and of the picture.

    Fields: centre `x`, `y`; `area`; `spread`, the mean distance from the centre, which is 2/3 of
    the radius for a disc; `box` (x0, y0, x1, y1).
    """

    x: float
    y: float
    area: float
    spread: float
    box: tuple[float, float, float, float]

    @property
    def roundness(self) -> float:
        """1 for a disc, less for anything longer or torn apart."""
        return float(2 / 3 * np.sqrt(self.area / np.pi) / max(self.spread, 1e-9))


def find_blobs(mask: np.ndarray, least: float) -> list[Blob]:
    """The connected patches (also at corners) of bool `(s, s)`, largest first.

    Args:
        least: area as a share of the picture below which a patch is left out.
    """
    size = len(mask)
    labels = np.zeros(mask.shape, np.int32)
    ndimage.label(mask, np.ones((3, 3)), output=labels)
    out = []
    for index, window in enumerate(ndimage.find_objects(labels), 1):
        y, x = np.nonzero(labels[window] == index)
        if len(y) < least * size**2:
            continue
        top, left = window[0].start, window[1].start
        cx, cy = x.mean() + 0.5 + left, y.mean() + 0.5 + top
        spread = np.hypot(x + 0.5 + left - cx, y + 0.5 + top - cy).mean()
        box = (left, top, window[1].stop, window[0].stop)
        out.append(
            Blob(
                float(cx / size),
                float(cy / size),
                len(y) / size**2,
                float(spread / size),
                (box[0] / size, box[1] / size, box[2] / size, box[3] / size),
            )
        )
    return sorted(out, key=lambda blob: -blob.area)


def hues(rng: np.random.Generator, count: int, variety: float) -> np.ndarray:
    """Paper and `count` (up to 8) colours that differ from it and each other, `(1 + count, 3)`.

    At `variety` 0 the paper is white and the colours are the first of `HUES`; at 1 any of them,
    shifted a little, on light paper.
    """
    order = rng.permutation(len(HUES)) if variety > 0 else np.arange(len(HUES))
    shift = rng.uniform(-1, 1, (1 + count, 3)).astype(np.float32) * np.float32(variety)
    colours = HUES[order[:count]] + 14 * shift[1:]
    paper = 255 - 14 * (1 + shift[:1]) * np.float32(variety > 0)
    return np.clip(np.concatenate([paper, colours]), 0, 255).astype(np.float32)


def uncast(frames: np.ndarray, paper: np.ndarray) -> np.ndarray:
    """Frames `(n, s, s, 3)` as float32 levels, their common colour cast put right.

    The cast is how far the first picture's most common colour lies from `paper` `(3,)`; one of more
    than `CAST` levels is left as it is, to be seen as a change.
    """
    cast = paper - np.median(frames[0].reshape(-1, 3), 0)
    shift = cast if np.abs(cast).max() <= CAST else np.zeros(3)
    return frames.astype(np.float32) + shift.astype(np.float32)


def widest(away: np.ndarray) -> np.ndarray:
    """Differences `(..., 3)` as the largest of the three channels' sizes, `(...)`."""
    # Several times as fast as a reduction over an axis of three.
    red, green, blue = (np.abs(away[..., c]) for c in range(3))
    return np.maximum(np.maximum(red, green), blue)


def name_colours(
    pixels: np.ndarray, paper: np.ndarray, inks: np.ndarray, far: float = 80.0
) -> tuple[np.ndarray, np.ndarray]:
    """Which ink each pixel shows, and what shows none.

    A pixel is taken for a mixture of paper and one ink, the one that explains it best: blurred and
    antialiased edges belong to their object, and to it only where they hold more than half of it.

    Args:
        pixels: float32 `(n, s, s, 3)`, 0..255.
        paper: `(3,)`, or `(s, s, 3)` where the ground isn't plain.
        inks: `(k, 3)`.
        far: distance (Euclidean, levels) from every mixture at which a pixel counts as strange.

    Returns:
        names int8 `(n, s, s)`, the ink's number or -1 for paper; strange bool `(n, s, s)`.
    """
    away = pixels - paper
    names = np.full(pixels.shape[:3], -1, np.int8)
    strange = np.zeros(pixels.shape[:3], bool)
    # Most of the picture is paper: the rest alone is looked at closely.
    busy = widest(away) > 32
    some = away[busy]
    if paper.ndim == 1:
        axes = (inks - paper).astype(np.float32)
        along, lengths = some @ axes.T, (axes**2).sum(1)
    else:
        ground = np.broadcast_to(paper, pixels.shape)[busy]
        axes = inks.astype(np.float32) - ground[:, None]
        along, lengths = np.einsum("mc,mkc->mk", some, axes), (axes**2).sum(-1)
    amount = np.clip(along / np.maximum(lengths, 1), 0, 1)
    rest = (some**2).sum(1, keepdims=True) - 2 * amount * along + amount**2 * lengths
    best = rest.argmin(1)
    row = np.arange(len(best))
    names[busy] = np.where(amount[row, best] > 0.5, best, -1)
    strange[busy] = rest[row, best] > far**2
    names[strange] = -1
    return names, strange


def loose(frames: np.ndarray, ground: np.ndarray, names: np.ndarray) -> np.ndarray:
    """What differs from the ground and lies at no named object: share of each picture, `(n,)`.

    Args:
        frames: `(n, s, s, 3)`, 0..255.
        ground: `(s, s, 3)`, the picture without its objects.
        names: int8 `(n, s, s)`, -1 where there is no object.
    """
    size = len(ground)
    unit = max(round(size / 64), 1)
    near = ndimage.maximum_filter(names, (1, 4 * unit + 1, 4 * unit + 1)) >= 0
    # The border is left out: what a shift of the picture brings in there is anybody's guess.
    inside = np.zeros((size, size), bool)
    inside[3 * unit : -3 * unit, 3 * unit : -3 * unit] = True
    seen, wanted = (np.rint(p).clip(0, 255).astype(np.uint8) for p in (frames, ground))
    wanted = softened(seen[0], wanted, inside & ~near[0])
    # Pictures that are ground alone once their objects are painted over need no closer look.
    bare = np.where(near[..., None], wanted, seen)
    return (changes(bare, wanted, inside) & ~near).mean((1, 2))


def opened(names: np.ndarray, block: int = 2) -> np.ndarray:
    """`names` `(n, s, s)` with -1 wherever no square of `block` pixels a side holds one name alone.

    What is thin goes: antialiased and blurred edges, whose mixed colours look like other objects.
    """
    corner = names.copy()
    for axis in (1, 2):
        run = corner.copy()
        for step in range(1, block):
            # What rolls over the border meets the other side, and stays if that is alike: harmless.
            run[np.roll(corner, -step, axis) != corner] = -1
        corner = run
    for axis in (1, 2):
        corner = np.maximum.reduce([np.roll(corner, step, axis) for step in range(block)])
    return corner


class Solid(NamedTuple):
    """Where objects of one colour lie, by moments; arrays of equal shape, shares of the side.

    Fields: centre `x`, `y`; `width`, `height` of the upright rectangle with the same spread;
    `area` as a share of the picture, 0 where there is none; `stray`, the area of that colour that
    lies too far away to belong to it.
    """

    x: np.ndarray
    y: np.ndarray
    width: np.ndarray
    height: np.ndarray
    area: np.ndarray
    stray: np.ndarray


def measure(names: np.ndarray, extent: np.ndarray, slack: float = 3 / 64) -> Solid:
    """The objects of colours 0 to k - 1 in `(n, s, s)`, each field `(n, k)`.

    Args:
        extent: `(k, 2)`, how far from its middle each object reaches across and down, as a share of
            the side.
        slack: how much further a pixel may lie and still belong to it.
    """
    n, size, k = len(names), names.shape[1], len(extent)
    frame, row, column = np.nonzero((names >= 0) & (names < k))
    colour = names[frame, row, column]
    which = frame * k + colour
    x, y = (column + 0.5) / size, (row + 0.5) / size
    every = np.bincount(which, minlength=n * k)
    kept = np.ones(len(x), bool)
    # Strays draw the first look off its place, the second a little, the third not at all.
    for margin in (3 * slack, slack, None):
        area = np.bincount(which[kept], minlength=n * k)

        def mean(values: np.ndarray, kept: np.ndarray = kept, area: np.ndarray = area):
            return np.bincount(which[kept], values[kept], n * k) / np.maximum(area, 1)

        cx, cy = mean(x), mean(y)
        across, down = np.abs(x - cx[which]), np.abs(y - cy[which])
        if margin is not None:
            reach = extent[colour] + margin
            kept = (across <= reach[:, 0]) & (down <= reach[:, 1])
    # A pixel has a width of its own, which the variance of pixel centres leaves out.
    width, height = (np.sqrt(12 * mean(d**2) + size**-2) for d in (across, down))
    fields = (cx, cy, width, height, area / size**2, (every - area) / size**2)
    return Solid(*(f.reshape(n, k) for f in fields))
