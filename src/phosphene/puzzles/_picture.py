"""What the readers of puzzle pictures share: sizes, the page's colour, and what a clip changed."""

from __future__ import annotations

from typing import cast

import numpy as np
from PIL import Image

from phosphene.clip import Clip
from phosphene.pack import Unreadable
from phosphene.verdict import Part

# A clip's colours may be off by this much over all, in levels of 255, before it counts as change.
TINT = 24
# Frames of a long clip that are looked at for stability, evenly spaced.
LOOKED_AT = 12
# Pixels of the longer side, about, at which two pictures are compared.
COARSE = 256


def shrink(picture: np.ndarray, side: int) -> np.ndarray:
    """The picture with its longer side at most `side` pixels, by averaging; never enlarged.

    Raises:
        Unreadable: not a uint8 `(h, w, 3)` picture of 32 pixels or more a side.
    """
    if picture.dtype != np.uint8 or picture.ndim != 3 or picture.shape[2] != 3:
        raise Unreadable(f"wants a uint8 (h, w, 3) picture; got {picture.dtype} {picture.shape}")
    h, w = picture.shape[:2]
    if min(h, w) < 32:
        raise Unreadable(f"the picture is too small: {w}x{h}")
    scale = side / max(h, w)
    return picture if scale >= 1 else resize(picture, round(w * scale), round(h * scale))


def resize(picture: np.ndarray, w: int, h: int) -> np.ndarray:
    """The uint8 picture at `w` by `h` pixels: averaged to shrink, bilinear to grow."""
    if picture.shape[:2] == (h, w):
        return picture
    # Far too large pictures are halved, thirded... first: exact, and ten times as fast.
    steps = max(1, min(picture.shape[1] // (2 * w), picture.shape[0] // (2 * h)))
    return np.asarray(
        Image.fromarray(picture)
        .reduce(steps)
        .resize((w, h), Image.Resampling.BOX if w < picture.shape[1] else Image.Resampling.BILINEAR)
    )


def page_colour(picture: np.ndarray) -> np.ndarray:
    """float32 `(3,)`: the median of the picture's outermost pixels."""
    edge = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    return np.median(edge, 0).astype(np.float32)


def away(picture: np.ndarray, colour: np.ndarray) -> np.ndarray:
    """Distance from a colour, float32 `(h, w)`, 0..255: the largest of the three channels."""
    return np.abs(picture.astype(np.float32) - colour.astype(np.float32)).max(-1)


def box(mask: np.ndarray, least: int = 1) -> tuple[int, int, int, int] | None:
    """Rows and columns `(top, bottom, left, right)` that hold `least` or more true pixels each.

    Ends are exclusive; None where the mask is empty.
    """
    rows = np.flatnonzero(mask.sum(1) >= least)
    columns = np.flatnonzero(mask.sum(0) >= least)
    if not len(rows) or not len(columns):
        return None
    return int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1


def pieces(mask: np.ndarray, corners: bool = False) -> tuple[np.ndarray, int]:
    """Connected pieces: int `(h, w)`, 0 outside, 1.. inside, and how many there are.

    Pixels that touch at a corner only are connected where `corners` says so.
    """
    from scipy import ndimage

    shape = np.ones((3, 3)) if corners else None
    labels, count = cast("tuple[np.ndarray, int]", ndimage.label(mask, shape))
    return labels, count


def beside(picture: np.ndarray, clip: Clip) -> tuple[np.ndarray, np.ndarray]:
    """The picture at the clip's size, and the clip's frames.

    Raises:
        Unreadable: the clip has no frames, or their sides have another ratio than the picture's.
    """
    if clip.frames is None:
        raise Unreadable("the clip has no frames")
    h, w = clip.frames.shape[1:3]
    if abs(picture.shape[1] / picture.shape[0] / (w / h) - 1) > 0.03:
        raise Unreadable(
            f"frames of {w}x{h} have other proportions than the picture of "
            f"{picture.shape[1]}x{picture.shape[0]}"
        )
    return resize(shrink(picture, max(h, w)), w, h), clip.frames


def change(frame: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """How far each pixel of a frame is from the picture's, float32 `(h, w)`, 0..255.

    A colour cast over the whole frame, up to `TINT`, is taken off first.
    """
    off = frame.astype(np.float32) - picture.astype(np.float32)
    cast = np.median(off[::2, ::2].reshape(-1, 3), 0)
    return np.abs(off - np.clip(cast, -TINT, TINT)).max(-1)


def repainted(frame: np.ndarray, picture: np.ndarray) -> np.ndarray:
    """Where a frame shows something else than the picture, bool `(h, w)`.

    Unlike `change` it lets things lie a pixel or two aside, and edges be soft: a pixel is repainted
    where its colour is beyond all that the other picture has around it, by 64 levels of 255, both
    smoothed a little so that a fine line counts as much when it is soft as when it is sharp.
    """
    from scipy.ndimage import gaussian_filter

    h, w = picture.shape[:2]
    scale = max(1, round(max(h, w) / COARSE))
    small = (max(1, w // scale), max(1, h // scale))
    one, other = (resize(p, *small).astype(np.float32) for p in (frame, picture))
    one -= np.clip(np.median((one - other).reshape(-1, 3), 0), -TINT, TINT)
    one, other = (gaussian_filter(p, (0.8, 0.8, 0)) for p in (one, other))
    off = (_beyond(one, other) > 64) | (_beyond(other, one) > 64)
    ys, xs = np.arange(h) * small[1] // h, np.arange(w) * small[0] // w
    return off[ys][:, xs]


def _beyond(one: np.ndarray, other: np.ndarray) -> np.ndarray:
    """How far a pixel's colour is from the range of the other's colours around it, `(h, w)`."""
    from scipy.ndimage import maximum_filter, minimum_filter

    low = minimum_filter(other, (3, 3, 1))
    high = maximum_filter(other, (3, 3, 1))
    return np.maximum(low - one, one - high).max(-1)


def stability(frames: np.ndarray, picture: np.ndarray, still: np.ndarray) -> Part:
    """Whether the pixels of `still` `(h, w)` keep the picture's colours in every frame looked at.

    One frame alone is `not judged`. A frame fails where more than 3 % of them are repainted.
    """
    if len(frames) < 2:
        return "not judged"
    picks = np.unique(np.linspace(0, len(frames) - 1, LOOKED_AT).round().astype(int))
    for before, k in zip([None, *picks[:-1]], picks, strict=True):
        if before is not None and np.array_equal(frames[before], frames[k]):
            continue
        if repainted(frames[k], picture)[still].mean() > 0.03:
            return "failed"
    return "passed"
