"""Output: whatever a pipeline returns, as one `Clip` a sample."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from fractions import Fraction
from typing import Any

import numpy as np

from phosphene.backbones.diffusers.fields import PICTURES, SOUNDS
from phosphene.clip import Clip
from phosphene.errors import PhospheneError

_CHANNELS = (3, 1, 4)


class Misfit(PhospheneError):
    """What was returned can't be shared out among the samples asked for."""


def clips(
    output: Any,
    count: int,
    produces: frozenset[str],
    fps: Fraction,
    rate: int | None,
    size: tuple[int, int] | None,
) -> list[Clip]:
    """Split what a call returned into `count` clips.

    Args:
        output: the pipeline's output object, or a mapping of its fields.
        produces: the kinds of stream to take out of it, of `image`, `video`, `audio`.
        fps: what the frames are labelled with.
        rate: sound samples a second (Hz); the output's own `sampling_rate` goes before it.
        size: the (width, height) that was asked for, which tells axes apart; None if not known.

    Raises:
        PhospheneError: NaN or infinite values, a blanked picture, or a layout that isn't known.
    """
    fields = dict(output) if isinstance(output, Mapping) else dict(vars(output))
    _refuse_blanked(fields)
    pictures, sounds = _first(fields, PICTURES), _first(fields, SOUNDS)
    frames: list[Any] = [None] * count
    audio: list[Any] = [None] * count
    if pictures is not None and produces & {"image", "video"}:
        frames = _split_pictures(pictures, count, "video" in produces, size)
    if sounds is not None and "audio" in produces:
        audio = _split_sounds(sounds, count)
        found = fields.get("sampling_rate")
        rate = int(found) if found is not None else rate
        if rate is None:
            raise PhospheneError("the pipeline returned sound but its sample rate isn't known")
    if all(f is None for f in frames) and all(a is None for a in audio):
        raise PhospheneError(f"the pipeline returned {', '.join(fields)}, nothing to see or hear")
    return [
        Clip(f, fps, a, rate if a is not None else None) for f, a in zip(frames, audio, strict=True)
    ]


def _first(fields: Mapping[str, Any], names: Sequence[str]) -> Any:
    return next((fields[n] for n in names if fields.get(n) is not None), None)


def _refuse_blanked(fields: Mapping[str, Any]) -> None:
    flags = fields.get("nsfw_content_detected")
    if isinstance(flags, list) and any(f is True or f == [True] for f in flags):
        raise PhospheneError(
            "the pipeline's safety checker blanked the picture; try another seed or prompt"
        )


def _array(value: Any) -> np.ndarray:
    """Tensors, PIL pictures and arrays as numpy; half precision as float32."""
    if hasattr(value, "detach"):
        value = value.detach().cpu()
        return (value.float() if value.is_floating_point() else value).numpy()
    if hasattr(value, "convert") and hasattr(value, "mode"):
        value = value.convert("RGB")
    return np.asarray(value)


def _split_pictures(
    value: Any, count: int, moving: bool, size: tuple[int, int] | None
) -> list[np.ndarray]:
    sample = 4 if moving else 3  # axes of one sample: (t h w c), (h w c)
    depth = _depth(value)
    if count == 1 and depth <= sample:
        return [_frames(_stack(value), size)]
    if len(value) == count and depth > sample:
        return [_frames(_stack(v), size) for v in value]
    shape = _stack(value).shape
    raise Misfit(f"the pipeline returned pictures of shape {shape} for {count} samples")


def _depth(value: Any) -> int:
    """Axes of a nested list of pictures, arrays or tensors."""
    if isinstance(value, list | tuple):
        return 1 + (_depth(value[0]) if value else 0)
    return int(getattr(value, "ndim", 3))


def _stack(value: Any) -> np.ndarray:
    if isinstance(value, list | tuple):
        parts = [_stack(v) for v in value]
        if len({p.shape for p in parts}) != 1:
            raise PhospheneError(f"frames of different sizes: {sorted({p.shape for p in parts})}")
        return np.stack(parts)
    return _array(value)


def _frames(array: np.ndarray, size: tuple[int, int] | None) -> np.ndarray:
    """One sample's pictures, `(h w)`, `(h w c)`, `(c h w)` or four axes, as uint8 `(t h w 3)`."""
    if array.ndim == 2:
        array = array[..., None]
    if array.ndim == 3:
        array = array[None]
    if array.ndim == 5 and len(array) == 1:
        array = array[0]
    if array.ndim != 4:
        raise PhospheneError(f"can't tell the frames in pictures of shape {array.shape}")
    array = np.moveaxis(array, _channel_axis(array.shape, size), -1)
    pixels = _to_bytes(array)
    return np.repeat(pixels, 3, axis=-1) if pixels.shape[-1] == 1 else pixels[..., :3].copy()


def _channel_axis(shape: tuple[int, ...], size: tuple[int, int] | None) -> int:
    """The axis that holds colours, out of the last, the second and the first."""
    axes = [a for a in (3, 1, 0) if shape[a] in _CHANNELS]
    if size is not None:
        fitting = [a for a in axes if _plane(shape, a) == (size[1], size[0])]
        axes = fitting or axes
    best = sorted(axes, key=lambda a: _CHANNELS.index(shape[a]))
    if not best:
        raise PhospheneError(f"can't tell the colours in pictures of shape {shape}")
    return best[0]


def _plane(shape: tuple[int, ...], channel: int) -> tuple[int, ...]:
    return tuple(n for a, n in enumerate(shape) if a != channel)[1:]


def _to_bytes(array: np.ndarray) -> np.ndarray:
    if array.dtype == np.uint8:
        return array
    if array.dtype.kind in "iu":
        return array.clip(0, 255).astype(np.uint8)
    if not np.isfinite(array).all():
        raise PhospheneError(
            "the pictures hold NaN or infinite values, so the sample failed; try dtype float32 or "
            "bfloat16, or a lower guidance"
        )
    low, high = float(array.min()), float(array.max())
    if high > 2.0:  # 0..255 as floats
        scaled = array
    elif low < -1e-3:  # -1..1
        scaled = (array + 1.0) * 127.5
    else:
        scaled = array * 255.0
    return np.round(scaled).clip(0, 255).astype(np.uint8)


def _split_sounds(value: Any, count: int) -> list[np.ndarray]:
    if isinstance(value, list | tuple) and len(value) == count:
        return [_sound(_array(v)) for v in value]
    array = _stack(value)
    if array.ndim == 3 and len(array) == count:
        return [_sound(a) for a in array]
    if array.ndim == 2 and len(array) == count and count > 1:
        return [_sound(a) for a in array]
    if count == 1:
        return [_sound(array)]
    raise Misfit(f"the pipeline returned sound of shape {array.shape} for {count} samples")


def _sound(array: np.ndarray) -> np.ndarray:
    """One sample's sound as float32 `(channels, samples)`; values beyond -1..1 are kept."""
    if array.ndim == 3 and len(array) == 1:
        array = array[0]
    if array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or 0 in array.shape:
        raise PhospheneError(f"can't tell the channels in sound of shape {array.shape}")
    if array.shape[0] > 8 >= array.shape[1]:  # samples first
        array = array.T
    if array.dtype.kind in "iu":
        array = array / float(np.iinfo(array.dtype).max)
    if not np.isfinite(array).all():
        raise PhospheneError(
            "the sound holds NaN or infinite values, so the sample failed; try dtype float32"
        )
    return np.ascontiguousarray(array, dtype=np.float32)
