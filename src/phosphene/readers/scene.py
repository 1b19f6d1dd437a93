"""Scene: is what was given still there? Registration and comparison with the first frame."""

from __future__ import annotations

import numpy as np
from scipy import ndimage

WORK = 256  # pictures with a longer side are read at this one
REACH = 3 / 64  # furthest shift that is put right, as a share of the side
SPARE = 0.2  # share of the picture that must stay as it is to be laid over the first frame by it
TOLERANCE = 44  # levels of 255 within which lightness counts as unchanged
TINT = 30  # the same for the two differences of colour, which codecs keep at half the resolution
BLURS = (0.5, 0.75, 1.0, 1.4)  # pixels of 64 by which a clip may be softer than the problem


def work_size(frames: np.ndarray) -> np.ndarray:
    """Frames uint8 `(n, h, w, 3)` that are square to within 3 %, as `(n, s, s, 3)`, s <= `WORK`.

    Raises:
        ValueError: not square; the message gives the size.
    """
    height, width = frames.shape[1:3]
    if abs(height - width) > 0.03 * max(height, width):
        raise ValueError(f"the picture is {width}x{height}, the problem is square")
    side = min(max(height, width), WORK)
    if (height, width) == (side, side):
        return frames
    from PIL import Image

    resized = [Image.fromarray(f).resize((side, side), Image.Resampling.BOX) for f in frames]
    return np.stack([np.asarray(image) for image in resized])


def rest(region: np.ndarray) -> np.ndarray:
    """Where nothing should change: outside the region, and two pixels (of 64) away from it.

    The strip between them forgives strokes that stick out a little.
    """
    unit = max(round(len(region) / 64), 1)
    return np.logical_not(ndimage.maximum_filter(region, 4 * unit + 1))


def register(
    frames: np.ndarray, first: np.ndarray, keep: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Put right a small shift and colour cast that all frames share.

    Both are measured between the clip's first frame and the problem's, outside the region where
    change is allowed; shifts up to `REACH` of the side, colour gains within 15 % and offsets within
    40 levels. What is larger is left as it is, to be seen as a change.

    Args:
        frames: uint8 `(n, s, s, 3)`.
        first: uint8 `(s, s, 3)`, the problem's first frame.
        keep: bool `(s, s)`, where nothing should change.

    Returns:
        The frames, and `keep` less the strip at the border that a shift has pushed out of sight.
    """
    away = np.abs(frames[0].astype(np.int16) - first.astype(np.int16))
    # Where little is left to measure by, the whole picture serves: few strokes hide what was given.
    anchor = keep if keep.mean() >= SPARE else np.ones_like(keep)
    if away[anchor].mean() < 0.5:
        return frames, keep
    dy, dx = _shift(frames[0], first, anchor)
    if dy or dx:
        frames = np.stack([_moved(f, dy, dx) for f in frames])
        inside = np.ones_like(keep)
        inside[: max(dy, 0)] = inside[len(keep) + min(dy, 0) :] = False
        inside[:, : max(dx, 0)] = inside[:, len(keep) + min(dx, 0) :] = False
        keep = keep & inside
    # A blur lowers contrasts as a cast does.
    gain, offset = _cast(frames[0], softened(frames[0], first, anchor), anchor)
    if np.allclose(gain, 1, atol=0.005) and np.abs(offset).max() < 1:
        return frames, keep
    levels = (np.arange(256, dtype=np.float32)[:, None] * gain + offset).round().clip(0, 255)
    table = levels.astype(np.uint8)
    return np.stack([table[frames[..., c], c] for c in range(3)], -1), keep


def _shift(frame: np.ndarray, first: np.ndarray, keep: np.ndarray) -> tuple[int, int]:
    """The (down, right) move of `frame` that fits `first` best; none where nothing is gained."""
    side = len(first)
    reach = max(round(REACH * side), 1)
    a, b = frame.astype(np.float32).mean(-1), first.astype(np.float32).mean(-1)
    best, move = np.inf, (0, 0)
    # Nearer moves come first and ties keep them: flat pictures stay where they are.
    span = range(-reach, reach + 1)
    stride = max(side // 64, 1)
    coarse = [(y * stride, x * stride) for y in range(-3, 4) for x in range(-3, 4)]
    fine = sorted(coarse, key=lambda m: abs(m[0]) + abs(m[1]))
    for y, x in fine:
        cost = _misfit(a, b, keep, y, x, stride)
        if cost < best - 0.02:
            best, move = cost, (y, x)
    if stride > 1:
        around = [(move[0] + y, move[1] + x) for y in (-2, -1, 0, 1, 2) for x in (-2, -1, 0, 1, 2)]
        best = _misfit(a, b, keep, *move, 1)
        for y, x in around:
            if y in span and x in span and (cost := _misfit(a, b, keep, y, x, 1)) < best - 0.02:
                best, move = cost, (y, x)
    return move


def _misfit(a: np.ndarray, b: np.ndarray, keep: np.ndarray, y: int, x: int, stride: int) -> float:
    """Mean distance of grey levels when `a` is moved by (y, x), where both are there."""
    n = len(a)
    there = (slice(max(y, 0), n + min(y, 0), stride), slice(max(x, 0), n + min(x, 0), stride))
    here = (slice(max(-y, 0), n - max(y, 0), stride), slice(max(-x, 0), n - max(x, 0), stride))
    weight = keep[there]
    total = weight.sum()
    return float((np.abs(a[here] - b[there]) * weight).sum() / total) if total else np.inf


def _moved(frame: np.ndarray, dy: int, dx: int) -> np.ndarray:
    """`frame` moved down and right; what comes in repeats the border."""
    n = len(frame)
    rows = np.clip(np.arange(n) - dy, 0, n - 1)
    columns = np.clip(np.arange(n) - dx, 0, n - 1)
    return frame[rows][:, columns]


def _cast(frame: np.ndarray, first: np.ndarray, keep: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Gain and offset `(3,)` a channel that bring `frame` to `first`, by least squares."""
    gains, offsets = np.ones(3, np.float32), np.zeros(3, np.float32)
    for c in range(3):
        x, y = frame[keep][:, c].astype(np.float32), first[keep][:, c].astype(np.float32)
        near = np.abs(x - y) < 60
        if near.sum() < 20:
            continue
        x, y = x[near], y[near]
        spread = x.var()
        gain = ((x - x.mean()) * (y - y.mean())).mean() / spread if spread > 25 else 1.0
        offset = y.mean() - gain * x.mean()
        if 0.85 <= gain <= 1.18 and abs(offset) <= 40:
            gains[c], offsets[c] = gain, offset
    return gains, offsets


def softened(frame: np.ndarray, first: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """`first` as soft as `frame` is: blurred where that fits much better outside the region.

    Codecs and resizing take contrast from thin lines; what all of a clip lacks alike is no change.
    """
    grey = frame.astype(np.float32).mean(-1)
    sharp = first.astype(np.float32)
    unit = len(first) / 64

    def misfit(picture: np.ndarray) -> float:
        return float((np.abs(picture.mean(-1) - grey) * keep).sum())

    best, out = 0.8 * misfit(sharp), first
    if best < 0.2 * keep.sum():
        return first
    for sigma in BLURS:
        soft = ndimage.gaussian_filter(sharp, (sigma * unit, sigma * unit, 0), mode="nearest")
        if (cost := misfit(soft)) < best:
            best, out = cost, soft.round().astype(np.uint8)
    return out


def changes(frames: np.ndarray, first: np.ndarray, keep: np.ndarray) -> np.ndarray:
    """Where frames differ from the first one, bool `(n, s, s)`, False outside `keep`.

    A pixel has changed when its lightness, or its colour seen a little blurred, lies outside what
    the other picture shows within reach (a pixel of 64 for lightness, two for colour), by more than
    `TOLERANCE` or `TINT` levels, in either direction: so a line may wobble by a pixel, but neither
    vanish nor appear.
    """
    unit = max(round(len(first) / 64), 1)
    # Only where there is any difference at all need the costly comparison be made.
    rough = np.abs(frames.astype(np.int16) - first.astype(np.int16)).max(-1) > TINT / 2
    busy = (rough & keep).any((1, 2))
    out = np.zeros(frames.shape[:3], bool)
    if not busy.any():
        return out
    a, b = _opponent(frames[busy], unit), _opponent(first[None], unit)
    differ = np.zeros(a.shape[:3], bool)
    for channels, reach, limit in ((slice(0, 1), 1, TOLERANCE), (slice(1, 3), 2, TINT)):
        x, y, window = a[..., channels], b[..., channels], 2 * reach * unit + 1
        differ |= _outside(x, y, window, limit) | _outside(y, x, window, limit)
    out[busy] = differ & keep
    return out


def _opponent(frames: np.ndarray, unit: int) -> np.ndarray:
    """Lightness and two blurred colour differences (JPEG's YCbCr), int16 `(n, s, s, 3)`."""
    rgb = frames.astype(np.float32)
    light = rgb @ np.array([0.299, 0.587, 0.114], np.float32)
    colour = np.stack([(rgb[..., 2] - light) * 0.564, (rgb[..., 0] - light) * 0.713], -1)
    for axis in (1, 2):
        colour = ndimage.uniform_filter1d(colour, 2 * unit + 1, axis, mode="nearest")
    return np.concatenate([light[..., None], colour], -1).round().astype(np.int16)


def _outside(x: np.ndarray, y: np.ndarray, window: int, limit: int) -> np.ndarray:
    """Where `x` leaves the span of `y` within the window by more than `limit`, in any channel."""
    size = (1, window, window, 1)
    low, high = ndimage.minimum_filter(y, size), ndimage.maximum_filter(y, size)
    return np.any((x < low - limit) | (x > high + limit), -1)
