"""What is made of a session: its contest with chance, its nuggets, its page."""

from __future__ import annotations

import json
import re
import shutil
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

pytest.importorskip("torch")
from test_explore import MODES, SEARCH

from phosphene.cli import main
from phosphene.errors import PhospheneError
from phosphene.explore import explore
from phosphene.exploring.contest import Contest, Found, contest, pairs
from phosphene.exploring.mining import KEPT, lineage, mine, siblings
from phosphene.exploring.study import study
from phosphene.report.session import summary, verdict, write_session
from phosphene.session import Session
from phosphene.testing.modes import Modes

TWO = replace(
    SEARCH,
    explorer="dominated",
    budget=128,
    embeddings=(MODES + "ModesEmbedding", "pixels"),
)


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    folder = tmp_path_factory.mktemp("study") / "first"
    study(Modes(), folder, TWO, repeats=1)
    return folder


def measured(search: list[float], chance: list[float]) -> Contest:
    ends = np.array([search, chance], float).T[:, :, None]
    return Contest(np.array([512]), {"QD score": ends}, range(len(search)), [16] * len(search))


def test_the_ratio_is_a_geometric_mean_with_students_interval():
    ratio, low, high = measured([2.0, 8.0], [1.0, 1.0]).ratio("QD score")
    assert ratio == pytest.approx(4.0)
    # t(0.975, 1) = 12.706; the logarithms are log 2 and log 8, so s / sqrt(2) = log 2.
    assert high / ratio == pytest.approx(2**12.7062, rel=1e-4)
    assert low * high == pytest.approx(ratio**2)
    alone = measured([2.0], [1.0]).ratio("QD score")
    assert alone[0] == 2.0
    assert np.isnan(alone[1:]).all()


@pytest.mark.parametrize(
    ("search", "chance", "said"),
    [
        ([2.0, 2.1, 2.05], [1.0, 1.0, 1.0], "search beats chance"),
        ([0.5, 0.51, 0.49], [1.0, 1.0, 1.0], "search does worse than chance"),
        ([1.2, 0.9, 1.0], [1.0, 1.0, 1.0], "search is not told apart from chance"),
        ([3.0], [1.0], "nothing is shown yet"),
        ([1.0, 1.0], [0.0, 1.0], "can't be compared"),
    ],
)
def test_the_verdict_says_no_more_than_the_interval(search, chance, said):
    assert said in verdict(measured(search, chance))


def test_a_search_held_against_itself_is_a_draw(root):
    session = Session.load(root)
    found = contest([(session, session), (session, session)])
    assert found is not None
    for name in ("QD score", "coverage", "best", "spread"):
        assert found.ratio(name) == pytest.approx((1.0, 1.0, 1.0))


def test_curves_count_what_was_paid_for(root):
    ((session, beside), (again, _)) = pairs(root)
    assert beside is not None
    found = contest(pairs(root))
    assert found is not None
    assert list(found.seeds) == [3, 4]
    assert found.calls[-1] <= max(t["calls"] for t in session.told.values())
    for name in ("QD score", "coverage", "best"):
        assert (np.diff(found.curves[name], axis=2) >= -1e-9).all()
    assert (found.curves["coverage"] <= 1).all()
    assert session.manifest["search"]["seed"] != again.manifest["search"]["seed"]


def test_items_stand_at_the_calls_they_cost(root):
    found = Found.of(Session.load(root))
    assert (np.diff(found.calls) > 0).all()
    assert len(found.until(found.calls[9])) == 10
    assert np.allclose(np.linalg.norm(found.vectors, axis=1), 1, atol=1e-5)


def test_the_page_holds_everything_and_asks_for_nothing(root):
    page = write_session(root).read_text()
    assert not re.findall(r'(?:src|href)="(?!data:|#)', page)
    assert "http://" not in page.replace("http://www.w3.org", "")
    assert page.count("data:image/png") > 10
    record = json.loads((root / "report.json").read_text())
    assert record["table"][0][:3] == ["measure", "search", "random"]
    found = contest(pairs(root))
    assert found is not None
    assert verdict(found) in page.replace("&#39;", "'")
    assert (root / "qd-score.png").read_bytes().startswith(b"\x89PNG")


def test_without_a_control_nothing_is_claimed(tmp_path):
    study(Modes(), tmp_path / "s", replace(TWO, budget=24), controlled=False)
    assert any("whether searching helped is unknown" in n for n in summary(tmp_path / "s")["notes"])
    assert write_session(tmp_path / "s").exists()


def test_a_prompt_is_text_on_the_page(tmp_path):
    nasty = replace(TWO, budget=24, prompt="<script>alert(1)</script>", words={})
    study(Modes(), tmp_path / "s", nasty, controlled=False)
    assert "<script>alert" not in write_session(tmp_path / "s").read_text()


def test_nuggets_pass_every_part_and_are_tried_once(root, monkeypatch):
    session = Session.load(root)
    judged = mine(session, Modes())
    best = [j for j in judged if j.nugget]
    assert best
    for j in best:
        assert {"good", "repeats", "stays near", "stays good"} <= set(j.reasons)
        assert session.tried[j.id]["digest"] == session.made[j.id].digest
    assert len(best) <= len(session.tried) < len(judged) / 2
    monkeypatch.setattr(Modes, "generate", lambda *a: pytest.fail("made again"))
    again = mine(Session.load(root), Modes())
    assert [j.id for j in again if j.nugget] == [j.id for j in best]


def test_what_an_earlier_session_found_is_not_new(root, tmp_path):
    first = Session.load(root)
    held = {j.id for j in mine(first, Modes()) if j.nugget}
    copied = tmp_path / "second"
    shutil.copytree(root, copied)
    judged = mine(Session.load(copied), Modes(), [root / KEPT])
    assert held
    assert not [j for j in judged if j.nugget]
    lacking = {j.id: j.reasons["new to all sessions"].passed for j in judged if j.id in held}
    assert not any(lacking.values())


def test_only_sessions_that_began_before_count(tmp_path):
    import os

    for name, began in (("a", 100), ("b", 200), ("c", 300)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "session.json").write_text("{}")
        (tmp_path / name / KEPT).write_text('{"nuggets": []}')
        os.utime(tmp_path / name / "session.json", (began, began))
    middle = SimpleNamespace(root=tmp_path / "b")
    assert siblings(middle) == [tmp_path / "a" / KEPT]  # type: ignore[arg-type]


def test_lineage_reaches_back_to_the_warm_up(root):
    session = Session.load(root)
    child = next(i for i in session.made if session.proposal(i).parents)
    line = lineage(session, child)
    assert line[0]["id"] == child
    assert {p for step in line for p in step["parents"]} == {s["id"] for s in line[1:]}
    assert any(not step["parents"] for step in line)


def test_one_embedding_is_too_few_for_nuggets(tmp_path):
    session = explore(Modes(), tmp_path / "s", replace(SEARCH, explorer="random", budget=16))
    with pytest.raises(PhospheneError, match="new in two embeddings"):
        mine(session, Modes())


def test_damaged_nuggets_of_another_session_are_named(root, tmp_path):
    (tmp_path / KEPT).write_text("{")
    with pytest.raises(PhospheneError, match="holds no nuggets that can be read"):
        mine(Session.load(root), Modes(), [tmp_path / KEPT])


def test_exported_nuggets_carry_recipe_and_lineage(root, tmp_path):
    from phosphene.cli.nuggets import export

    session = Session.load(root)
    best = [j for j in mine(session, Modes()) if j.nugget]
    assert best
    export(session, best, tmp_path / "out")
    for j in best:
        record = json.loads((tmp_path / "out" / f"{j.id}.json").read_text())
        assert record["recipe"] == session.proposal(j.id).genome.record()
        assert record["lineage"][0]["id"] == j.id
        assert (tmp_path / "out" / f"{j.id}.png").stat().st_size > 0


def refused(capsys, *argv: str) -> str:
    assert main(list(argv)) == 2
    # Progress may come before it; the refusal is one line, the last.
    *progress, said = capsys.readouterr().err.strip().splitlines()
    assert all(line.startswith("[0/") for line in progress)
    assert said.startswith("phosphene: ")
    return said


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (("explore", "--budget", "3"), "does not cover the warm-up"),
        (("explore", "--repeats", "-1"), "--repeats counts sessions"),
        (("explore", "--word", "colour"), "--word takes SLOT=CHOICE,CHOICE"),
        (("explore", "--explorer", "portfolo"), "did you mean portfolio"),
        (("explore", "--quality", "motion"), "one quality alone"),
        (("explore", "--with", "warp=9", "--explorer", "random"), "explorer random: unknown field"),
        (("explore", "--picture", "task:maze:x"), "task:NAME:COUNT"),
        (("nuggets", "nowhere"), "holds no session"),
        (("replay", "nowhere", "0000-00"), "holds no session"),
        (("report", "nowhere"), "nowhere"),
        (("studio", "nowhere", "--no-browser"), "holds no session"),
        (("studio", "nowhere", "--budget", "9"), "give --explore with it"),
    ],
)
def test_mistakes_get_one_line(capsys, tmp_path, monkeypatch, argv, said):
    monkeypatch.chdir(tmp_path)
    assert said in refused(capsys, *argv)


def test_a_config_file_says_the_same_as_the_flags(tmp_path):
    from phosphene.cli.explore import ExploreOptions, _settled

    path = tmp_path / "s.yaml"
    path.write_text(
        "backbone: ember\nbudget: 99\nseed: 5\nexplorer: {name: novelty}\n"
        "embeddings: [pixels, {name: open_clip, model: ViT-B-32, as: clip}]\n"
    )
    options = ExploreOptions(seed=7)
    asked, spec = _settled(None, path, options.given(), options)
    assert (asked.budget, asked.seed, asked.explorer) == (99, 7, {"name": "novelty"})
    assert asked.embeddings[1]["as"] == "clip"  # type: ignore[index]
    assert spec.id == "ember"
    path.write_text("budgte: 99\n")
    with pytest.raises(PhospheneError, match="did you mean budget"):
        _settled(None, path, {}, ExploreOptions())


def test_a_session_goes_on_with_its_own_settings(root):
    from phosphene.cli.explore import ExploreOptions, _settled

    options = ExploreOptions(budget=80)
    asked, spec = _settled(root, None, options.given(), options)
    assert replace(asked, budget=TWO.budget) == TWO
    assert spec.id == "modes"


def test_reach_is_recall_both_ways_and_novelty_is_told_by_stream(root):
    session = Session.load(root)
    found = contest([(session, session), (session, session)])
    assert found is not None
    assert found.curves["reach"][0, :, -1].tolist() == [1.0, 1.0]
    assert (found.curves["novelty, video"][:, :, -1] > 0).all()
    assert np.isnan(found.curves["novelty, audio"]).all()


CONFIGS = sorted((Path(__file__).parents[1] / "configs" / "explore").glob("*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda p: p.stem)
def test_every_shipped_configuration_can_be_read(path):
    from phosphene.cli.explore import ExploreOptions, _settled
    from phosphene.explorer import explorers
    from phosphene.exploring.opening import looker
    from phosphene.grammar import Grammar
    from phosphene.search import component

    asked, spec = _settled(None, path, {}, ExploreOptions())
    assert f"--config configs/explore/{path.name}" in path.read_text()
    assert spec.id
    assert looker(asked).embeddings
    component(explorers, asked.explorer)
    assert Grammar(asked.prompt or "", asked.words).size > 10
