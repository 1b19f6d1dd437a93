"""Ember's encoder: the loss on known points, and a short training that resumes."""

from __future__ import annotations

from fractions import Fraction

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from phosphene.clip import Clip  # noqa: E402
from phosphene.ember.contrast import EncoderConfig, train  # noqa: E402
from phosphene.ember.encoder import EmberEncoder, contrast  # noqa: E402
from phosphene.ember.world import Family, World  # noqa: E402
from phosphene.errors import PhospheneError  # noqa: E402

SMALL = {"dim": 32, "depth": 1, "heads": 2, "width": 16}


def test_the_loss_is_nought_for_right_pairs_and_log_n_for_none():
    points = torch.eye(8)
    one = torch.eye(8, dtype=torch.bool)
    assert contrast(points, points, one, torch.tensor(50.0)) < 1e-6
    same = torch.ones(8, 4) / 2
    assert float(contrast(same, same, one, torch.tensor(1.0))) == pytest.approx(np.log(8), abs=1e-5)
    # Where all belong together, nothing is wrong.
    assert float(contrast(same, same, torch.ones(8, 8, dtype=torch.bool), torch.tensor(1.0))) == 0


def config(out, samples):
    world = World({"equations": Family(fields={"variety": 0.0, "largest": 2})}, text_length=24)
    return EncoderConfig(out, world, samples, SMALL, batch=8, log_every=2, exam=8)


def test_a_short_training_learns_resumes_and_is_looked_up(tmp_path):
    told = []
    directory = train(config(tmp_path / "a", 240), told.append)
    losses = [e["loss"] for e in told if "loss" in e]
    assert losses[-1] < losses[0]
    train(config(tmp_path / "b", 120))
    train(config(tmp_path / "b", 240))  # its rate falls along another cosine until 120
    model = EmberEncoder.from_pretrained(directory)
    clip = Clip(
        np.zeros((5, 48, 48, 3), np.uint8), Fraction(8), np.zeros((1, 7000), np.float32), 8000
    )
    for points in (
        model.embed_clips([clip, clip]),
        model.embed_sounds([clip, clip]),
        model.embed_texts(["3 + 1", "a ball"]),
    ):
        assert points.shape == (2, 16)
        assert np.linalg.norm(points, axis=1) == pytest.approx(1, abs=1e-5)
    with pytest.raises(PhospheneError, match="silent"):
        model.embed_sounds([Clip(np.zeros((1, 8, 8, 3), np.uint8))])
