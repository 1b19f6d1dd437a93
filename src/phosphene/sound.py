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


def moments(
    rng: np.random.Generator, count: int, start: float, end: float, gap: float
) -> np.ndarray:
    """`count` random times within `start`..`end`, ascending, no two nearer than `gap`.

    The first one lies within a tenth of the spare time from `start`. Where there is no room for the
    gaps they are evenly spaced over the whole span.
    """
    spare = end - start - gap * (count - 1)
    if spare <= 0:
        return np.linspace(start, end, count)
    extra = np.sort(rng.uniform(0, spare, count))
    extra[0] = rng.uniform(0, min(0.1 * spare, extra[0]))
    return start + extra + gap * np.arange(count)


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
