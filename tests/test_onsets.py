"""Onsets and pitches against sounds made here; the sounds of audio-visual tasks against mutants."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import signal

from phosphene.readers.onsets import notes, onsets, out_of_step, pitch
from phosphene.sound import finish, mix, moments, thump, tone
from phosphene.task import Canvas, tasks

TIMES = np.array([0.05, 0.14, 0.31, 0.4, 0.62, 0.95])
PITCHES = np.array([260.0, 990.0, 520.0, 1040.0, 305.0, 735.0])
AUDIO_VISUAL = ("clicks", "rhythm", "which_ball")


def _track(rate, make):
    track = np.zeros(round(1.125 * rate), np.float32)
    for time, hertz in zip(TIMES, PITCHES, strict=True):
        mix(track, make(hertz), time, rate)
    return finish(track, rate)[0]


def _sounds(rate):
    yield _track(rate, lambda hertz: thump(round(0.06 * rate), rate, hertz, 0.012))
    yield _track(rate, lambda hertz: tone(round(0.06 * rate), rate, hertz))


@pytest.mark.parametrize("rate", [8000, 11025, 22050, 48000])
@pytest.mark.parametrize("gain", [1.0, 0.3, 0.01])
def test_times_and_pitches_at_any_rate_and_level(rate, gain):
    for track in _sounds(rate):
        found = notes(gain * track, rate)
        assert np.allclose([time for time, _ in found], TIMES, atol=0.008)
        assert np.allclose([hertz or 0 for _, hertz in found], PITCHES, rtol=0.01)


def test_noise_20_db_below_changes_nothing():
    rng = np.random.default_rng(0)
    for track in _sounds(8000):
        hiss = rng.normal(0, 0.1 * np.sqrt((track**2).mean()), len(track))
        found = notes((track + hiss).astype(np.float32), 8000)
        assert np.allclose([time for time, _ in found], TIMES, atol=0.008)
        assert np.allclose([hertz or 0 for _, hertz in found], PITCHES, rtol=0.01)


def test_a_sound_10_db_softer_still_counts_and_one_40_db_softer_does_not():
    for gain, count in ((0.3, 2), (0.01, 1)):
        track = np.zeros(8000, np.float32)
        mix(track, thump(400, 8000, 700, 0.012), 0.2, 8000)
        mix(track, gain * thump(400, 8000, 700, 0.012), 0.5, 8000)
        assert len(onsets(track, 8000)) == count


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf])
def test_nothing_starts_in_silence_or_in_what_is_no_number(value):
    assert len(onsets(np.full(8000, value, np.float32), 8000)) == 0
    assert notes(np.full(8000, value, np.float32), 8000) == []


def test_steady_noise_is_no_onset_and_has_no_pitch():
    for seed in range(5):
        hiss = np.random.default_rng(seed).normal(0, 0.2, 9000).astype(np.float32)
        assert len(onsets(hiss, 8000)) == 0
        assert pitch(hiss[:800], 8000) is None


def test_pitch_is_the_fundamental_not_its_loudest_overtone():
    t = np.arange(1600) / 16000
    voice = sum(a * np.sin(2 * np.pi * 220 * k * t) for k, a in ((1, 0.5), (2, 0.9), (3, 0.4)))
    assert pitch(np.asarray(voice, np.float32), 16000) == pytest.approx(220, rel=0.01)


def test_out_of_step_takes_the_frame_before_and_some_slack():
    assert out_of_step([0.26, 0.6], [3, 5], 8) == ""
    assert "sound 2 comes at 0.20 s" in out_of_step([0.1, 0.2], [1, 5], 8)
    assert "1 sounds for 2" in out_of_step([0.1], [1, 5], 8)
    assert out_of_step([0.375 + 0.081], [3], 8)
    assert out_of_step([0.25 - 0.081], [3], 8)


def test_moments_keep_their_distance():
    for seed in range(50):
        found = moments(np.random.default_rng(seed), 7, 0.06, 0.68, 0.085)
        assert found[0] >= 0.06
        assert found[-1] <= 0.68
        assert np.diff(found).min() >= 0.0849


def _heard(clip):
    return onsets(clip.audio[0], clip.rate)


def _missing(clip, rng):
    track, times = clip.audio.copy(), [*_heard(clip), clip.audio.shape[1] / clip.rate]
    k = int(rng.integers(len(times) - 1))
    track[:, round((times[k] - 0.008) * clip.rate) : round((times[k + 1] - 0.008) * clip.rate)] = 0
    return track


def _extra(clip, rng):
    times = np.array([-0.1, *_heard(clip), clip.audio.shape[1] / clip.rate])
    widest = int(np.diff(times).argmax())
    track = clip.audio[0].copy()
    knock = thump(round(0.05 * clip.rate), clip.rate, 700, 0.012)
    mix(track, knock, max((times[widest] + times[widest + 1]) / 2, 0.02), clip.rate)
    return track[None]


def _delayed(clip, rng):
    quarter = clip.audio.shape[1] // 4
    return np.pad(clip.audio, ((0, 0), (quarter, 0)))[:, :-quarter]


WRONG = {
    "silence": lambda clip, rng: np.zeros_like(clip.audio),
    "white noise": lambda clip, rng: rng.normal(0, 0.2, clip.audio.shape),
    "rolled on": lambda clip, rng: np.roll(clip.audio, clip.audio.shape[1] // 4, 1),
    "rolled back": lambda clip, rng: np.roll(clip.audio, -(clip.audio.shape[1] // 4), 1),
    "delayed": _delayed,
    "reversed": lambda clip, rng: clip.audio[:, ::-1],
    "one too many": _extra,
    "one missing": _missing,
}
RIGHT = {
    "resampled": lambda x, rng: signal.resample_poly(signal.resample_poly(x, 2, 1, 1), 1, 2, 1),
    "noise 20 dB below": lambda x, rng: x + rng.normal(0, 0.1 * np.sqrt((x**2).mean()), x.shape),
    "softer": lambda x, rng: 0.3 * x,
    "20 dB softer": lambda x, rng: 0.1 * x,
    "low-passed": lambda x, rng: signal.sosfilt(signal.butter(6, 0.5, output="sos"), x),
    "30 ms late": lambda x, rng: np.pad(x, ((0, 0), (240, 0)))[:, :-240],
    "two channels": lambda x, rng: np.concatenate([x, 0.5 * x]),
}


def _solved(name, seeds):
    kind = tasks.get(name)
    for fields in kind.LADDER:
        task = kind(**fields)
        for seed in range(seeds):
            problem = task.sample(seed)
            yield task, problem, task.solve(problem, Canvas()), np.random.default_rng(seed)


@pytest.mark.parametrize("name", AUDIO_VISUAL)
def test_wrong_sounds_fail_as_sounds(name):
    for task, problem, clip, rng in _solved(name, 2):
        for wrong, change in WRONG.items():
            track = np.ascontiguousarray(change(clip, rng), np.float32)
            verdict = task.score(problem, replace(clip, audio=track))
            assert verdict.sound == "failed", (wrong, verdict)
            assert verdict.answer == "passed"


@pytest.mark.parametrize("name", AUDIO_VISUAL)
def test_damaged_sounds_are_still_right(name):
    for task, problem, clip, rng in _solved(name, 2):
        for damage, change in RIGHT.items():
            track = np.ascontiguousarray(change(clip.audio, rng), np.float32)
            verdict = task.score(problem, replace(clip, audio=track))
            assert verdict.passed, (damage, verdict)


@pytest.mark.parametrize("name", AUDIO_VISUAL)
def test_tasks_scale_to_other_canvases(name):
    for canvas in (Canvas(96, 25, 24, 48000), Canvas(64, 81, 16, 16000)):
        kind = tasks.get(name)
        task = kind(**kind.LADDER[-1])
        problem = task.sample(3)
        verdict = task.score(problem, task.solve(problem, canvas), canvas=canvas)
        assert verdict.passed, verdict


@pytest.mark.parametrize("name", AUDIO_VISUAL)
def test_a_picture_alone_is_judged_on_what_it_shows(name):
    for task, problem, clip, _ in _solved(name, 2):
        image = replace(clip, frames=clip.frames[-1:], audio=None, rate=None)
        verdict = task.score(problem, image)
        assert (verdict.answer, verdict.givens, verdict.sound) == ("passed", "passed", "failed")
