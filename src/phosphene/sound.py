"""Sound primitives that every task's renderer and judge share. Mono float32 arrays, -1..1."""

from __future__ import annotations

import numpy as np


def tone(samples: int, rate: int, frequency: float, fade: float = 0.008) -> np.ndarray:
    """A sine of that many samples at `frequency` Hz, amplitude 0.5, faded at both ends."""
    t = np.arange(samples, dtype=np.float32)
    ramp = np.minimum(np.minimum(t, samples - 1 - t) / (fade * rate), 1)
    return (0.5 * ramp * np.sin(2 * np.pi * frequency / rate * t)).astype(np.float32)


def thump(samples: int, rate: int, frequency: float = 320.0, decay: float = 0.02) -> np.ndarray:
    """The sound of an impact: a sine at `frequency` Hz that dies off with constant `decay` s."""
    t = np.arange(samples, dtype=np.float32) / rate
    return (0.8 * np.exp(-t / decay) * np.sin(2 * np.pi * frequency * t)).astype(np.float32)


def mix(track: np.ndarray, sound: np.ndarray, start: float, rate: int) -> None:
    """Add `sound` to `track` `(samples,)` in place, from `start` seconds on, cut at the end."""
    first = round(start * rate)
    room = track[first : first + len(sound)]
    room += sound[: len(room)]


# The last hop of a sound transform overlaps nothing, so every track ends in this much silence.
TAIL = 0.016


def finish(track: np.ndarray, rate: int) -> np.ndarray:
    """float32 `(1, samples)`, faded to silence over 8 ms before the last `TAIL` seconds."""
    fade, tail = round(0.008 * rate), round(TAIL * rate)
    track[-tail:] = 0
    track[-tail - fade : -tail] *= np.linspace(1, 0, fade, dtype=np.float32)
    return np.clip(track, -1, 1)[None]


def strongest(track: np.ndarray, rate: int, frequencies: np.ndarray) -> tuple[int, float]:
    """Which of `frequencies` (Hz) sounds loudest in `track`, and its share of the energy (0..1)."""
    t = np.arange(len(track)) / rate
    wave = np.exp(-2j * np.pi * np.outer(frequencies, t))
    power = np.abs(wave @ track) ** 2 * 2 / max(len(track), 1)
    best = int(power.argmax())
    return best, float(power[best] / max(float((track**2).sum()), 1e-9))


def onsets(track: np.ndarray, rate: int, threshold: float = 0.15) -> np.ndarray:
    """Times in seconds at which the 4 ms envelope rises past `threshold`, at least 60 ms apart."""
    hop = max(1, round(0.004 * rate))
    envelope = np.abs(track[: len(track) // hop * hop]).reshape(-1, hop).max(1)
    before = np.concatenate([[0.0], envelope[:-1]])
    rises = np.flatnonzero((envelope >= threshold) & (before < threshold)) * hop / rate
    kept: list[float] = []
    for time in rises:
        if not kept or time - kept[-1] >= 0.06:
            kept.append(float(time))
    return np.array(kept)
