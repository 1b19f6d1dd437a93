"""Refusals: what a pipeline can't honour, by name, before its weights are read."""

from __future__ import annotations

import inspect
import linecache
import math
from collections.abc import Collection
from dataclasses import fields as dataclass_fields
from typing import Any

from phosphene import steer
from phosphene.backbones.diffusers import fields
from phosphene.backbones.diffusers.call import Manner, arguments
from phosphene.backbones.diffusers.profile import Profile
from phosphene.errors import PhospheneError, unknown
from phosphene.request import Request

_ALWAYS = {"seed", "index", "extra", "noise", "steering"}


def check(
    profile: Profile, request: Request, dry_run: bool = True, adapters: Collection[str] = ()
) -> None:
    """Raise for the first thing in `request` that this pipeline can't honour.

    Args:
        dry_run: let the pipeline check its inputs too; once is enough for requests of one shape.
        adapters: names of the LoRA weights that will be loaded.

    Raises:
        PhospheneError: names the field, the value and the mend.
    """
    _check_fields(profile, request)
    _check_extra(profile, request)
    _check_noise(profile, request)
    steer.check(request.steering, profile.cls, adapters)
    _check_needed(profile, request)
    _check_size(profile, request)
    _check_frames(profile, request)
    _check_negative(profile, request)
    _check_strength(profile, request)
    if dry_run:
        _dry_run(profile, request)


def _check_fields(profile: Profile, request: Request) -> None:
    kind = profile.cls.__name__
    for f in dataclass_fields(request):
        value = getattr(request, f.name)
        if f.name in _ALWAYS or value is None or (f.name == "prompt" and value == ""):
            continue
        if f.name in profile.names or (f.name == "fps" and profile.labels_fps):
            continue
        if f.name == "frames" and value == 1 and "image" in profile.produces:
            continue
        made = " and ".join(sorted(profile.produces))
        shown = str(value) if f.name == "fps" else repr(value)
        shown = "a picture" if f.name.endswith("_frame") else shown
        raise PhospheneError(
            f"{f.name} ({shown}) can't be honoured: {kind} makes {made} and takes "
            f"{', '.join(sorted(profile.names))}; leave {f.name} out"
        )


def _check_extra(profile: Profile, request: Request) -> None:
    known = fields.extra(profile.parameters, set(profile.names.values()))
    by_name = {name: field for field, name in profile.names.items()}
    for name, value in request.extra.items():
        if name in known:
            continue
        if name in by_name:
            field = by_name[name]
            raise PhospheneError(f"extra {name}={value!r} is the request's {field}: give {field}")
        raise unknown(f"argument of {profile.cls.__name__}", name, known)


def _check_noise(profile: Profile, request: Request) -> None:
    streams = {"audio" if kind == "audio" else "video" for kind in profile.produces}
    other = sorted(set(request.noise) - streams)
    if other:
        raise PhospheneError(
            f"noise for the stream {other[0]!r} can't be honoured: {profile.cls.__name__} draws "
            f"{' and '.join(sorted(streams))}"
        )


def _check_needed(profile: Profile, request: Request) -> None:
    given = {profile.names[f] for f in profile.names if getattr(request, f) is not None}
    given |= set(request.extra)
    by_name = {name: field for field, name in profile.names.items()}
    allowed = fields.extra(profile.parameters, set())
    for name in sorted(profile.needed - given):
        kind = profile.cls.__name__
        if name in by_name:
            field = by_name[name]
            raise PhospheneError(f"{field} is missing: {kind} can't do without it (as its {name})")
        if name not in allowed:
            raise PhospheneError(
                f"{kind} can't be driven by a request: it needs {name}, a tensor from another "
                f"pipeline; use the pipeline that combines both"
            )
        value = "FILE" if fields.is_media(name) else "VALUE"
        raise PhospheneError(f"{name} is missing: {kind} needs it; give it as --set {name}={value}")


def _check_size(profile: Profile, request: Request) -> None:
    unit = profile.multiple
    sides = {name: getattr(request, name) for name in ("width", "height")}
    if not any(value is not None and value % unit for value in sides.values()):
        return
    near = {n: v if v is None else max(unit, round(v / unit) * unit) for n, v in sides.items()}
    asked, valid = _sides(sides), _sides(near)
    raise PhospheneError(
        f"size {asked} can't be honoured: {profile.cls.__name__} with these weights needs "
        f"multiples of {unit}; the nearest is {valid}"
    )


def _sides(sides: dict[str, int | None]) -> str:
    if None not in sides.values():
        return f"{sides['width']}x{sides['height']}"
    return ", ".join(f"{name} {value}" for name, value in sides.items() if value is not None)


def _check_frames(profile: Profile, request: Request) -> None:
    rule = profile.frame_rule
    if rule is None or request.frames is None:
        return
    near = rule.nearest(request.frames)
    if near != [request.frames]:
        form = f"{rule.step}k{f'+{rule.offset}' if rule.offset else ''}"
        raise PhospheneError(
            f"frames {request.frames} can't be honoured: {profile.cls.__name__} makes {form}; the "
            f"nearest are {' and '.join(map(str, near))}"
        )


def _check_negative(profile: Profile, request: Request) -> None:
    """A negative prompt that nothing would read is refused, not ignored."""
    if not request.negative:
        return
    parameters = profile.parameters
    true_cfg = parameters.get("true_cfg_scale")
    name = "guidance" if true_cfg is None else "true_cfg_scale"
    if profile.names.get("guidance") in ("true_cfg_scale", "guidance_scale") and true_cfg is None:
        scale = request.guidance
        scale = profile.defaults.get("guidance") if scale is None else scale
    elif true_cfg is not None and profile.names.get("guidance") != "true_cfg_scale":
        scale = request.extra.get("true_cfg_scale", true_cfg.default)
    else:
        scale = profile.defaults.get("guidance") if request.guidance is None else request.guidance
        name = "guidance"
    if isinstance(scale, int | float) and scale <= 1:
        how = "--set true_cfg_scale=4" if name == "true_cfg_scale" else "--guidance 4"
        raise PhospheneError(
            f"negative ({request.negative!r}) would not be read: {profile.cls.__name__} has {name} "
            f"{scale:g} here, and it takes more than 1; add {how}"
        )


def _check_strength(profile: Profile, request: Request) -> None:
    """A picture that is only partly redrawn takes that part of the steps: one at the least."""
    parameter = profile.parameters.get("strength")
    steps = request.steps if request.steps is not None else profile.defaults.get("steps")
    if parameter is None or request.first_frame is None or not isinstance(steps, int):
        return
    strength = request.extra.get("strength", parameter.default)
    if isinstance(strength, int | float) and strength > 0 and int(steps * strength) < 1:
        raise PhospheneError(
            f"steps {steps} can't be honoured: at strength {strength:g} none are left; ask for "
            f"{math.ceil(1 / strength)} or more, or give --set strength=1"
        )


def _dry_run(profile: Profile, request: Request) -> None:
    """Let the pipeline check its inputs itself, on the skeleton."""
    method = getattr(profile.skeleton, "check_inputs", None)
    if method is None:
        return
    given = arguments(profile, [request], Manner())
    values: dict[str, Any] = {}
    for name, parameter in inspect.signature(method).parameters.items():
        if name in given:
            values[name] = given[name]
        elif name in profile.parameters:
            field = next((f for f, n in profile.names.items() if n == name), None)
            default = profile.parameters[name].default
            values[name] = profile.defaults.get(str(field)) if default is None else default
        elif parameter.default is parameter.empty:
            values[name] = None
    try:
        method(**values)
    except (ValueError, TypeError) as error:
        if _is_deliberate(error):
            words = " ".join(str(error).split())
            raise PhospheneError(f"{profile.cls.__name__} refuses: {words}") from error
    except Exception:  # the skeleton has no tokenizers or encoders to check with
        return


def _is_deliberate(error: BaseException) -> bool:
    """Was it raised by a `raise` of the pipeline's checks, not by something it stumbled over?"""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    if trace is None:
        return False
    code = trace.tb_frame.f_code
    line = linecache.getline(code.co_filename, trace.tb_lineno)
    return "check" in code.co_name and line.lstrip().startswith("raise")
