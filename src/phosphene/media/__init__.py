"""Media: the one reader and writer of files that people look at and listen to.

The recipe travels inside every file. Nothing half-written ever has the final name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.media import disk, integrity
from phosphene.media.tag import Facts, Tag, parse

__all__ = ["load", "load_image", "read_recipe", "save", "suffix_for"]

_EXACT = {".mp4": False, ".mkv": True, ".png": True, ".gif": False, ".wav": True}
_CONTAINERS = {".mp4": "mp4", ".mkv": "matroska", ".wav": "wav"}


def suffix_for(clip: Clip, lossless: bool = False) -> str:
    """The suffix `save` serves `clip` best with.

    `.png` for one silent frame, `.wav` for sound alone, else `.mp4`; `.mkv` if `lossless`, or if
    the sound's rate or channels are beyond AAC.
    """
    if clip.kind == "image":
        return ".png"
    if clip.kind == "audio":
        return ".wav"
    return ".mkv" if lossless or _refusal(clip, ".mp4") else ".mp4"


def save(
    clip: Clip,
    path: str | Path,
    recipe: Mapping[str, Any] | None = None,
    lossless: bool | None = None,
) -> Path:
    """Write `clip`, read it back, and only then give it its name.

    The suffix decides:

    - `.mp4`: H.264 4:2:0 and AAC, plays in browsers; odd sizes are padded by their last row and
      column, and `load` crops them and the sound back to what was given.
    - `.mkv`: bit-exact. FFV1 in RGB; FLAC where every sample is a multiple of 2^-23 in [-1, 1),
      else 32-bit float PCM, because FLAC can't return those.
    - `.png`: bit-exact, one frame, no sound. `.gif`: 256 colours a frame, no sound.
    - `.wav`: bit-exact 32-bit float, sound alone.

    Args:
        clip: what to write.
        path: where; an existing file is replaced in one step.
        recipe: JSON-able record of how the clip was made; it is embedded whole.
        lossless: None takes what the suffix gives; True or False refuses a suffix that differs.

    Returns:
        The path.

    Raises:
        PhospheneError: the format can't hold the clip or the recipe, the disk is full, or what
            was written doesn't read back. No file is left behind, and an older one stays.
    """
    path = Path(path).expanduser()
    suffix = path.suffix.lower()
    if suffix not in _EXACT:
        raise PhospheneError(f"can't write {path}: use one of the suffixes {', '.join(_EXACT)}")
    exact = _EXACT[suffix]
    if lossless is not None and lossless != exact:
        better = suffix_for(clip, lossless=True) if lossless else ".mp4"
        nature = "lossless" if exact else "lossy"
        raise PhospheneError(
            f"can't write {path} with lossless={lossless}: {suffix} is {nature}; use {better}"
        )
    if refusal := _refusal(clip, suffix):
        raise PhospheneError(f"can't write {path}: {refusal}")
    with disk.naming(f"can't write {path}"):
        text = Tag(Facts.of(clip, exact), recipe).text()
        disk.write(_encode(clip, suffix, text), path, lambda data: _check_back(data, text))
    return path


def load(path: str | Path) -> Clip:
    """Read any file that `save` writes, or a still, clip or sound from elsewhere.

    What `save` wrote comes back with its exact size, fps, number of frames and number of samples,
    or not at all. The content decides the format, not the suffix.

    Raises:
        PhospheneError: missing, cut short, damaged, or no media.
    """
    with disk.naming(f"can't read {path}"):
        return _read(disk.read(path))[0]


def load_image(path: str | Path) -> np.ndarray:
    """uint8 `(h, w, 3)` of a still: upright by its EXIF, on white where it is transparent.

    Raises:
        PhospheneError: missing, damaged, no picture, or a picture with several frames.
    """
    from phosphene.media import picture

    with disk.naming(f"can't read the picture {path}"):
        image = picture.open_picture(disk.read(path))
        if image is None:
            raise PhospheneError("it is not a picture; give a png, jpg or webp file")
        if getattr(image, "n_frames", 1) > 1:
            raise PhospheneError("it has several frames; give a still")
        frames = picture.decode(image, None).frames
        assert frames is not None
        return frames[0]


def read_recipe(path: str | Path) -> dict[str, Any]:
    """The recipe that `save` embedded.

    Raises:
        PhospheneError: the file is missing or damaged, or carries no recipe.
    """
    with disk.naming(f"can't read the recipe of {path}"):
        tag = _tag(disk.read(path))
        if tag is None or tag.recipe is None:
            raise PhospheneError("the file carries none; give one that phosphene generate wrote")
        return dict(tag.recipe)


def _refusal(clip: Clip, suffix: str) -> str | None:
    """Why `suffix` can't hold `clip`, and what can; None if it can."""
    if clip.audio is not None and clip.audio.shape[1] == 0:
        return "its sound has no samples; pass audio=None"
    if suffix in (".png", ".gif"):
        if clip.frames is None or clip.audio is not None:
            return f"{suffix} holds no sound; use {suffix_for(clip)}"
        if suffix == ".png" and len(clip.frames) > 1:
            return f"png holds one frame, the clip has {len(clip.frames)}; use .mp4, .mkv or .gif"
    elif suffix == ".wav" and clip.kind != "audio":
        return f".wav holds sound alone; use {suffix_for(clip)}"
    elif suffix == ".mp4" and clip.audio is not None:
        from phosphene.media.encode import AAC_RATES

        if clip.rate not in AAC_RATES:
            return f"AAC in mp4 has no rate {clip.rate} Hz; use .mkv or resample"
        if len(clip.audio) > 2:
            return f"mp4 takes mono or stereo, not {len(clip.audio)} channels; use .mkv"
        if not np.all(np.isfinite(clip.audio)):
            return "its sound has samples that are not finite; use .mkv or mend the sound"
    return None


def _encode(clip: Clip, suffix: str, text: str) -> bytes:
    from phosphene.media import encode, picture

    if suffix == ".png":
        return picture.encode_png(clip, text)
    if suffix == ".gif":
        return picture.encode_gif(clip, text)
    data = encode.encode(clip, _CONTAINERS[suffix], text)
    return integrity.seal(data) if suffix == ".mp4" else data


def _check_back(data: bytes, text: str) -> None:
    """Raise unless the file reads back as the clip and the tag that were written."""
    with disk.naming("it did not read back as written and was not kept"):
        _, tag = _read(data)
        if tag is None or tag.text() != text:
            raise PhospheneError("the format does not hold this recipe; shorten it")


def _container(data: bytes) -> str:
    """FFmpeg's name for the format, by magic bytes.

    FFmpeg's own guess is not asked: it takes text for subtitles, and playlists open other files.
    """
    head = data[:12]
    if head[4:8] in (b"ftyp", b"moov", b"mdat", b"wide", b"free"):
        return "mp4"
    if head[:4] == b"RIFF" and head[8:] in (b"WAVE", b"AVI "):
        return "wav" if head[8:] == b"WAVE" else "avi"
    magic = {b"\x1a\x45\xdf\xa3": "matroska", b"OggS": "ogg", b"fLaC": "flac", b"ID3": "mp3"}
    for start, name in magic.items():
        if head.startswith(start):
            return name
    if head[:1] == b"\xff" and head[1:2] in (b"\xfb", b"\xf3", b"\xf2"):
        return "mp3"
    raise PhospheneError("it is not a media file; give mp4, mkv, wav, png, gif, jpg or webp")


def _tag(data: bytes) -> Tag | None:
    from phosphene.media import decode, picture

    if (image := picture.open_picture(data)) is not None:
        return parse(picture.comment(image))
    container = _container(data)
    integrity.check(data, container)
    return parse(decode.comment(data, container))


def _read(data: bytes) -> tuple[Clip, Tag | None]:
    """The clip and its tag, checked against each other."""
    from phosphene.media import decode, picture

    tag = _tag(data)
    facts = tag.facts if tag else None
    if (image := picture.open_picture(data)) is not None:
        clip = picture.decode(image, facts)
    else:
        clip = decode.decode(data, _container(data), facts)
    if facts is not None:
        facts.check(clip)
    return clip, tag
