"""Call: requests as the keyword arguments of a pipeline's call."""

from __future__ import annotations

import json
import numbers
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import steer
from phosphene.backbones.diffusers import fields
from phosphene.backbones.diffusers.profile import Profile
from phosphene.errors import PhospheneError
from phosphene.request import Request

# A pipeline made for certain sizes snaps to them unless told not to: size asked is size meant.
_SNAPPING = ("_auto_resize", "use_resolution_binning")
_BINNED = (16, 32, 64, 128, 256)  # latent sizes for which snapping pipelines hold a table
_SOUND_SWITCHES = ("enable_sound", "sample_audio", "generate_audio", "with_audio")


@dataclass(frozen=True)
class Manner:
    """How a batch's pictures and generators are handed over.

    Args:
        pictures: `one` (a picture for all samples), `list` (a list of pictures) or `tensor` (a
            float tensor `(b 3 h w)` in 0..1).
        joint: one generator that stands for the batch, in place of a list of generators.
    """

    pictures: str = "one"
    joint: bool = False


def arguments(profile: Profile, requests: Sequence[Request], manner: Manner) -> dict[str, Any]:
    """The call's keyword arguments for requests that are alike, without its generator."""
    first, names, out = requests[0], profile.names, _extra(profile, requests)
    count = len(requests)
    if "prompt" in names:
        out["prompt"] = first.prompt if count == 1 else [r.prompt for r in requests]
    if first.negative is not None:
        out[names["negative"]] = first.negative if count == 1 else [r.negative for r in requests]
    elif first.guidance is not None and names.get("guidance") == "true_cfg_scale":
        # This guidance is only switched on by a negative prompt, be it an empty one.
        out[names["negative"]] = "" if count == 1 else [""] * count
    for field in ("first_frame", "last_frame"):
        if getattr(first, field) is not None:
            out[names[field]] = _pictures([getattr(r, field) for r in requests], manner)
    for field in ("width", "height", "frames", "duration", "steps", "guidance"):
        value = getattr(first, field)
        if value is not None and field in names:
            out[names[field]] = value
    if first.fps is not None and "fps" in names:
        whole = isinstance(profile.parameters[names["fps"]].default, int)
        out[names["fps"]] = round(first.fps) if whole else float(first.fps)
    for name, value in _companions(profile, first, count).items():
        out.setdefault(name, value)
    return out


def _companions(profile: Profile, request: Request, count: int) -> dict[str, Any]:
    """Arguments that follow from the others."""
    parameters, out = profile.parameters, {}
    if "output_type" in parameters:
        out["output_type"] = "np"  # floats, so that a failed sample shows as NaN
    if "batch_size" in parameters and "prompt" not in parameters:
        out["batch_size"] = count
    if request.width is not None and request.height is not None:
        out |= {name: False for name in _SNAPPING if name in parameters}
        if "max_area" in parameters:
            out["max_area"] = request.width * request.height
    elif "use_resolution_binning" in parameters and not _has_bins(profile):
        out["use_resolution_binning"] = False
    low = parameters.get("min_guidance_scale")
    if low is not None and request.guidance is not None:
        out["min_guidance_scale"] = min(low.default, request.guidance)
    if "audio" in profile.produces:
        out |= {name: True for name in _SOUND_SWITCHES if name in parameters}
    return out


def _has_bins(profile: Profile) -> bool:
    config = getattr(getattr(profile.skeleton, "transformer", None), "config", None)
    return getattr(config, "sample_size", None) in _BINNED


def _pictures(arrays: Sequence[np.ndarray], manner: Manner) -> Any:
    from PIL import Image

    if manner.pictures == "tensor":
        import torch

        batch = torch.from_numpy(np.stack(arrays)).permute(0, 3, 1, 2)
        return batch.to(torch.float32) / 255.0
    if manner.pictures == "one":
        return Image.fromarray(arrays[0])
    return [Image.fromarray(a) for a in arrays]


def _extra(profile: Profile, requests: Sequence[Request]) -> dict[str, Any]:
    out = {}
    for name, value in requests[0].extra.items():
        if fields.is_media(name) and isinstance(value, str):
            value = read_media(name, value)
        if name in profile.needed and isinstance(value, numbers.Integral):
            # What a call without a prompt is told per sample: a class label.
            value = [value] * len(requests)
        out[name] = value
    return out


def read_media(name: str, path: str) -> Any:
    """The picture, frames or sound in a file, as a pipeline takes it.

    Raises:
        PhospheneError: no such file, or it doesn't hold what the argument is for.
    """
    from PIL import Image

    from phosphene import media

    if not Path(path).expanduser().is_file():
        raise PhospheneError(f"{name}: no file {path!r}; give the path of a picture, video or wav")
    if "audio" in name:
        import torch

        sound = media.load(Path(path).expanduser()).audio
        if sound is None:
            raise PhospheneError(f"{name}: {path!r} holds no sound")
        return torch.from_numpy(sound)
    if "video" in name or "frames" in name:
        frames = media.load(Path(path).expanduser()).frames
        if frames is None:
            raise PhospheneError(f"{name}: {path!r} holds no pictures")
        return [Image.fromarray(f) for f in frames]
    return Image.fromarray(media.load_image(Path(path).expanduser()))


def shape(request: Request) -> tuple:
    """What must be equal for two requests to share a call; hashable."""
    pictures = [
        None if image is None else image.shape
        for image in (request.first_frame, request.last_frame)
    ]
    return (
        request.negative is None,
        *pictures,
        *(request.width, request.height, request.frames, request.fps, request.duration),
        *(request.steps, request.guidance),
        json.dumps(dict(request.extra), sort_keys=True, default=str),
        *steer.shape(request.steering),
    )
