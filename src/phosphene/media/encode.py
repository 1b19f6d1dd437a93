"""Encode: clips to mp4, mkv and wav, through PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from phosphene.clip import Clip
from phosphene.errors import PhospheneError

_LAYOUTS = ("mono", "stereo", "3.0", "quad", "5.0", "5.1", "6.1", "7.1")
AAC_RATES = frozenset(
    (96000, 88200, 64000, 48000, 44100, 32000, 24000, 22050, 16000, 12000, 11025, 8000, 7350)
)
_H264 = {"crf": "14", "preset": "medium"}
# swscale flags: bilinear, full chroma, accurate rounding. Its default darkens colours by 1-2.
CAREFUL = 2 | 0x2000 | 0x4000 | 0x40000
_FFV1 = {"level": "3", "slicecrc": "1"}


def encode(clip: Clip, container: str, text: str) -> bytes:
    """The whole file.

    Args:
        clip: what to write.
        container: `mp4` (H.264 yuv420p + AAC), `matroska` (FFV1 in bgr0, and FLAC where the sound
            lies on a 24-bit grid, else 32-bit float PCM) or `wav` (32-bit float PCM).
        text: goes into the `comment` tag.

    Raises:
        PhospheneError: the encoder refuses the clip.
    """
    buffer = io.BytesIO()
    try:
        with av.open(buffer, "w", format=container, options=_muxer(clip, container)) as out:
            out.metadata["comment"] = text
            pictures = None if clip.frames is None else _add_video(out, clip, container)
            sound = None if clip.audio is None else _add_audio(out, clip, container)
            _feed(out, clip, pictures, sound)
    except (FFmpegError, ValueError, OverflowError) as error:
        raise PhospheneError(f"can't encode as {container}: {error}") from error
    return buffer.getvalue()


def _muxer(clip: Clip, container: str) -> dict[str, str]:
    # The edit list that hides AAC's priming counts in this unit: anything but the sound's own
    # rate would cut the sound to the next millisecond.
    return {"movie_timescale": str(clip.rate)} if container == "mp4" and clip.rate else {}


def _time_base(fps: Fraction) -> Fraction:
    """One frame's seconds with terms that fit the containers' 32 bits; the tag holds fps exactly.

    >>> _time_base(Fraction(24000, 1001))
    Fraction(1001, 24000)
    """
    lowest, highest = Fraction(1, 10_000), Fraction(100_000)
    return 1 / sorted((lowest, fps.limit_denominator(10_000), highest))[1]


def _add_video(out: Any, clip: Clip, container: str) -> Any:
    assert clip.size is not None
    width, height = clip.size
    lossy = container == "mp4"
    base = _time_base(clip.fps)
    # One pixel of width can't be cut into slices, which version 3 of FFV1 insists on.
    lossless = {"level": "1"} if width == 1 else _FFV1
    stream = out.add_stream(
        "libx264" if lossy else "ffv1", rate=1 / base, options=dict(_H264 if lossy else lossless)
    )
    # 4:2:0 is what every browser plays, and it has no odd sizes.
    stream.width, stream.height = (width + width % 2, height + height % 2) if lossy else clip.size
    stream.pix_fmt = "yuv420p" if lossy else "bgr0"
    stream.codec_context.time_base = stream.time_base = base
    if lossy:
        context = stream.codec_context
        context.colorspace = context.color_primaries = context.color_trc = 1  # BT.709
        context.color_range = 1  # 16..235
    return stream


def _add_audio(out: Any, clip: Clip, container: str) -> Any:
    assert clip.audio is not None
    channels = len(clip.audio)
    if channels > len(_LAYOUTS):
        raise PhospheneError(f"{channels} sound channels; media files hold at most 8")
    if container == "mp4":
        codec = "aac"
    else:
        codec = "flac" if container == "matroska" and on_24_bit_grid(clip.audio) else "pcm_f32le"
    # FFmpeg's default AAC search takes five times as long and returned tones 30 dB worse.
    options = {"aac_coder": "fast"} if codec == "aac" else {}
    stream = out.add_stream(codec, rate=clip.rate, layout=_LAYOUTS[channels - 1], options=options)
    if codec == "aac":
        assert clip.rate is not None
        stream.bit_rate = min(160_000, 6 * clip.rate) * channels  # AAC's ceiling is 6 bits a sample
    stream.format = {"aac": "fltp", "flac": "s32", "pcm_f32le": "flt"}[codec]
    return stream


def on_24_bit_grid(audio: np.ndarray) -> bool:
    """True if every sample is a multiple of 2^-23 in [-1, 1): what FLAC returns bit for bit."""
    scaled = audio.astype(np.float64) * 2**23
    grid = (scaled == np.rint(scaled)) & (scaled >= -(2**23)) & (scaled < 2**23)
    return bool(np.all(grid & ~((audio == 0) & np.signbit(audio))))


def _feed(out: Any, clip: Clip, pictures: Any, sound: Any) -> None:
    """Encode frame by frame, each with the sound that belongs to it, so the file streams."""
    done = 0
    for i, frame in enumerate(() if clip.frames is None else clip.frames):
        picture = _picture(frame, pictures)
        picture.pts, picture.time_base = i, _time_base(clip.fps)
        out.mux(pictures.encode(picture))
        if sound is not None:
            assert clip.rate is not None
            due = int((i + 1) / clip.fps * clip.rate)
            done = _feed_audio(out, sound, clip, done, due)
    if sound is not None:
        assert clip.audio is not None
        _feed_audio(out, sound, clip, done, clip.audio.shape[1])
        out.mux(sound.encode(None))
    if pictures is not None:
        out.mux(pictures.encode(None))


def _picture(frame: np.ndarray, stream: Any) -> Any:
    height, width = frame.shape[:2]
    frame = np.pad(
        frame, ((0, stream.height - height), (0, stream.width - width), (0, 0)), mode="edge"
    )
    picture = av.VideoFrame.from_ndarray(np.ascontiguousarray(frame), format="rgb24")
    if stream.pix_fmt == "bgr0":
        return picture.reformat(format="bgr0", threads=1)
    return picture.reformat(
        format="yuv420p",
        dst_colorspace="ITU709",
        src_color_range="JPEG",
        dst_color_range="MPEG",
        interpolation=CAREFUL,
        threads=1,  # a pool of threads for every frame costs 10 ms, the conversion of 64x64 0.05
    )


def _feed_audio(out: Any, stream: Any, clip: Clip, start: int, stop: int) -> int:
    assert clip.audio is not None
    stop = min(stop, clip.audio.shape[1])
    step = 65536  # keeps one packet small, whatever the length of the sound
    for at in range(start, stop, step):
        part = clip.audio[:, at : min(at + step, stop)]
        layout = stream.format.name
        if layout == "s32":
            part = (part * np.float32(2**23)).astype(np.int32) << 8
        if layout != "fltp":
            part = part.T.reshape(1, -1)
        frame = av.AudioFrame.from_ndarray(
            np.ascontiguousarray(part), format=layout, layout=stream.layout.name
        )
        assert clip.rate is not None
        frame.sample_rate, frame.pts, frame.time_base = clip.rate, at, Fraction(1, clip.rate)
        out.mux(stream.encode(frame))
    return max(start, stop)
