"""Attention flow: planted maps are read as planted, shuffled weights claim nothing."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

torch = pytest.importorskip("torch")
from phosphene.errors import PhospheneError  # noqa: E402
from phosphene.notebook import Notebook  # noqa: E402
from phosphene.probes.attention import COMPONENT, _findings  # noqa: E402
from phosphene.probing.flow import (  # noqa: E402
    among_twins,
    by_order,
    chain,
    drawn,
    forward,
    interval,
    measures,
    to_first,
)
from phosphene.probing.twin import shuffled  # noqa: E402
from phosphene.subject import Setup, Subject  # noqa: E402
from phosphene.testing import tiny  # noqa: E402


def mass(weights: np.ndarray) -> np.ndarray:
    """A map `(..., 3 + frames, 3 + frames)` of attention between frames alone."""
    n = weights.shape[-1]
    out = np.zeros((*weights.shape[:-2], 3 + n, 3 + n), np.float32)
    out[..., :3, :] = np.nan
    out[..., 3:, 3:] = weights / weights.sum(-1, keepdims=True)
    return out


def planted(kind: str, frames: int = 8) -> np.ndarray:
    at = np.arange(frames)
    gap = at[:, None] - at[None]
    made = {
        "chain": 1.0 + 5 * (gap == 1),
        "back": 1.0 + 2 * (gap > 0),
        "ahead": 1.0 + 2 * (gap < 0),
        "near": 1.0 + 5 * (abs(gap) == 1),
        "first": 1.0 + 5 * (at[None] == 0) + 0 * gap,
        "even": np.ones((frames, frames)),
    }
    return mass(made[kind])


def test_measures_of_planted_maps():
    found = {
        kind: {name: float(m(planted(kind))) for name, m in measures(planted(kind)).items()}
        for kind in ("chain", "back", "ahead", "near", "first", "even")
    }
    assert set(found["chain"]) == {"forward", "first frame", "chain"}
    assert found["chain"]["chain"] > 0.3
    assert found["back"]["forward"] == pytest.approx(-found["ahead"]["forward"], abs=0.2)
    assert found["back"]["forward"] > 0.2 > -0.2 > found["ahead"]["forward"]
    assert abs(found["near"]["chain"]) < 1e-6
    assert abs(found["near"]["forward"]) < 0.1
    assert found["first"]["first frame"] > 0.3
    assert abs(found["first"]["chain"]) < 1e-6
    for value in found["even"].values():
        assert abs(value) < 1e-6


def test_text_and_sound_are_measured_where_they_are():
    whole = np.full((1, 8, 8), 1 / 7)
    whole[:, 2, :] = np.nan
    whole[:, :, 2] = 0
    assert {
        n: float(m(whole)[0]) for n, m in measures(whole).items() if n in ("text", "sound")
    } == {
        "text": pytest.approx(1 / 7),
        "sound": pytest.approx(1 / 7),
    }
    assert set(measures(planted("even", 1))) == set()
    assert set(measures(planted("even", 3))) == {"forward", "first frame"}


def test_order_of_frames():
    rng = np.random.default_rng(0)
    assert by_order(chain, drawn(planted("chain"))) < 0.01
    assert by_order(forward, drawn(planted("back"))) < 0.01
    assert by_order(chain, drawn(planted("even"))) == 1
    nulls = [by_order(forward, rng.random((5, 5))) for _ in range(200)]
    assert np.mean(np.array(nulls) < 0.05) < 0.1


def test_a_draw_from_the_twins_is_no_find():
    rng = np.random.default_rng(1)
    p = [among_twins(rng.normal(3, 2), rng.normal(3, 2, 10)) for _ in range(2000)]
    assert np.mean(np.array(p) < 0.05) == pytest.approx(0.05, abs=0.015)
    assert among_twins(30.0, rng.normal(3, 2, 10)) < 1e-4
    assert among_twins(1.0, np.ones(10)) == 1


def units(kind: str, items: int, rng: np.random.Generator, size: float = 1.0) -> dict[str, Any]:
    """What the probe keeps of `items` problems: 2 steps, 2 layers, 2 heads."""
    base = planted(kind)[3:, 3:] - 1 / 8
    noise = rng.normal(0, 0.01, (items, 2, 2, 2, 8, 8)).cumsum(0) * 0.3
    whole = mass(np.clip(1 / 8 + size * base + noise, 1e-3, None))
    out = {name: m(whole) for name, m in measures(whole).items()}
    out |= {f"answer {name}": value for name, value in out.items()}
    out |= {"mass": whole.mean(3), "heads": whole.mean(1)}
    return out | {"answer mass": whole.mean(3), "answer heads": whole.mean(1)}


@pytest.mark.parametrize(
    ("kind", "holding"),
    [("chain", {"chain", "forward"}), ("first", {"first frame"}), ("even", set())],
)
def test_findings_on_planted_flow(kind, holding):
    rng = np.random.default_rng(0)
    ours = units(kind, 16, rng)
    theirs = [units("even", 4, rng) for _ in range(19)]
    names = ["forward", "chain", "first frame"]
    found = {f.name: f for f in _findings(names, ours, theirs, 4)}
    assert {n for n, f in found.items() if f.holds} >= holding
    assert holding or not any(f.holds for f in found.values())
    for f in found.values():
        assert f.p is not None
        assert np.diff([f.low, f.value, f.high]).min() >= 0  # type: ignore[arg-type]


def test_too_few_frames_are_not_asked():
    rng = np.random.default_rng(0)
    short = units("even", 8, rng)
    short |= {name: short[name][..., :5, :5] for name in ("mass", "heads")}
    (left,) = _findings(["forward"], short, [units("even", 4, rng)] * 9, 4)
    assert left.holds is None
    assert "too few orders" in left.says


def test_twins_are_shuffled_and_put_back():
    pipeline = tiny.build("wan_t2v")
    before = {n: w.clone() for n, w in pipeline.transformer.named_parameters()}
    with shuffled(pipeline, 1):
        moved = dict(pipeline.transformer.named_parameters())
        assert sum(not torch.equal(moved[n], w) for n, w in before.items()) > len(before) / 2
        for name, weight in before.items():
            assert torch.equal(moved[name].flatten().sort()[0], weight.flatten().sort()[0])
        one = {n: w.clone() for n, w in moved.items()}
    for name, weight in pipeline.transformer.named_parameters():
        assert torch.equal(weight, before[name])
    with shuffled(pipeline, 2):
        assert any(not torch.equal(w, one[n]) for n, w in pipeline.transformer.named_parameters())
    with pytest.raises(KeyError), shuffled(pipeline, 2):
        raise KeyError
    for name, weight in pipeline.transformer.named_parameters():
        assert torch.equal(weight, before[name])


@pytest.fixture(scope="module")
def result(tmp_path_factory):
    folder = tmp_path_factory.mktemp("wan")
    setup = Setup("counting", items=2, size=32, frames=21, steps=2, batch=2)
    subject = Subject(str(tiny.save("wan_i2v", folder / "model")), setup)
    book = folder / "book"
    made = COMPONENT(twins=8, twin_items=1).run(subject, Notebook(book))
    return subject, book, made


def test_random_weights_claim_nothing(result):
    _, _, made = result
    assert made.findings
    assert not any(f.holds for f in made.findings)


def test_a_second_run_finds_everything_done(result, monkeypatch):
    subject, book, made = result
    monkeypatch.setattr(Subject, "run", lambda *a: pytest.fail("worked again"))
    again = COMPONENT(twins=8, twin_items=1).run(subject, Notebook(book))
    assert again.findings == made.findings


def test_tables_and_figures_have_their_shapes(result):
    _, _, made = result
    assert {tuple(row) for row in made.table} == {tuple(made.table[0])}
    assert {row["measure"] for row in made.table} >= {"forward", "first frame"}
    frames = made.figures["frames"]
    assert frames.values.shape == (2, 6, 6)
    assert list(frames.x) == [f"frame {f}" for f in range(6)]
    np.testing.assert_allclose(frames.values.sum(-1), 1, atol=1e-4)
    assert made.figures["heads forward"].values.shape == (1, 2, 2)
    assert made.figures["heads forward"].marks.shape == (1, 2, 2)


def test_a_network_is_told_from_its_twins_no_more_often_than_by_chance():
    """Twenty networks of one kind, each held against the others: none stands out."""
    rng = np.random.default_rng(5)
    networks = [units("near", 6, rng, rng.normal(0, 0.3)) for _ in range(20)]
    names = ["forward", "chain", "first frame"]
    claims = 0
    for i, ours in enumerate(networks):
        theirs = [n for j, n in enumerate(networks) if j != i]
        claims += any(f.holds for f in _findings(names, ours, theirs, 6))
    assert claims <= 1


def test_settings_are_checked():
    with pytest.raises(PhospheneError, match="twins >= 8"):
        COMPONENT(twins=2)


def test_intervals():
    values = np.random.default_rng(0).normal(2, 1, (400, 30))
    mean, low, high = interval(values)
    assert ((low < 2) & (high > 2)).mean() > 0.85
    np.testing.assert_allclose(mean, values.mean(0))
    assert np.isnan(interval(values[:1])[1]).all()
    assert to_first(planted("even")) == pytest.approx(0, abs=1e-6)
