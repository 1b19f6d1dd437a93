"""The probes `gates` and `experts` against planted experts and decoys; their statistics by hand."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from phosphene.errors import PhospheneError
from phosphene.minds.class_means import cosines, separate
from phosphene.minds.contrast import Contrast, Pair, contrast_of, in_tokens, read_pairs
from phosphene.minds.difference import differences, diverge, jensen_shannon
from phosphene.minds.forcing import stand_out
from phosphene.minds.observe import observe_mind
from phosphene.minds.subject import MindSetup, MindSubject
from phosphene.probe import Finding, Result
from phosphene.testing.moe import tiny_moe
from phosphene.testing.planted_moe import PlantedMoe, write_pairs

SMALL = PlantedMoe(place=(1, 5), decoy=(0, 3), layers=2)


def ask(probe: str, plant: PlantedMoe, tmp_path: Path, labels: bool = True) -> Result:
    path = write_pairs(plant.pairs(16, labels), tmp_path / "pairs.jsonl")
    return observe_mind(probe, plant.build(), MindSetup(items=16), {"pairs": str(path)})


def named(result: Result) -> dict[str, Finding]:
    return {f.name: f for f in result.findings}


def accused(result: Result, arm: str) -> set[tuple[int, int]]:
    rows = [r for r in result.table if r["arm"] == arm and r["stands out"]]
    return {(r["layer"], r["expert"]) for r in rows}


@pytest.mark.parametrize(
    "plant", [SMALL, PlantedMoe(place=(0, 2), decoy=(1, 5), layers=2, experts=6, seed=1)]
)
def test_the_planted_expert_is_found_and_no_other(plant: PlantedMoe, tmp_path: Path) -> None:
    result = ask("experts", plant, tmp_path)
    assert all(f.holds for f in result.findings)
    for arm in ("out", "silence", "in"):
        assert accused(result, arm) == {plant.place}
    needed = named(result)["expert needed, forced out"]
    assert needed.value == pytest.approx(1, abs=0.1)


def test_routing_finds_planted_and_decoy_alike(tmp_path: Path) -> None:
    plant = SMALL
    result = ask("gates", plant, tmp_path)
    assert named(result)["experts by condition"].holds
    assert named(result)["residual direction"].holds
    assert plant.decoy is not None
    order = sorted(result.table, key=lambda r: -r["mean"])
    assert {(r["layer"], r["expert"]) for r in order[:2]} == {plant.place, plant.decoy}
    # Their rows of the router point where the residual stream moves, and nobody else's as much.
    cosine = sorted(result.table, key=lambda r: -r["cosine"])
    assert {(r["layer"], r["expert"]) for r in cosine[:2]} == {plant.place, plant.decoy}


def test_a_decoy_is_routed_to_and_not_accused(tmp_path: Path) -> None:
    plant = PlantedMoe("nobody", decoy=(0, 3), layers=2)
    found = named(ask("gates", plant, tmp_path))
    assert found["experts by condition"].holds
    told = named(ask("experts", plant, tmp_path))
    assert told["behaviour by condition"].holds is False
    assert {f.holds for n, f in told.items() if n.startswith("expert ")} == {None}


def test_where_attention_decides_no_expert_is_accused(tmp_path: Path) -> None:
    result = ask("experts", PlantedMoe("attention", decoy=(0, 3), layers=2), tmp_path)
    assert named(result)["behaviour by condition"].holds
    assert {f.holds for f in result.findings[1:]} == {False}


def test_labels_left_to_a_coin_give_null_results(tmp_path: Path) -> None:
    for seed in range(3):
        for probe in ("gates", "experts"):
            result = ask(
                probe, PlantedMoe(decoy=(0, 3), layers=2, seed=seed), tmp_path, labels=False
            )
            assert not any(f.holds for f in result.findings)


def test_an_interrupted_run_goes_on(tmp_path: Path) -> None:
    plant = SMALL
    path = write_pairs(plant.pairs(8), tmp_path / "pairs.jsonl")
    events: list[str] = []

    def stop(event) -> None:
        events.append(event.kind)
        if len(events) == 7:
            raise KeyboardInterrupt

    mind, setup = plant.build(), MindSetup(items=8)
    told = {"pairs": str(path), "most": 8}
    out = tmp_path / "run"
    with pytest.raises(KeyboardInterrupt):
        observe_mind("experts", mind, setup, told, out, on_event=stop)
    events.clear()
    again = observe_mind(
        "experts", mind, setup, told, out, on_event=lambda e: events.append(e.kind)
    )
    assert events.count("found") == 7
    assert events.count("made") == 1 + 8 * 3 - 7
    assert (out / "report.html").exists()
    whole = observe_mind("experts", mind, setup, told)
    assert [f.says for f in whole.findings] == [f.says for f in again.findings]


def test_differences_agree_with_counting_by_hand() -> None:
    # 6 pairs that all differ one way: 2 of 64 patterns are as extreme.
    values = np.stack([np.ones(6), np.array([1, -1, 1, -1, 1, -1.0])], 1)
    found = differences(values)
    assert found.p == pytest.approx([2 / 64, 1])
    assert found.q == pytest.approx([4 / 64, 1])
    assert found.mean == pytest.approx([1, 0])


def test_differences_hold_their_level() -> None:
    rng = np.random.default_rng(0)
    alarms = [(differences(rng.normal(size=(12, 30)), s).q < 0.05).any() for s in range(40)]
    assert np.mean(alarms) <= 0.15  # 0.05 and two standard errors and a half


def test_divergence_of_disjoint_and_equal_use() -> None:
    assert jensen_shannon(np.array([1.0, 0]), np.array([0, 1.0])) == pytest.approx(1)
    a = np.tile(np.array([[0.5, 0.5, 0], [1, 0, 0]]), (8, 1, 1))
    b = np.tile(np.array([[0.5, 0.5, 0], [0, 0, 1]]), (8, 1, 1))
    found = diverge(a, b)
    assert found.value == pytest.approx([0, 1])
    assert found.p[0] == 1
    assert found.p[1] == pytest.approx(2 / 256)
    assert found.low[1] > found.null[1]


def test_separation_orders_what_is_apart_and_guesses_else() -> None:
    rng = np.random.default_rng(1)
    noise = rng.normal(size=(2, 40, 2, 6))
    noise[0, :, 1, 2] += 6
    found = separate(noise[0], noise[1])
    assert found.share[1] == 1
    assert found.q[1] < 0.01
    assert found.q[0] > 0.05
    same = separate(noise[0], noise[0])
    assert same.share == pytest.approx(0.5)
    assert (same.q > 0.05).all()


def test_cosines_leave_out_what_rows_have_in_common() -> None:
    rows = np.array([[5.0, 1], [5, -1]])
    assert cosines(np.array([0.0, 2]), rows) == pytest.approx([1, -1])
    assert cosines(np.array([3.0, 0]), rows) == pytest.approx([0, 0])


def test_outliers_are_told_from_the_common_kind() -> None:
    rng = np.random.default_rng(2)
    alarms = [stand_out(rng.normal(size=24)).out.any() for _ in range(400)]
    assert np.mean(alarms) <= 0.08
    values = rng.normal(size=24) * 0.02
    values[[3, 7]] = 1.0, 0.9  # neither hides the other
    found = stand_out(values)
    assert np.flatnonzero(found.out).tolist() == [3, 7]
    assert -0.2 < found.low < 0 < found.high < 0.2
    assert not stand_out(np.array([0, 0, 0, 0, 9.0])).out.any()  # too few to say
    assert not stand_out(np.zeros(20)).out.any()


def test_kin_count_once() -> None:
    pairs = tuple(Pair("a", "b", group=g) for g in ("x", "x", "x", "y"))
    contrast = Contrast(pairs, "")
    assert contrast.grouped(np.array([1.0, 2, 3, 10])) == pytest.approx([2, 10])


def test_pairs_align_from_the_end() -> None:
    masks = in_tokens(tiny_moe(layers=1), [Pair("cod ash bay dew", "ash elm dew")]).shared
    assert [m.tolist() for m in masks] == [[False, True, False, True], [True, False, True]]


def test_files_of_pairs_are_refused_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "pairs.jsonl"
    for text, told in (
        ("no json", "line 1 is no JSON"),
        ('{"a": "x"}', "line 1 must be"),
        ('{"a": "x", "b": "y"}\n{"a": "x", "b": "y", "c": "z"}', "line 2: 'c'"),
        ('{"a": "x", "b": " "}', "one is empty"),
    ):
        path.write_text(text)
        with pytest.raises(PhospheneError, match=told):
            read_pairs(path)
    with pytest.raises(PhospheneError, match="can't read pairs"):
        read_pairs(tmp_path / "none.jsonl")
    path.write_text('{"a": "ash", "b": "bay"}')
    subject = MindSubject(tiny_moe(layers=1), MindSetup(items=4))
    with pytest.raises(PhospheneError, match="two pairs or more"):
        contrast_of(subject, str(path))
    with pytest.raises(PhospheneError, match="same token"):
        in_tokens(subject.mind, [Pair("ash", "bay", "yes", "yes")])
