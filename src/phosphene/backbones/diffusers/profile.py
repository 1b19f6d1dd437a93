"""Profile: everything known about a pipeline before its weights are read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from typing import Any

from phosphene.backbone import BackboneSpec, Capabilities
from phosphene.backbones.diffusers import code, fields, needs
from phosphene.backbones.diffusers.source import Source
from phosphene.errors import PhospheneError

_FPS = 8  # export helpers' habit, for classes whose own example names no other
_SOUND_PARTS = re.compile(r"audio|sound|vocoder")
_DENOISERS = ("transformer", "unet", "denoiser", "dit", "prior", "decoder", "transformer_2")


@dataclass(frozen=True)
class Profile:
    """What a pipeline takes, makes and needs.

    Args:
        cls: the pipeline class.
        source: where its configurations came from.
        skeleton: the pipeline without weights, None where it can't be built.
    """

    cls: type
    source: Source
    skeleton: Any | None

    @cached_property
    def parameters(self) -> Mapping[str, inspect.Parameter]:
        found = dict(inspect.signature(self.cls.__call__).parameters)
        found.pop("self", None)
        return found

    @cached_property
    def names(self) -> dict[str, str]:
        """`Request` field -> the call's argument."""
        found = fields.mapped(self.parameters)
        if self._pictures_read == 1:
            found.pop("last_frame", None)
        return found

    @cached_property
    def _pictures_read(self) -> int | None:
        """How many pictures' tokens the denoiser has places for; None if it isn't fixed."""
        config = getattr(getattr(self.skeleton, "transformer", None), "config", {})
        if config.get("image_dim") is None or "pos_embed_seq_len" not in config:
            return None
        return 1 if config["pos_embed_seq_len"] is None else 2

    @cached_property
    def produces(self) -> frozenset[str]:
        """Kinds of stream, of `image`, `video`, `audio`.

        Raises:
            PhospheneError: what it returns is neither pictures nor sound.
        """
        found = fields.output_fields(self.cls)
        kinds = set()
        if any(f in fields.PICTURES for f in found):
            moving = "frames" in self.names or any(f.startswith(("frame", "video")) for f in found)
            kinds.add("video" if moving else "image")
        if any(f in fields.SOUNDS for f in found) and (not kinds or self._has_sound):
            kinds.add("audio")
        if not kinds:
            raise PhospheneError(
                f"{self.cls.__name__} returns {', '.join(found) or 'nothing known'}, neither "
                f"pictures nor sound; choose the pipeline that decodes it"
            )
        return frozenset(kinds)

    @property
    def labels_fps(self) -> bool:
        """May a frame rate that the call doesn't take be written on the frames all the same?

        Not where sound comes with them: the two would no longer last equally long.
        """
        return "video" in self.produces and "audio" not in self.produces

    @property
    def _has_sound(self) -> bool:
        methods = [n for n in dir(self.cls) if n.startswith("prepare_")]
        return any(_SOUND_PARTS.search(name) for name in [*self.source.components, *methods])

    @cached_property
    def multiple(self) -> int:
        """Width and height are whole multiples of this."""
        if "height" not in self.names or self.skeleton is None:
            return 1
        return code.size_multiple(self.cls, self.skeleton)

    @cached_property
    def frame_rule(self) -> code.FrameRule | None:
        name = self.names.get("frames")
        if name is None or self.skeleton is None:
            return None
        return code.frame_rule(self.cls, self.skeleton, name, self.defaults.get("frames"))

    @cached_property
    def defaults(self) -> dict[str, Any]:
        """`Request` field -> what the pipeline uses when it is None, where that is known."""
        found: dict[str, Any] = {}
        for field, name in self.names.items():
            value = self.parameters[name].default
            if value is None and field in ("width", "height", "frames", "steps", "guidance"):
                value = code.default_of(self.cls, self.skeleton, name)
            if isinstance(value, int | float | str) and not isinstance(value, bool):
                found[field] = value
        if "video" in self.produces:
            found["fps"] = self._fps(found.get("fps"))
        return found

    def _fps(self, default: Any) -> Fraction:
        if isinstance(default, int | float) and default > 0:
            return Fraction(default).limit_denominator(1001)
        shown = re.search(r"fps\s*=\s*(\d+(?:\.\d+)?)", self.cls.__call__.__doc__ or "")
        return Fraction(shown.group(1)) if shown else Fraction(_FPS)

    @cached_property
    def needed(self) -> frozenset[str]:
        """Arguments without which the call fails: pictures, video or sound, and those undefaulted.

        A prompt isn't among them: the empty one is a prompt.
        """
        found = set()
        for name, parameter in self.parameters.items():
            if parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
                continue
            if parameter.default is parameter.empty or (
                parameter.default is None
                and fields.is_media(name)
                and needs.is_needed(self.cls, name)
            ):
                found.add(name)
        if self._pictures_read == 2 and "last_frame" in self.names:
            found.add(self.names["last_frame"])
        return frozenset(found - {"prompt"})

    @cached_property
    def denoiser(self) -> str | None:
        """The name of the component that does the denoising."""
        parts = self.source.components
        return next((name for name in _DENOISERS if name in parts), None)

    def capabilities(self, spec: BackboneSpec) -> Capabilities:
        accepts = set(self.names) | {"seed", "index", "noise", "steering"}
        if self.labels_fps:
            accepts.add("fps")
        by_name = {name: field for field, name in self.names.items()}
        return Capabilities(
            produces=self.produces,
            accepts=frozenset(accepts),
            requires=frozenset(by_name[n] for n in self.needed if n in by_name),
            extra=fields.extra(self.parameters, set(self.names.values())),
            defaults=self.defaults,
            options=self._options(),
            notes=self._notes(),
        )

    def _options(self) -> frozenset[str]:
        found = {"dtype", "device", "variant", "offload", "quantize", "allow_pickle"}
        found |= {"trust_remote_code"}
        if self.source.commit is not None:
            found.add("revision")
        if self.denoiser is not None:
            found.add("compile")
        if hasattr(self.cls, "load_lora_weights"):
            found.add("lora")
        if hasattr(getattr(self.skeleton, self.denoiser or "", None), "enable_cache"):
            found.add("cache")
        return frozenset(found)

    def _notes(self) -> tuple[str, ...]:
        notes = [f"{self.cls.__name__}: {', '.join(self.source.components)}"]
        if self.multiple > 1:
            notes.append(f"width and height are multiples of {self.multiple}")
        if self.frame_rule is not None:
            rule = self.frame_rule
            notes.append(f"frames are {rule.step}k{f'+{rule.offset}' if rule.offset else ''}")
        if self.labels_fps and "fps" not in self.names:
            notes.append("fps is not an argument of this pipeline: it labels the frames")
        if "first_frame" in self.names and self.names["first_frame"] != "image":
            notes.append(f"first_frame is given as {self.names['first_frame']}")
        by_hand = sorted(self.needed - set(self.names.values()))
        if by_hand:
            notes.append(f"also needs {', '.join(by_hand)}, as --set NAME=VALUE")
        if self.skeleton is None:
            notes.append("its size and frame rules are known only once it runs")
        return tuple(notes)

    @cached_property
    def parameters_count(self) -> dict[str, int]:
        """Component -> number of parameters, of those built in the skeleton."""
        import torch

        parts: dict[str, Any] = {n: getattr(self.skeleton, n, None) for n in self.source.components}
        return {
            name: sum(p.numel() for p in part.parameters())
            for name, part in parts.items()
            if isinstance(part, torch.nn.Module)
        }
