"""Onsets: when sounds start, how high they are, and whether they fall in step with the picture."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

BANDS = (60, 250, 500, 1000, 2000, 4000, 8000)  # Hz; edges of the bands that are watched
STEP = 0.004  # seconds from one look to the next
WINDOW = 0.016  # seconds of sound in one look
RISE = 6.0  # dB within a window that make an onset
DEPTH = 25.0  # dB below the loudest moment at which nothing counts any more
APART = 0.05  # seconds between two onsets, at least
SILENCE = 1e-4  # amplitude below which a track is silent: 80 dB under full scale
SLACK = 0.08  # seconds that a sound may miss the picture by, either way


def onsets(track: np.ndarray, rate: int) -> np.ndarray:
    """Times in seconds, ascending, at which something starts to sound, at least `APART` apart.

    An onset is a rise of the level by `RISE` dB within 16 ms, in the whole band or in one of
    `BANDS`. Levels are floored both `DEPTH` below the clip's loudest moment and at the noise that
    is there all the time, so neither gain nor steady noise matters.

    Args:
        track: float32 `(samples,)`; silent ones and ones that hold NaN or infinity have no onsets.
        rate: samples a second, 2000 or more.
    """
    if len(track) < WINDOW * rate or not SILENCE <= np.abs(track).max() < np.inf:
        return np.zeros(0)
    power = _bands(track, rate)
    steady = 10 * np.quantile(power, 0.2, axis=0)
    # One band alone must be louder to count: codecs let their noise come and go by bands.
    depth = np.array([DEPTH, *[DEPTH - 10] * (power.shape[1] - 1)])
    floor = np.maximum(steady, power.max() * 10 ** (-depth / 10))
    level = 10 * np.log10(power + floor)
    lag = round(WINDOW / STEP)
    # What was there before the clip began is silence: a sound may start with it.
    level = np.concatenate([np.repeat(10 * np.log10(floor)[None], lag, 0), level])
    rise = (level[lag:] - level[:-lag]).max(1)
    return _peaks(rise, track, rate)


def pitch(track: np.ndarray, rate: int) -> float | None:
    """The frequency in Hz of a short sound `(samples,)`; of one with overtones the fundamental.

    The strongest line of the spectrum (60 Hz to 0.45 of the rate), or the lowest line that it is a
    2nd to 4th overtone of, if that carries a tenth of its power. None for silence and for noise,
    whose strongest line stands out from the spectrum's mean by less than 8.
    """
    if len(track) < 0.01 * rate or np.abs(track).max() < SILENCE:
        return None
    length = 1 << max(int(np.ceil(np.log2(len(track)))) + 2, 13)
    # The window falls off with the sound: a struck note is loudest where it starts.
    fade = np.cos(np.linspace(0, np.pi / 2, len(track))) ** 2
    power = np.abs(np.fft.rfft(track * fade, length)) ** 2
    low, high = int(60 * length / rate) + 1, int(0.45 * length)
    best = low + int(power[low:high].argmax())
    if power[best] < 8 * power[low:high].mean():
        return None
    for overtone in (4, 3, 2):
        near = best / overtone
        a, b = int(near * 0.97), int(near * 1.03) + 1
        if a > low and power[a : b + 1].max() > 0.1 * power[best] and _is_line(power, a, b):
            best = a + int(power[a : b + 1].argmax())
            break
    left, top, right = np.log(power[best - 1 : best + 2] + 1e-20)
    bend = left - 2 * top + right
    offset = 0.5 * (left - right) / bend if bend < 0 else 0.0
    return float((best + np.clip(offset, -0.5, 0.5)) * rate / length)


def notes(track: np.ndarray, rate: int, longest: float = 0.12) -> list[tuple[float, float | None]]:
    """Each onset's time (s) and pitch (Hz, None where there is none), ascending.

    Args:
        longest: seconds of a sound that its pitch is taken from; it ends at the next onset.
    """
    times = onsets(track, rate)
    ends = [*times, len(track) / rate][1:]
    out = []
    for time, end in zip(times, ends, strict=True):
        part = track[round(time * rate) : round(min(end - 0.008, time + longest) * rate)]
        hertz = pitch(part, rate)
        out.append((round(float(time), 3), None if hertz is None else round(hertz, 1)))
    return out


def out_of_step(heard: Sequence[float], seen: Sequence[int], fps: float) -> str:
    """What is wrong with the times of sounds that go with things seen; empty if nothing is.

    What first shows in frame k happened after frame k - 1, so its sound belongs between the two,
    `SLACK` seconds more or less.

    Args:
        heard: times in seconds, ascending.
        seen: for each sound the first frame that shows its cause, ascending.
    """
    if len(heard) != len(seen):
        return f"{len(heard)} sounds for {len(seen)} things seen"
    for number, (time, frame) in enumerate(zip(heard, seen, strict=True), 1):
        early, late = (frame - 1) / fps - SLACK, frame / fps + SLACK
        if not early <= time <= late:
            return f"sound {number} comes at {time:.2f} s, its picture at {frame / fps:.2f} s"
    return ""


def _bands(track: np.ndarray, rate: int) -> np.ndarray:
    """Power `(looks, 1 + bands)`: of all that lies in `BANDS` first, then of each band."""
    size, hop = round(WINDOW * rate), max(round(STEP * rate), 1)
    padded = np.pad(track.astype(np.float64), (size // 2, size))
    count = len(track) // hop
    windows = np.lib.stride_tricks.sliding_window_view(padded, size)[: count * hop : hop]
    power = np.abs(np.fft.rfft(windows * np.hanning(size), 2 * size)) ** 2
    frequency = np.arange(power.shape[1]) * rate / (2 * size)
    top = min(BANDS[-1], rate / 2)
    edges = [edge for edge in BANDS if edge < 0.75 * top] + [top]
    bands = [power[:, (frequency >= a) & (frequency < b)].sum(1) for a, b in pairwise(edges)]
    return np.stack([np.sum(bands, 0), *bands], 1)


def _peaks(rise: np.ndarray, track: np.ndarray, rate: int) -> np.ndarray:
    """Times of the peaks of `rise` past `RISE`, the highest first where they crowd, refined."""
    hop, apart = max(round(STEP * rate), 1), round(APART / STEP)
    left = np.where(rise >= RISE, rise, 0)
    times = []
    while left.max() > 0:
        peak = int(left.argmax())
        # Higher peaks were taken before; around this one nothing else may be.
        left[max(peak - apart, 0) : peak + apart + 1] = 0
        times.append(_start(track, rate, peak * hop))
    return np.sort(np.array(times))


def _start(track: np.ndarray, rate: int, near: int) -> float:
    """Seconds at which the 1 ms envelope first climbs half way to its peak around sample `near`."""
    reach, hop = round(0.02 * rate), max(round(0.001 * rate), 1)
    begin = max(near - reach, 0)
    part = np.abs(track[begin : near + reach])
    part = part[: len(part) // hop * hop].reshape(-1, hop).max(1)
    if not len(part):
        return near / rate
    half = (part[: max(len(part) // 4, 1)].mean() + part.max()) / 2
    return (begin + int((part >= half).argmax()) * hop) / rate


def _is_line(power: np.ndarray, a: int, b: int) -> bool:
    """Whether the power between bins a and b peaks inside, rather than rising to a neighbour."""
    best = a + int(power[a : b + 1].argmax())
    return bool(a < best < b)
