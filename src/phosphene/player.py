"""Player: whoever a suite is given to. Backbones play as they are; these wrap everyone else."""

from __future__ import annotations

import abc
import hashlib
import inspect
from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from phosphene import media
from phosphene.backbone import Backbone, BackboneSpec, Capabilities
from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.registry import Registry
from phosphene.request import Request
from phosphene.run import file_digest
from phosphene.task import Canvas, Problem, Task

baselines = Registry("baseline", "phosphene.baselines")
MEDIA = (".mkv", ".mp4", ".webm", ".mov", ".gif", ".png", ".jpg", ".jpeg", ".webp")


class _Player(Backbone):
    """What all of them share: anything may be asked, nothing is loaded, samples come singly."""

    def __init__(self, name: str) -> None:
        self.spec = BackboneSpec(name)

    @property
    def id(self) -> str:
        return self.spec.id

    @property
    def capabilities(self) -> Capabilities:
        asked = {"prompt", "first_frame", "width", "height", "frames", "fps", "seed", "index"}
        return Capabilities(frozenset({"video", "audio"}), frozenset(asked))

    def check(self, request: Request) -> None:
        return

    def like(self, request: Request) -> tuple:
        return (request.width, request.height, request.frames, request.fps)

    def generate(self, requests: Sequence[Request]) -> list[Clip]:
        return [self.play(request) for request in requests]

    @abc.abstractmethod
    def play(self, request: Request) -> Clip:
        """One sample."""


class Baseline(_Player):
    """A baseline, which knows the problem behind a request.

    Args:
        name: one of `phosphene.baselines`.
        dealt: request seed -> the task and problem it belongs to.
        canvas: what it draws on.
    """

    def __init__(
        self, name: str, dealt: Mapping[int, tuple[Task, Problem]], canvas: Canvas
    ) -> None:
        super().__init__(name)
        self._make = baselines.get(name)
        self._dealt = dealt
        self._canvas = canvas

    @property
    def fingerprint(self) -> str:
        from phosphene.certificates import digest_of

        kinds = {type(task) for task, _ in self._dealt.values()}
        code = "".join(sorted(digest_of(kind) for kind in kinds))
        own = inspect.getsource(inspect.getmodule(self._make) or self._make)
        return f"baseline:{self.id}:{hashlib.sha256((own + code).encode()).hexdigest()[:16]}"

    def play(self, request: Request) -> Clip:
        task, problem = self._dealt[request.seed]
        rng = np.random.default_rng([request.seed, request.index])
        return self._make(task, problem, self._canvas, rng)


class Folder(_Player):
    """Clips that somebody recorded: models behind an API, or made by another program.

    The clip of sample k of item `maze-0_0003` is `maze-0_0003_K.SUFFIX`, `maze-0_0003/K.SUFFIX`, or
    for k = 0 also `maze-0_0003.SUFFIX`, or the only media file in a folder of that name; folders
    above it don't matter. An item without a file is recorded as a failure.

    Args:
        root: the folder.
        names: request seed -> item id.
    """

    def __init__(self, root: Path, names: Mapping[int, str]) -> None:
        super().__init__(f"folder {root.name}")
        if not root.is_dir():
            raise PhospheneError(f"{root} is not a directory; give one that holds recorded clips")
        self._root = root
        self._names = names
        self._files = recorded_clips(root)
        known = {item for item in names.values() if (item, 0) in self._files}
        if not known:
            example = next(iter(names.values()), "ITEM")
            raise PhospheneError(
                f"{root} holds no clip of any item of this suite; name them like {example}.mp4 "
                f"(phosphene export SUITE writes every item's name, first frame and prompt)"
            )

    @property
    def fingerprint(self) -> str:
        return "folder"

    def noted(self, seed: int, sample: int) -> dict[str, str]:
        """What goes into a request so that its key follows the file's content."""
        path = self._files.get((self._names[seed], sample))
        return {} if path is None else {"recorded": file_digest(path)}

    def play(self, request: Request) -> Clip:
        item = self._names[request.seed]
        path = self._files.get((item, request.index))
        if path is None:
            raise PhospheneError(f"{self._root} holds no clip of {item}, sample {request.index}")
        if path.suffix.lower() in (".png", ".jpg", ".jpeg", ".webp"):
            return Clip(media.load_image(path)[None])
        return media.load(path)


def recorded_clips(root: Path) -> dict[tuple[str, int], Path]:
    """(item id, sample) -> file, over everything that could be one."""
    found: dict[tuple[str, int], Path] = {}
    for path in sorted(p for p in root.rglob("*") if p.suffix.lower() in MEDIA):
        stem, parent = path.stem, path.parent.name
        found.setdefault((stem, 0), path)
        name, _, number = stem.rpartition("_")
        if name and number.isdecimal():
            found.setdefault((name, int(number)), path)
        if stem.isdecimal():
            found.setdefault((parent, int(stem)), path)
        elif sum(p.suffix.lower() in MEDIA for p in path.parent.iterdir()) == 1:
            found.setdefault((parent, 0), path)
    return found


class Function(_Player):
    """Any Python callable: `Request` in; a clip, frames, a picture, a path or (frames, sound) out.

    Args:
        call: what to call, once a sample.
        name: what reports call it; the callable's own name if None.
    """

    def __init__(self, call: Callable[[Request], Any], name: str | None = None) -> None:
        own = getattr(call, "__qualname__", type(call).__qualname__)
        super().__init__(name or f"{getattr(call, '__module__', '')}.{own}".strip("."))
        self._call = call

    @property
    def fingerprint(self) -> str:
        try:
            code = inspect.getsource(self._call)
        except (OSError, TypeError):
            code = repr(self._call)
        return f"function:{self.id}:{hashlib.sha256(code.encode()).hexdigest()[:16]}"

    def play(self, request: Request) -> Clip:
        return as_clip(self._call(request), request.fps or Fraction(8))


def as_clip(made: Any, fps: Fraction = Fraction(8)) -> Clip:
    """Whatever a callable returned, as a clip.

    Args:
        made: a `Clip`; a path; frames `(t, h, w, 3)` or a picture `(h, w, 3)`, uint8 0..255 or
            float 0..1; a PIL picture or a list of them; or `(frames, sound, rate)` with sound
            `(samples,)` or `(channels, samples)`.
        fps: frames a second where `made` doesn't say.

    Raises:
        PhospheneError: none of these, values that are not finite, or out of range.
    """
    if isinstance(made, Clip):
        return made
    if isinstance(made, (str, Path)):
        return media.load(Path(made))
    if isinstance(made, tuple) and len(made) == 3:
        frames, sound, rate = made
        track = np.atleast_2d(np.asarray(sound, np.float32))
        if not np.isfinite(track).all():
            raise PhospheneError("the sound holds values that are not finite")
        return Clip(_frames(frames), fps, track, int(rate))
    return Clip(_frames(made), fps)


def _frames(made: Any) -> np.ndarray:
    values = np.stack([np.asarray(f) for f in made]) if isinstance(made, list) else np.asarray(made)
    values = values[None] if values.ndim == 3 else values
    if values.ndim != 4 or values.shape[-1] != 3 or values.dtype.kind not in "uif":
        raise PhospheneError(
            f"frames must be (t, h, w, 3) or (h, w, 3), uint8 or float 0..1; got {values.dtype} "
            f"{values.shape}"
        )
    if values.dtype == np.uint8:
        return values
    if not np.isfinite(values).all():
        raise PhospheneError("the frames hold values that are not finite (NaN or infinity)")
    if values.min() < -0.01 or values.max() > 1.01:
        raise PhospheneError(
            f"float frames must lie in 0..1; got {values.min():.3g}..{values.max():.3g}"
        )
    return np.rint(values.clip(0, 1) * 255).astype(np.uint8)
