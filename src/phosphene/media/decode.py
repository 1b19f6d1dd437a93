"""Decode: mp4, mkv, wav and other people's containers to clips, through PyAV."""

from __future__ import annotations

import io
from fractions import Fraction
from typing import Any

import av
import numpy as np
from av.error import FFmpegError

from phosphene.clip import Clip
from phosphene.errors import PhospheneError
from phosphene.media.encode import CAREFUL
from phosphene.media.integrity import AGAIN
from phosphene.media.tag import Facts


def comment(data: bytes, container: str) -> str | None:
    """The `comment` tag of a file.

    Raises:
        PhospheneError: the container can't be opened.
    """
    with _open(data, container) as source:
        tags = {key.lower(): value for key, value in source.metadata.items()}
    return tags.get("comment")


def _open(data: bytes, container: str) -> Any:
    try:
        return av.open(io.BytesIO(data), format=container, metadata_errors="replace")
    except (FFmpegError, ValueError) as error:
        raise PhospheneError(f"no {container} can be read from it{AGAIN}") from error


def decode(data: bytes, container: str, facts: Facts | None) -> Clip:
    """All frames and samples.

    Args:
        data: the whole file.
        container: FFmpeg's name of its format.
        facts: what was written, to crop padding off and to name fps exactly; None for files that
            others made, whose pictures are turned upright and whose sound is shifted to start
            with the pictures.

    Raises:
        PhospheneError: the file is damaged, or holds neither pictures nor sound.
    """
    frames: list[Any] = []
    sound: list[Any] = []
    with _open(data, container) as source:
        video = next(iter(source.streams.video), None)
        audio = next(iter(source.streams.audio), None)
        streams = [stream for stream in (video, audio) if stream is not None]
        try:
            for packet in source.demux(streams) if streams else ():
                if packet.is_corrupt:
                    raise PhospheneError(f"a packet is damaged{AGAIN}")
                for part in packet.decode():
                    (frames if isinstance(part, av.VideoFrame) else sound).append(part)
            pictures = np.stack([_upright(frame) for frame in frames]) if frames else None
            samples = np.concatenate([_samples(s) for s in sound], axis=1) if sound else None
        except (FFmpegError, ValueError) as error:
            if isinstance(error, PhospheneError):
                raise
            raise PhospheneError(
                f"decoding stops at frame {len(frames)} ({error}){AGAIN}"
            ) from error
        rate = audio.rate if audio is not None and samples is not None else None
        fps = (video.average_rate or video.guessed_rate) if video is not None else None
        expected = video.frames if video is not None else 0
    if pictures is None and samples is None:
        raise PhospheneError("it holds neither pictures nor sound; give another file")
    if facts is not None:
        return _as_written(facts, pictures, samples, rate)
    if len(frames) < expected:
        raise PhospheneError(f"{len(frames)} of {expected} frames can be decoded{AGAIN}")
    if frames and sound:
        samples = _shift(samples, float(sound[0].time or 0) - float(frames[0].time or 0), rate)
    return Clip(pictures, Fraction(fps or 1), samples, rate)


def _upright(frame: Any) -> np.ndarray:
    """uint8 `(h, w, 3)`, turned as the container says it is to be shown."""
    pixels = frame.to_ndarray(format="rgb24", interpolation=CAREFUL, threads=1)
    return np.rot90(pixels, frame.rotation // 90)


def _shift(samples: Any, seconds: float, rate: Any) -> np.ndarray:
    """Sound that starts `seconds` after the pictures, made to start with them."""
    late = round(seconds * rate)
    return np.pad(samples, ((0, 0), (late, 0))) if late >= 0 else samples[:, -late:]


def _samples(frame: Any) -> np.ndarray:
    """float32 `(channels, samples)` in -1..1 of a decoded piece of sound."""
    data, channels = frame.to_ndarray(), frame.layout.nb_channels
    if not frame.format.is_planar:
        data = data.reshape(-1, channels).T
    if data.dtype == np.uint8:
        return ((data.astype(np.float32) - 128) / 128).astype(np.float32)
    if data.dtype.kind == "i":
        data = data / -float(np.iinfo(data.dtype).min)
    return data.astype(np.float32)


def _as_written(
    facts: Facts, pictures: np.ndarray | None, samples: np.ndarray | None, rate: int | None
) -> Clip:
    if pictures is not None:
        pictures = np.ascontiguousarray(pictures[:, : facts.height, : facts.width])
    if samples is not None:
        samples = np.ascontiguousarray(samples[:, : facts.samples])
    return Clip(pictures, Fraction(facts.fps), samples, rate)
