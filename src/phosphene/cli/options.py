"""What `phosphene generate` can be told, by flag or by config file: one definition for both."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from cyclopts import Group, Parameter

from phosphene.cli.loading import Loading
from phosphene.cli.values import parse_fps, parse_size
from phosphene.errors import PhospheneError

if TYPE_CHECKING:
    from phosphene.request import Request

SAMPLE = Parameter(group=Group("What to make", sort_key=1))
_RUN = Parameter(group=Group("Where it goes", sort_key=3))


@dataclass(frozen=True)
class GenerateOptions(Loading):
    """Flags of `phosphene generate`; None is a flag that was not given.

    Args:
        backbone: a name of `phosphene ls backbones`, a directory or a hub id; ember if not given.
        prompts: a text file with one prompt a line, added to those given.
        negative: what to stay away from.
        first_frame: picture the video starts from, or the picture to edit.
        last_frame: picture the video ends on.
        frames: number of frames.
        size: picture size in pixels, WIDTHxHEIGHT, e.g. 832x480.
        fps: frames a second: 24, 23.976 or 24000/1001.
        duration: seconds of sound, for sound-only backbones.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        seed: sample i depends on (seed, i) alone.
        count: samples of each prompt.
        set: further arguments of the backbone's own call; as a flag, KEY=VALUE.
        out: run directory, which the same command finishes; under runs/ if not given.
        batch: samples computed together, at most.
        lossless: write FFV1 and FLAC in mkv, bit-exact, instead of mp4.
        quiet: no progress.
        json: one JSON object on stdout and nothing else.
    """

    # Numbers in YAML such as `fps: 23.976` mean what they say as text.
    __pydantic_config__: ClassVar[Any] = {"coerce_numbers_to_str": True}

    prompt: Annotated[tuple[str, ...] | None, Parameter(show=False)] = None
    backbone: Annotated[str | None, SAMPLE] = None
    prompts: Annotated[Path | None, SAMPLE] = None
    negative: Annotated[str | None, SAMPLE] = None
    first_frame: Annotated[Path | None, SAMPLE] = None
    last_frame: Annotated[Path | None, SAMPLE] = None
    frames: Annotated[int | None, SAMPLE] = None
    size: Annotated[str | None, SAMPLE] = None
    fps: Annotated[str | None, SAMPLE] = None
    duration: Annotated[float | None, SAMPLE] = None
    steps: Annotated[int | None, SAMPLE] = None
    guidance: Annotated[float | None, SAMPLE] = None
    seed: Annotated[int | None, SAMPLE] = None
    count: Annotated[int | None, SAMPLE] = None
    set: Annotated[Mapping[str, Any] | None, Parameter(parse=False)] = None
    out: Annotated[Path | None, _RUN] = None
    batch: Annotated[int | None, _RUN] = None
    lossless: Annotated[bool | None, _RUN] = None
    quiet: Annotated[bool | None, _RUN] = None
    json: Annotated[bool | None, _RUN] = None

    @classmethod
    def read(cls, path: Path) -> GenerateOptions:
        """The options a YAML file states; keys are the flags' names, `prompt` the positional ones.

        Raises:
            PhospheneError: unreadable file, unknown key or wrong type; names the file and the key.
        """
        from phosphene.config import build, read_yaml

        content = read_yaml(path)
        for key in ("prompt", "lora"):
            if isinstance(content.get(key), str):
                content[key] = (content[key],)
        return build(cls, content, str(path))

    def over(self, base: GenerateOptions) -> GenerateOptions:
        """These options where given, else those of `base`; `set` is merged key by key."""
        given = {k: v for k, v in vars(self).items() if v is not None}
        if self.set and base.set:
            given["set"] = {**base.set, **self.set}
        return dataclasses.replace(base, **given)

    def requests(self) -> list[Request]:
        """`count` requests for each prompt, prompt by prompt; indices count over all of them.

        Raises:
            PhospheneError: a value out of range, or an unreadable picture or prompt file.
        """
        from phosphene.media import load_image
        from phosphene.request import Request

        for name in ("count", "batch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise PhospheneError(f"{name} must be at least 1; got {value}")
        width, height = parse_size(self.size) if self.size is not None else (None, None)
        asked: dict[str, Any] = {
            "negative": self.negative,
            "first_frame": load_image(self.first_frame) if self.first_frame else None,
            "last_frame": load_image(self.last_frame) if self.last_frame else None,
            "width": width,
            "height": height,
            "frames": self.frames,
            "fps": parse_fps(self.fps) if self.fps is not None else None,
            "duration": self.duration,
            "steps": self.steps,
            "guidance": self.guidance,
            "seed": self.seed or 0,
            "extra": self.set or {},
        }
        each = [prompt for prompt in self._prompts() for _ in range(self.count or 1)]
        return [Request(prompt=prompt, index=i, **asked) for i, prompt in enumerate(each)]

    def _prompts(self) -> list[str]:
        found = list(self.prompt or ())
        if self.prompts is not None:
            try:
                lines = self.prompts.read_text(encoding="utf-8").splitlines()
            except (OSError, UnicodeDecodeError) as error:
                reason = getattr(error, "strerror", None) or "not UTF-8 text"
                raise PhospheneError(f"can't read prompts from {self.prompts}: {reason}") from error
            found += [line.strip() for line in lines if line.strip()]
            if not found:
                raise PhospheneError(f"{self.prompts} holds no prompt; write one a line")
        return found or [""]
