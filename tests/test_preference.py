"""Preference: planted tastes are found, and nothing is made up."""

from __future__ import annotations

import numpy as np
import pytest

from phosphene.exploring.preference import Opinion, Taste, opinions

RNG = np.random.default_rng(3)


def items(n=600, d=128, rank=24):
    x = RNG.standard_normal((n, rank)) @ RNG.standard_normal((rank, d))
    return (x / np.linalg.norm(x, axis=1, keepdims=True)).astype(np.float32)


def order(utility, liked):
    """How often a liked item comes before one that isn't."""
    return (utility[liked][:, None] > utility[~liked]).mean()


def test_without_opinions_it_is_neutral():
    x = items()
    taste = Taste.fit(x, [])
    quality = RNG.random(600)
    assert taste.weight == 0
    assert taste.utility(x) == pytest.approx(0.5)
    assert taste.fitness(x, quality, np.random.default_rng(0)) == pytest.approx(quality)
    # What a sampled taste likes is left to chance.
    samples = np.stack([taste.utility(x, taste.sample(RNG)) for _ in range(200)])
    assert samples.mean() == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("paired", [False, True])
def test_a_planted_direction_is_recovered(paired):
    x = items()
    truth = x @ (x[0] - x[1])
    liked = truth > np.median(truth)
    if paired:
        pairs = [(i, i + 1) if truth[i] > truth[i + 1] else (i + 1, i) for i in range(0, 120, 2)]
        said = [Opinion(a, over=b) for a, b in pairs]
    else:
        said = [Opinion(i, float(liked[i])) for i in range(60)]
    taste = Taste.fit(x, said)
    assert order(taste.utility(x)[120:], liked[120:]) > 0.85
    assert taste.weight == pytest.approx(60 / 70)
    # The opposite opinions make the opposite taste.
    other = Taste.fit(
        x,
        [
            Opinion(
                o.over if o.over is not None else o.item,
                1 - o.liked if o.over is None else 1,
                None if o.over is None else o.item,
            )
            for o in said
        ],
    )
    assert order(other.utility(x)[120:], liked[120:]) < 0.15


def test_the_more_is_said_the_less_samples_differ():
    x = items()
    truth = x @ x[0]

    def spread(n):
        taste = Taste.fit(x, [Opinion(i, float(truth[i] > np.median(truth))) for i in range(n)])
        draws = np.stack([taste.sample(RNG)[:-1] @ taste.axes.T @ x[0] for _ in range(300)])
        return draws.std()

    assert spread(200) < 0.8 * spread(2)


def test_the_mode_is_where_the_posterior_is_flat():
    # One dimension, one like at feature 1 and one dislike at -1, by hand: w = 2 s(-w) / lambda.
    x = np.array([[1.0, 0], [-1.0, 0]])
    taste = Taste.fit(x, [Opinion(0), Opinion(1, 0.0)])
    w, b = taste.mode
    w = abs(w)
    assert b == pytest.approx(0, abs=1e-8)
    assert w / 2**2 == pytest.approx(2 / (1 + np.exp(w)), rel=1e-6)
    # And its curvature is that of the logistic there, over the prior's.
    p = 1 / (1 + np.exp(-w))
    assert (taste.factor @ taste.factor.T)[0, 0] == pytest.approx(2 * p * (1 - p) + 1 / 4, rel=1e-6)


def test_somebody_who_likes_everything_tells_nothing():
    x = items()
    taste = Taste.fit(x, [Opinion(i) for i in range(200)])
    assert taste.mode[-1] > 1
    assert taste.utility(x).std() < 0.1


def test_the_same_events_and_seed_give_the_same_taste():
    x = items()
    said = [Opinion(0), Opinion(5, 0.0), Opinion(3, over=9)]
    one, two = (Taste.fit(x, said).sample(np.random.default_rng(7)) for _ in range(2))
    assert np.array_equal(one, two)


def test_the_last_word_counts_and_strangers_are_passed_over():
    rows = {"a": 0, "b": 1}
    events = [
        {"kind": "like", "id": "a", "by": "x"},
        {"kind": "dislike", "id": "a", "by": "x"},
        {"kind": "like", "id": "a", "by": "y"},
        {"kind": "pin", "id": "b", "by": "x"},
        {"kind": "unpin", "id": "b", "by": "x"},
        {"kind": "prefer", "id": "a", "over": "b", "by": "x"},
        {"kind": "prefer", "id": "a", "over": "gone", "by": "x"},
        {"kind": "prefer", "id": "a", "over": "a", "by": "x"},
        {"kind": "like", "id": "gone", "by": "x"},
        {"kind": "stop"},
        {"kind": "blend", "ids": ["a", "b"]},
    ]
    assert opinions(events, rows) == [Opinion(0, 0.0), Opinion(0, 1.0), Opinion(0, over=1)]


def test_opinions_about_one_item_in_an_archive_of_one():
    taste = Taste.fit(np.eye(1, 8, dtype=np.float32), [Opinion(0)])
    assert taste.utility(np.eye(1, 8)) == pytest.approx(0.5)
    assert np.isfinite(taste.sample(RNG)).all()
