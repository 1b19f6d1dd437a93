"""Stage: square problems on the pictures that a generator makes, which may be oblong."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from phosphene.clip import Clip


def letterbox(picture: np.ndarray, width: int, height: int) -> np.ndarray:
    """A square picture uint8 `(s, s, 3)` in the middle of a wider or higher one, `(h, w, 3)`.

    It is scaled to the shorter side; the rest takes the median colour of its border.
    """
    from PIL import Image

    side = min(width, height)
    if len(picture) != side:
        image = Image.fromarray(picture).resize((side, side), Image.Resampling.BICUBIC)
        picture = np.asarray(image)
    border = np.concatenate([picture[0], picture[-1], picture[:, 0], picture[:, -1]])
    out = np.empty((height, width, 3), np.uint8)
    out[:] = np.median(border, 0).astype(np.uint8)
    top, left = (height - side) // 2, (width - side) // 2
    out[top : top + side, left : left + side] = picture
    return out


def unbox(clip: Clip, width: int, height: int) -> Clip:
    """The middle square of a clip that has the shape of `width` x `height` to within 3 %.

    Clips of another shape come back as they are: the scorer says what is wrong with them.
    """
    if clip.frames is None or width == height:
        return clip
    h, w = clip.frames.shape[1:3]
    if abs(w / h - width / height) > 0.03 * width / height:
        return clip
    side = min(h, w)
    top, left = (h - side) // 2, (w - side) // 2
    frames = clip.frames[:, top : top + side, left : left + side]
    return replace(clip, frames=np.ascontiguousarray(frames))
