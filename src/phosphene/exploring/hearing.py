"""Hearing: a clip's sound as a log-mel spectrogram, whatever its rate and channels."""

from __future__ import annotations

import math
from functools import cache

import numpy as np

from phosphene.clip import Clip
from phosphene.errors import PhospheneError

RATE = 16_000  # Hz; what is measured is heard at this rate
HOP = 160  # samples: 10 ms
WINDOW = 400  # samples: 25 ms
FLOOR = -80.0  # dB under full scale; what is fainter is silence
_FFT = 512


def heard(clip: Clip, who: str, rate: int = RATE) -> np.ndarray:
    """The mean of its channels, float32 `(samples,)` at `rate` Hz; what isn't finite is silent.

    Raises:
        PhospheneError: a clip without sound; `who` is named.
    """
    if clip.audio is None or not clip.rate:
        raise PhospheneError(f"{who} listens to sound; it was given a clip without any")
    track = np.nan_to_num(clip.audio.mean(0), posinf=0, neginf=0).astype(np.float32)
    if clip.rate == rate:
        return track
    from scipy.signal import resample_poly

    common = math.gcd(clip.rate, rate)
    out = resample_poly(track.astype(np.float64), rate // common, clip.rate // common)
    return out.astype(np.float32)


def log_mel(track: np.ndarray, bands: int = 32) -> np.ndarray:
    """Level of each band at each moment: dB float32 `(moments, bands)`, `FLOOR` or more.

    A sine at full scale comes to about 0 dB in its band. There is a moment every `HOP` samples,
    the first around sample 0; a track shorter than a hop has one.
    """
    count = max(1, math.ceil(len(track) / HOP))
    room = (count - 1) * HOP + WINDOW
    padded = np.zeros(room, np.float32)
    end = min(len(track), room - WINDOW // 2)
    padded[WINDOW // 2 : WINDOW // 2 + end] = track[:end]
    windows = np.lib.stride_tricks.sliding_window_view(padded, WINDOW)[::HOP]
    spectrum = np.fft.rfft(windows * np.hanning(WINDOW).astype(np.float32), _FFT)
    # A sine of amplitude 1 has its spectrum's peak at a quarter of the window's length.
    power = np.abs(spectrum * (4 / WINDOW)) ** 2 @ mel_bank(bands).T
    return (10 * np.log10(power + 10 ** (FLOOR / 10))).astype(np.float32)


@cache
def mel_bank(bands: int) -> np.ndarray:
    """Triangular filters float64 `(bands, bins)`, evenly on the mel scale from 40 Hz to 7.6 kHz.

    m = 2595 log10(1 + f / 700). Each peaks at 1.

    References:
        O'Shaughnessy, Speech Communication: Human and Machine (1987), section 4.3
    """
    low, high = (2595 * math.log10(1 + f / 700) for f in (40, 7600))
    edges = 700 * (10 ** (np.linspace(low, high, bands + 2) / 2595) - 1)
    bins = np.fft.rfftfreq(_FFT, 1 / RATE)
    left, middle, right = edges[:-2, None], edges[1:-1, None], edges[2:, None]
    rising, falling = (bins - left) / (middle - left), (right - bins) / (right - middle)
    filters = np.minimum(rising, falling).clip(0)
    # The lowest filters are narrower than a bin: each has at least the bin next to its middle.
    nearest = np.abs(bins - middle).argmin(1)
    filters[np.arange(bands), nearest] = np.maximum(filters[np.arange(bands), nearest], 1e-3)
    return filters


def rises(levels: np.ndarray) -> np.ndarray:
    """How strongly something starts to sound at each moment: dB float32 `(moments,)`, 0 or more.

    Spectral flux: the mean over bands of each band's rise since the moment before; before the
    first one there was silence.

    Args:
        levels: from `log_mel`.

    References:
        A Tutorial on Onset Detection in Music Signals (Bello et al., 2005), section III-C,
        https://doi.org/10.1109/TSA.2005.851998
    """
    before = np.concatenate([np.full((1, levels.shape[1]), FLOOR, np.float32), levels[:-1]])
    return (levels - before).clip(0).mean(1)
