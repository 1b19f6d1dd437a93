"""Picture: stills of any common kind, and png and gif both ways, through Pillow."""

from __future__ import annotations

import io
import struct
import zlib
from fractions import Fraction

import numpy as np
from PIL import Image, ImageOps, PngImagePlugin, UnidentifiedImageError

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.media.integrity import AGAIN
from phosphene.media.tag import Facts

# Named one by one: Pillow knows formats that start other programs (EPS).
_FORMATS = ("PNG", "JPEG", "GIF", "WEBP", "BMP", "TIFF", "PPM", "AVIF")
# What Pillow's parsers raise on damaged files.
_DAMAGE = (
    OSError,
    ValueError,
    SyntaxError,
    EOFError,
    LookupError,
    TypeError,
    OverflowError,
    struct.error,
    zlib.error,
    Image.DecompressionBombError,
)
_PNG_TEXT_LIMIT = 60 * 2**20  # Pillow refuses to read 64 MiB of text back


def encode_png(clip: Clip, text: str) -> bytes:
    """The one frame of `clip`, with `text` in an iTXt chunk.

    Raises:
        PhospheneError: the text is longer than readers accept.
    """
    assert clip.frames is not None
    if len(text) > _PNG_TEXT_LIMIT:
        raise PhospheneError(f"png holds 60 MiB of recipe; this one has {len(text)} bytes")
    info, buffer = PngImagePlugin.PngInfo(), io.BytesIO()
    info.add_itxt("comment", text)
    Image.fromarray(clip.frames[0]).save(buffer, format="PNG", pnginfo=info)
    return buffer.getvalue()


def encode_gif(clip: Clip, text: str) -> bytes:
    """All frames in 256 colours each, looping; equal neighbours are stored once, for longer."""
    assert clip.frames is not None
    first, *rest = [Image.fromarray(frame).quantize(256) for frame in clip.frames]
    buffer = io.BytesIO()
    first.save(
        buffer,
        format="GIF",
        save_all=True,
        append_images=rest,
        duration=(10 * _ticks(len(clip.frames), clip.fps)).tolist(),
        loop=0,
        comment=text.encode("ascii"),
    )
    return buffer.getvalue()


def _ticks(frames: int, fps: Fraction) -> np.ndarray:
    """int `(frames,)`: how long each frame stays, in 1/100 s, with no drift over the whole.

    At least 2 each, because players slow anything shorter down to 10.
    """
    step = max(Fraction(100) / fps, Fraction(2))
    return np.diff([round(i * step) for i in range(frames + 1)])


def open_picture(data: bytes) -> Image.Image | None:
    """A picture opened but not decoded; None if the bytes are not of a picture format."""
    try:
        return Image.open(io.BytesIO(data), formats=_FORMATS)
    except UnidentifiedImageError:
        return None
    except _DAMAGE as error:
        raise PhospheneError(f"the picture can't be opened ({error}){AGAIN}") from error


def comment(image: Image.Image) -> str | None:
    """The text that `encode_png` or `encode_gif` put in.

    Raises:
        PhospheneError: the file is damaged.
    """
    if isinstance(image, PngImagePlugin.PngImageFile):
        try:
            return image.text.get("comment")
        except _DAMAGE as error:
            raise PhospheneError(f"the picture is damaged ({error}){AGAIN}") from error
    text = image.info.get("comment")
    return text.decode("ascii", "replace") if isinstance(text, bytes) else text


def decode(image: Image.Image, facts: Facts | None) -> Clip:
    """All frames of an opened picture; a still has 1.

    Raises:
        PhospheneError: the file is damaged.
    """
    shown: list[np.ndarray] = []
    milliseconds: list[float] = []
    try:
        for i in range(getattr(image, "n_frames", 1)):
            image.seek(i)
            shown.append(rgb(image))
            milliseconds.append(image.info.get("duration", 0))
        frames = np.stack(shown)
    except _DAMAGE as error:
        raise PhospheneError(f"the picture is damaged ({error}){AGAIN}") from error
    if facts is None:
        total = sum(milliseconds)
        moving = len(frames) > 1 and total > 0
        return Clip(
            frames, Fraction(len(frames) * 1000) / Fraction(total) if moving else Fraction(1)
        )
    fps = Fraction(facts.fps)
    if image.format == "GIF":
        frames = _unfold(frames, milliseconds, _ticks(facts.frames, fps))
    return Clip(frames, fps)


def _unfold(frames: np.ndarray, milliseconds: list[float], ticks: np.ndarray) -> np.ndarray:
    """Repeat the frames that a gif stored once for several equal neighbours."""
    ends = np.cumsum(np.asarray(milliseconds) / 10)
    if round(ends[-1]) != ticks.sum():
        raise PhospheneError(f"it lasts {ends[-1]:.0f}/100 s of {ticks.sum()}/100 s{AGAIN}")
    starts = np.cumsum(ticks) - ticks
    return frames[np.searchsorted(ends, starts, side="right")]


def rgb(image: Image.Image) -> np.ndarray:
    """uint8 `(h, w, 3)`: turned upright as its EXIF says, on white where it is transparent.

    16-bit grey is scaled to 8 bits (65535 becomes 255). Colour profiles are not applied.

    Raises:
        PhospheneError: pixels are floats or 32-bit integers, whose range the file doesn't state.
    """
    image.load()
    upright = ImageOps.exif_transpose(image)
    if upright.mode.startswith("I;16") or (upright.mode == "I" and image.format in ("PNG", "PPM")):
        grey = np.asarray(upright).astype(np.float64) / 257
        return np.repeat(np.rint(grey).clip(0, 255).astype(np.uint8)[..., None], 3, axis=2)
    if upright.mode in ("I", "F"):
        raise PhospheneError(f"{upright.mode!r} pixels have no stated range; save as 8-bit png")
    if upright.has_transparency_data:
        colour = upright.convert("RGBA")
        white = Image.new("RGBA", colour.size, "white")
        upright = Image.alpha_composite(white, colour)
    return np.array(upright.convert("RGB"))
