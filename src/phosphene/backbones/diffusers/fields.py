"""The words pipelines use: `Request` field -> the names it goes by in a pipeline's call."""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from inspect import Parameter

from phosphene.backbones.diffusers.code import function

# In order of preference: the first name that the call has is taken.
NAMES: dict[str, tuple[str, ...]] = {
    "prompt": ("prompt",),
    "negative": ("negative_prompt",),
    "first_frame": (
        *("image", "first_frame", "first_image", "input_image", "images", "input_images"),
        *("cond_image", "reference_image", "ref_image", "control_image"),
    ),
    "last_frame": ("last_image", "last_frame", "end_image", "end_frame", "tail_image"),
    "width": ("width",),
    "height": ("height",),
    "frames": ("num_frames", "video_length", "frames", "n_frames"),
    "fps": ("frame_rate", "fps", "target_fps"),
    "duration": (
        *("audio_length_in_s", "audio_end_in_s", "audio_duration", "audio_duration_s"),
        *("duration", "duration_s", "seconds"),
    ),
    "steps": ("num_inference_steps", "num_steps", "steps"),
    "guidance": ("guidance_scale", "true_cfg_scale", "max_guidance_scale", "cfg_scale"),
}

# Given by this adapter in every call, or meaningless across one: not for `Request.extra`.
_OURS = {
    *("self", "args", "kwargs", "generator", "output_type", "return_dict", "batch_size", "seed"),
    *("callback", "callback_steps", "callback_on_step_end"),
    *("callback_on_step_end_tensor_inputs",),
    *("num_images_per_prompt", "num_videos_per_prompt", "num_waveforms_per_prompt"),
    *("prior_callback_on_step_end", "prior_callback_on_step_end_tensor_inputs"),
}
_TENSORS = re.compile(r"latents|embeds|embeddings|attention_mask|_mask_\d|embeds_mask")
_MEDIA = re.compile(r"image|picture|mask|video|audio|frame")
_NOT_MEDIA = re.compile(
    r"latents|embed|attention|num_|strength|scale|frames?_?(rate|index)|fps|length|duration|_in_s"
    r"|guidance|seconds|size|noise|height|width|token|resolution"
)
PICTURES = ("frames", "videos", "video", "images", "image", "rgb", "prediction")
SOUNDS = ("audios", "audio", "sound", "sounds", "waveforms", "waveform")


def mapped(parameters: Mapping[str, Parameter]) -> dict[str, str]:
    """`Request` field -> parameter name, for the fields that this call can take."""
    found = {}
    for name, words in NAMES.items():
        word = next((w for w in words if w in parameters), None)
        if word is not None:
            found[name] = word
    if found.get("frames") == "frames" and not isinstance(parameters["frames"].default, int):
        del found["frames"]  # `frames` that isn't a count is a list of pictures
    guided = parameters.get("guidance_scale")
    if guided is not None and guided.default is None and "true_cfg_scale" in parameters:
        # A call with both whose first defaults to None is guided by the second.
        found["guidance"] = "true_cfg_scale"
    return found


def extra(parameters: Mapping[str, Parameter], taken: set[str]) -> frozenset[str]:
    """The other arguments that a value from text can be given for."""
    return frozenset(
        name
        for name, p in parameters.items()
        if name not in _OURS | taken
        and not _TENSORS.search(name)
        and p.kind not in (Parameter.VAR_KEYWORD, Parameter.VAR_POSITIONAL)
    )


def is_media(name: str) -> bool:
    """Does an argument of this name carry pictures, video or sound?"""
    return bool(_MEDIA.search(name)) and not _NOT_MEDIA.search(name)


def output_fields(cls: type) -> tuple[str, ...]:
    """The fields of what the pipeline returns, read from its return statements."""
    names: list[str] = []
    for base in cls.__mro__:
        tree = function(base, "__call__") if "__call__" in vars(base) else None
        for node in ast.walk(tree) if tree is not None else ():
            if not (isinstance(node, ast.Return) and isinstance(node.value, ast.Call)):
                continue
            names += [k.arg for k in node.value.keywords if k.arg is not None]
            names += _declared(node.value, base) if node.value.args else []
        if any(n in PICTURES + SOUNDS for n in names):
            break
    return tuple(dict.fromkeys(names))


def _declared(call: ast.Call, cls: type) -> list[str]:
    name = call.func.id if isinstance(call.func, ast.Name) else ""
    found = getattr(sys.modules.get(cls.__module__), name, None)
    if isinstance(found, type) and is_dataclass(found):
        return [f.name for f in fields(found)][: len(call.args)]
    return []
