"""Integrity: does a container hold as many bytes as it declares, and the bytes it was sealed with?

Decoders play a damaged file as far as it goes, so a cut clip would come back shorter. These checks
come before decoding.
"""

from __future__ import annotations

import hashlib

from phosphene.errors import PhospheneError

AGAIN = "; copy or make it again"  # the mend of every damaged file

_SEAL = b"\x00\x00\x00\x38uuid" + hashlib.sha256(b"phosphene seal").digest()[:16]
_SEAL_SIZE = len(_SEAL) + 32


def seal(mp4: bytes) -> bytes:
    """Append a `uuid` box with the SHA-256 of all bytes before it. Players skip such boxes."""
    return mp4 + _SEAL + hashlib.sha256(mp4).digest()


def check(data: bytes, container: str) -> None:
    """Raise unless the file is as long as it says, and unchanged since it was sealed.

    Args:
        data: the whole file.
        container: `mp4`, `matroska`, `wav`, `avi`, ...; others declare no length and pass.

    Raises:
        PhospheneError: the file is cut short or its bytes changed.
    """
    end = {"mp4": _mp4_end, "matroska": _matroska_end, "wav": _riff_end, "avi": _riff_end}
    if container in end:
        declared = end[container](data)
        if declared > len(data):
            raise PhospheneError(
                f"cut short: {len(data)} of at least {declared} bytes are there{AGAIN}"
            )
    body, box = data[:-_SEAL_SIZE], data[-_SEAL_SIZE:]
    if box.startswith(_SEAL) and box[len(_SEAL) :] != hashlib.sha256(body).digest():
        raise PhospheneError(f"its bytes changed since it was written{AGAIN}")


def _mp4_end(data: bytes) -> int:
    """End of the last top-level box (ISO/IEC 14496-12, 4.2)."""
    at = 0
    while at < len(data):
        if at + 8 > len(data):
            return at + 8
        size = int.from_bytes(data[at : at + 4], "big")
        if size == 0:  # the box runs to the end of the file
            return len(data)
        header = 8
        if size == 1:
            size, header = int.from_bytes(data[at + 8 : at + 16], "big"), 16
        if size < header:
            raise PhospheneError(f"no valid mp4 box at byte {at}{AGAIN}")
        at += size
    return at


def _matroska_end(data: bytes) -> int:
    """End of the Segment element (RFC 8794, RFC 9559); streamed files declare none."""
    at = 4
    size, at = _vint(data, at)
    at += size or 0
    if data[at : at + 4] != b"\x18\x53\x80\x67":
        return at + 4
    size, at = _vint(data, at + 4)
    return len(data) if size is None else at + size


def _vint(data: bytes, at: int) -> tuple[int | None, int]:
    """An EBML variable-size integer at `at`, None for "unknown", and the place after it."""
    first = data[at] if at < len(data) else 0x80
    width = 9 - first.bit_length()
    value = int.from_bytes(data[at : at + width], "big") & ((1 << 7 * width) - 1)
    return (None if value == (1 << 7 * width) - 1 else value), at + width


def _riff_end(data: bytes) -> int:
    size = int.from_bytes(data[4:8], "little")
    return len(data) if size in (0, 0xFFFFFFFF) else size + 8
