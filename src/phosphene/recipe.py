"""Recipe: the one versioned JSON record that says how a sample was made; it travels in its file."""

from __future__ import annotations

import base64
import binascii
import functools
import hashlib
import io
import json
from collections.abc import Mapping
from dataclasses import asdict, fields
from fractions import Fraction
from importlib.metadata import PackageNotFoundError, version
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from phosphene import __version__
from phosphene.backbone import BackboneSpec
from phosphene.clip import Clip, Kind
from phosphene.errors import PhospheneError
from phosphene.request import Request, image_digest

SCHEMA = 1
LIBRARIES = ("torch", "diffusers", "transformers", "numpy")

# These leave the sample as it is: the fingerprint stands for the id, the rest say where weights
# live and what may be opened.
_NOT_IN_KEY = frozenset({"id", "offload", "allow_pickle", "trust_remote_code"})
_PICTURES = ("first_frame", "last_frame")


class ClipFacts(BaseModel):
    """What was made, as it was before any lossy encoding.

    Fields: `digest` is `Clip.digest`; `size` is (width, height) in pixels; `fps` an exact fraction
    as text; `rate` in Hz; `samples` is the sound's length.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    kind: Kind
    digest: str
    size: tuple[int, int] | None
    frames: int | None
    fps: str
    channels: int | None
    samples: int | None
    rate: int | None

    @classmethod
    def of(cls, clip: Clip) -> ClipFacts:
        channels, samples = (None, None) if clip.audio is None else clip.audio.shape
        return cls(
            kind=clip.kind,
            digest=clip.digest,
            size=clip.size,
            frames=None if clip.frames is None else len(clip.frames),
            fps=str(clip.fps),
            channels=channels,
            samples=samples,
            rate=clip.rate,
        )


class Recipe(BaseModel):
    """How one sample was made: enough, with the backbone at hand, to make it again.

    Fields: `recipe` is the schema number; `spec` the `BackboneSpec`; `request` is
    `Request.record()`; `pictures` holds the request's pictures as base64 PNG, by field name;
    `clip` is None for a sample that failed; `seconds` is its share of its batch's time.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    recipe: Literal[1] = SCHEMA
    key: str
    phosphene: str
    versions: dict[str, str]
    fingerprint: str
    spec: dict[str, Any]
    request: dict[str, Any]
    pictures: dict[str, str] = {}
    clip: ClipFacts | None = None
    seconds: float = 0.0
    batch: int = 1

    @classmethod
    def read(cls, data: Mapping[str, Any], where: str) -> Recipe:
        """Parse a recipe found at `where`.

        Raises:
            PhospheneError: a schema from a newer version, or a field missing, unknown or wrong.
        """
        number = data.get("recipe")
        if isinstance(number, int) and number > SCHEMA:
            raise PhospheneError(
                f"{where}: its recipe has schema {number}, this phosphene {__version__} reads up "
                f"to {SCHEMA}; upgrade phosphene"
            )
        try:
            return cls.model_validate(data)
        except ValidationError as error:
            first = error.errors()[0]
            field = ".".join(map(str, first["loc"])) or "the whole"
            raise PhospheneError(
                f"{where}: not a recipe this phosphene can read ({field}: {first['msg']})"
            ) from error

    def without_pictures(self) -> Recipe:
        """The recipe as kept in a run's records: the file beside it holds the pictures."""
        return self.model_copy(update={"pictures": {}})

    def to_spec(self) -> BackboneSpec:
        """The backbone it was made with, opened the same way.

        Raises:
            PhospheneError: a field this version doesn't know.
        """
        _refuse_unknown("spec", self.spec, BackboneSpec)
        return BackboneSpec(**{**self.spec, "lora": tuple(self.spec.get("lora", ()))})

    def to_request(self) -> Request:
        """The request, its pictures decoded from the recipe.

        Raises:
            PhospheneError: a field this version doesn't know, or a picture missing or altered.
        """
        _refuse_unknown("request", self.request, Request)
        values = dict(self.request)
        if values.get("fps") is not None:
            values["fps"] = Fraction(values["fps"])
        for name in _PICTURES:
            if values.get(name) is not None:
                values[name] = _decode_picture(name, self.pictures, values[name]["sha256"])
        return Request(**values)


def write(
    fingerprint: str,
    spec: BackboneSpec,
    request: Request,
    clip: Clip | None,
    seconds: float = 0.0,
    batch: int = 1,
) -> Recipe:
    """The recipe of a sample made from `request` in `seconds`, in a batch of `batch`."""
    pictures = {name: getattr(request, name) for name in _PICTURES}
    return Recipe(
        key=key(fingerprint, spec, request),
        phosphene=__version__,
        versions=versions(),
        fingerprint=fingerprint,
        spec=asdict(spec) | {"lora": list(spec.lora)},
        request=request.record(),
        pictures={n: _encode_picture(p) for n, p in pictures.items() if p is not None},
        clip=None if clip is None else ClipFacts.of(clip),
        seconds=round(seconds, 4),
        batch=batch,
    )


def key(fingerprint: str, spec: BackboneSpec, request: Request) -> str:
    """The sample's address: 64 hex digits over everything that decides what it looks like.

    SHA-256 of canonical JSON (sorted names, no spaces) of the backbone's fingerprint, the spec's
    fields that change a sample, the whole request with its seed, and the versions of this code and
    the libraries it runs on.

    Raises:
        PhospheneError: `request.extra` holds something JSON can't.
    """
    asked = request.record()
    # 7 and 7.0 ask for the same thing.
    for name in ("guidance", "duration"):
        asked[name] = None if asked[name] is None else float(asked[name])
    parts = {
        "fingerprint": fingerprint,
        "spec": {n: v for n, v in asdict(spec).items() if n not in _NOT_IN_KEY},
        "request": asked,
        "phosphene": __version__,
        "versions": versions(),
    }
    try:
        text = json.dumps(parts, sort_keys=True, separators=(",", ":"), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise PhospheneError(
            f"extra must hold numbers, texts, lists and mappings only, so that the sample can be "
            f"made again; got {dict(request.extra)!r} ({error})"
        ) from error
    return hashlib.sha256(text.encode()).hexdigest()


@functools.cache
def _installed() -> tuple[tuple[str, str], ...]:
    found = []
    for name in LIBRARIES:
        try:
            found.append((name, version(name)))
        except PackageNotFoundError:
            continue
    return tuple(found)


def versions() -> dict[str, str]:
    """Versions of the libraries that decide a sample's numbers, read without importing them."""
    return dict(_installed())


def _encode_picture(picture: np.ndarray) -> str:
    return _encoded(picture.tobytes(), (picture.shape[0], picture.shape[1]))


# A batch usually shares its pictures, and a PNG of a photograph takes a good part of a second.
@functools.lru_cache(maxsize=4)
def _encoded(pixels: bytes, shape: tuple[int, int]) -> str:
    from PIL import Image

    buffer = io.BytesIO()
    Image.frombytes("RGB", (shape[1], shape[0]), pixels).save(buffer, "PNG")
    return base64.b64encode(buffer.getvalue()).decode()


def _decode_picture(name: str, pictures: Mapping[str, str], digest: str) -> np.ndarray:
    from PIL import Image

    if name not in pictures:
        raise PhospheneError(f"the recipe lacks its {name} picture; it can't be made again")
    try:
        data = base64.b64decode(pictures[name], validate=True)
        with Image.open(io.BytesIO(data)) as image:
            picture = np.asarray(image.convert("RGB"))
    except (binascii.Error, OSError, ValueError) as error:
        raise PhospheneError(f"the recipe's {name} is not a readable PNG ({error})") from error
    if image_digest(picture) != digest:
        raise PhospheneError(f"the recipe's {name} is not the picture the request was made with")
    return picture


def _refuse_unknown(what: str, values: Mapping[str, Any], kind: type) -> None:
    known = {f.name for f in fields(kind)}
    extra = sorted(set(values) - known)
    if extra:
        raise PhospheneError(
            f"the recipe's {what} has fields this phosphene {__version__} doesn't know: "
            f"{', '.join(extra)}"
        )
