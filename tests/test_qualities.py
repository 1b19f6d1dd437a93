"""Qualities on clips whose order of merit is known, and ensembles of them."""

from __future__ import annotations

import math
from fractions import Fraction

import numpy as np
import pytest

from phosphene.clip import Clip
from phosphene.embedding import TextEmbedding, embeddings
from phosphene.errors import PhospheneError
from phosphene.exploring.ensemble import Ensemble
from phosphene.quality import qualities
from phosphene.request import Request

RNG = np.random.default_rng(1)
FPS, RATE = 16, 16_000


def score(name, *clips, prompts=None, **settings):
    requests = [Request(prompt=p) for p in prompts or [""] * len(clips)]
    return qualities.get(name)(**settings).score(clips, requests)


def film(pictures, audio=None):
    frames = np.repeat(np.asarray(pictures, float)[..., None], 3, 3).round().clip(0, 255)
    sound = None if audio is None else np.asarray(audio, np.float32)[None]
    return Clip(frames.astype(np.uint8), Fraction(FPS), sound, None if sound is None else RATE)


def disc(x=32.0, soft=0.5, size=64):
    """A bright disc of radius 12; `soft` is the width of its edge in pixels."""
    v, u = np.mgrid[:size, :size]
    return 30 + 200 / (1 + np.exp((np.hypot(u - x, v - 32) - 12) / soft))


def noise(count=1, size=64, spread=50.0):
    return RNG.normal(128, spread, (count, size, size))


def clicks(times, seconds):
    track = np.zeros(int(seconds * RATE))
    for t in times:
        at = int(t * RATE)
        length = min(800, len(track) - at)
        burst = RNG.normal(0, 0.3, length) * np.exp(-np.arange(length) / 150)
        track[at : at + length] += burst
    return track


def test_a_sharp_edge_beats_a_soft_one_and_noise():
    sharp, soft, grain = score("sharpness", film([disc()]), film([disc(soft=4)]), film(noise(9)))
    assert sharp > 4 * abs(soft)
    assert sharp > 4 * abs(grain)
    # White noise comes to nothing, however strong it is.
    faint, strong = score("sharpness", film(noise(spread=5)), film(noise(spread=40)))
    assert abs(faint) < 0.02
    assert abs(strong) < 0.05
    assert score("sharpness", film([np.zeros((2, 9))])) == [None]


def test_blank_noise_and_burnt_pictures_are_no_pictures():
    good, drawing = film([disc()]), film([255 - 225 * (disc() > 128)])
    blank, grain = film(np.full((1, 64, 64), 128)), film(noise())
    burnt = film([255 * (disc(soft=30) > disc(soft=30).mean())])
    found = score("validity", good, drawing, blank, grain, burnt)
    assert found[0] > 0.9
    assert found[1] > 0.8
    assert found[2] == 0
    assert found[3] < 0.1
    assert found[4] < 0.6
    assert score("validity", film(np.zeros((1, 1, 1)))) == [0]


def test_movement_saturates_and_stillness_is_nought():
    still, slow, fast = (film([disc(20 + dx * t) for t in range(9)]) for dx in (0, 1, 4))
    found = score("motion", still, slow, fast)
    assert found[0] == 0 < found[1] < found[2] < 1
    assert score("motion", film([disc()])) == [None]
    blink = film([np.full((32, 32), 255 * (t % 2)) for t in range(4)])
    assert score("motion", blink, half=1.0) == pytest.approx([0.5])


def test_only_what_is_undone_is_unstable():
    def grey(*levels):
        return film([np.full((8, 8), v) for v in levels])

    fade, cut, still, blink, half = score(
        "stability",
        grey(0, 80, 160, 240),
        grey(0, 0, 255, 255),
        grey(9, 9, 9),
        grey(0, 255, 0, 255),
        grey(0, 102, 0),
    )
    assert (fade, cut, still) == pytest.approx((1, 1, 1))
    assert blink == pytest.approx(0)
    assert half == pytest.approx(0.6)
    assert score("stability", grey(0, 255)) == [None]


def test_drift_is_what_was_not_there_before():
    still = film([disc()] * 8)
    loop = film([disc(20 + 8 * (t % 2)) for t in range(8)])
    onward = film([disc(12 + 6 * t) for t in range(8)])
    found = score("drift", still, loop, onward)
    assert found[0] == pytest.approx(0, abs=1e-5)
    assert found[0] < found[1] < found[2]
    # Two frames: their cosine distance itself.
    pair = film([disc(20), disc(44)])
    points = embeddings.get("pixels")().embed([Clip(f[None]) for f in pair.frames])
    assert score("drift", pair) == pytest.approx([1 - float(points[0] @ points[1])], abs=1e-5)
    assert score("drift", film([disc()])) == [None]
    with pytest.raises(PhospheneError, match="log_mel"):
        score("drift", onward, embedding="log_mel")


def test_sounds_with_the_movement_beat_the_same_sounds_elsewhere():
    steps = [5, 12, 21, 29]
    x, places = 10.0, []
    for t in range(33):
        x += 8 if t in steps else 0
        places.append(disc(x))
    seconds = 33 / FPS
    # What first shows in frame k happened since frame k - 1.
    together = film(places, clicks([(k - 0.5) / FPS for k in steps], seconds))
    late = film(places, clicks([(k + 2.5) / FPS for k in steps], seconds))
    elsewhere = film(places, clicks([(k + 3.5) / FPS for k in (1, 9, 18, 26)], seconds))
    found = score("coherence", together, late, elsewhere)
    assert found[0] > 0.5 > 0 > max(found[1:])
    silent, still = film(places, np.zeros(int(seconds * RATE))), film([disc()] * 33, clicks([1], 2))
    assert score("coherence", silent, still, film(places[:3], clicks([0.1], 0.2))) == [None] * 3


def test_audible_and_unclipped():
    tone = np.sin(np.arange(RATE) * 0.2)
    clips = [Clip(None, audio=a[None].astype(np.float32), rate=RATE) for a in (
        0.5 * tone, 0 * tone, 0.001 * tone, np.sign(tone), clicks([0.5], 1.0)
    )]  # fmt: skip
    good, silent, faint, square, click = score("loudness", *clips)
    assert good > 0.99
    assert silent == 0
    assert faint < 0.02
    assert square < 0.02
    assert click > 0.9


class Told(TextEmbedding):
    """Pictures by their brightness, words by whether they say bright."""

    name = "told"
    streams = frozenset({"video"})

    def embed(self, clips):
        level = np.array([c.frames.mean() / 255 * np.pi / 2 for c in clips])
        return np.stack([np.cos(level), np.sin(level)], 1)

    def embed_texts(self, texts):
        return np.array([[0.0, 1.0] if "bright" in t else [1.0, 0.0] for t in texts])


def test_alignment_is_the_cosine_with_the_prompt(monkeypatch):
    found = {"told": Told, "pixels": embeddings.get("pixels")}
    monkeypatch.setattr(type(embeddings), "get", lambda self, name: found[name])
    from phosphene.qualities.alignment import Alignment

    clips = [film(np.full((1, 4, 4), v)) for v in (255, 0, 255)]
    sound = Clip(None, audio=np.zeros((1, 9), np.float32), rate=RATE)
    requests = [Request(prompt=p) for p in ("bright", "bright", " ", "bright")]
    scores = Alignment("told").score([*clips, sound], requests)
    assert scores == [pytest.approx(1), pytest.approx(0, abs=1e-6), None, None]
    with pytest.raises(PhospheneError, match="no words"):
        Alignment("pixels").score(clips[:1], requests[:1])


def test_pairing_wants_two_streams_in_one_space():
    clip = film([disc()] * 4, clicks([0.1], 0.25))
    with pytest.raises(PhospheneError, match="same space"):
        score("pairing", clip, pictures="pixels", sound="motion")
    with pytest.raises(PhospheneError, match="share no space"):
        score("pairing", clip, pictures="pixels", sound="log_mel")


def test_an_ensemble_is_the_mean_of_mid_ranks():
    warmup = [{"a": float(i), "b": None if i else 5.0, "c": 1.0} for i in range(4)]
    ranks = Ensemble(("a", "b"), judge="c").calibrated(warmup)
    assert [ranks.rank("a", x) for x in (0, 1.5, 3)] == [0.125, 0.5, 0.875]
    # The deviation of 0, 1, 2, 3 is the root of 5/4.
    far = math.exp(-6 / math.sqrt(1.25))
    assert ranks.rank("a", 9) == pytest.approx(1 - far / 8)
    assert ranks.rank("a", -6) == pytest.approx(far / 8)
    assert ranks.rank("b", 5.0) == 0.5
    assert ranks.quality({"a": 3, "b": 5.0}) == (0.875 + 0.5) / 2
    assert ranks.quality({"a": None, "b": 7.0}) == pytest.approx(1)
    assert ranks.quality({"a": None, "b": None}) == 0
    # The judge is heard and not followed.
    assert ranks.quality({"a": 3, "b": 5.0, "c": -99.0}) == (0.875 + 0.5) / 2
    assert ranks.verdict({"c": 2.0}) == 1
    assert Ensemble(("a", "b")).calibrated(warmup).verdict({"c": 2.0}) is None


def test_what_nothing_of_the_warm_up_knew_is_left_out():
    ranks = Ensemble(("a", "b")).calibrated([{"a": 1.0, "b": None}, {"a": 2.0}])
    assert ranks.quality({"a": 2.0, "b": 100.0}) == 0.75


@pytest.mark.parametrize(
    ("names", "judge", "match"),
    [(("a",), None, "alone"), (("a", "a"), None, "twice"), (("a", "b"), "b", "judge b")],
)
def test_never_one_verifier_alone(names, judge, match):
    with pytest.raises(PhospheneError, match=match):
        Ensemble(names, judge)


def test_a_score_that_is_no_number_is_named():
    with pytest.raises(PhospheneError, match="quality a gave nan"):
        Ensemble(("a", "b")).calibrated([{"a": float("nan"), "b": 1.0}])
