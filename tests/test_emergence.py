"""Checkpoints and their curves: found, told apart by size and age, benched one by one, resumed."""

import json
import re
import shutil

import pytest
from diffusers import FlowMatchEulerDiscreteScheduler

from phosphene.backbone import BackboneSpec, open_backbone
from phosphene.checkpoints import checkpoint, checkpoints
from phosphene.cli import main
from phosphene.ember.network import EmberTransformer
from phosphene.ember.pipeline import EmberPipeline
from phosphene.emergence import emergence
from phosphene.errors import PhospheneError
from phosphene.evaluate import Settings
from phosphene.report.curve import curve

SUITE = """
name: tiny
version: 1
about: two cells
entries:
  - {task: equations, fields: {largest: 2, variety: 0.0}, splits: [test, train], items: 2}
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A training run's directory: two sizes, the smaller at two ages."""
    root = tmp_path_factory.mktemp("run")
    for name, dim, seen in (("b", 32, 20), ("a", 32, 1000), ("large", 64, 20)):
        model = EmberTransformer(dim=dim, depth=1, heads=2)
        folder = root / "checkpoints" / name
        EmberPipeline(model, FlowMatchEulerDiscreteScheduler()).save_pretrained(folder)
        (folder / "training.json").write_text(json.dumps({"samples": seen}))
    (root / "suite.yaml").write_text(SUITE)
    return root


def test_checkpoints_come_by_size_then_age_and_count_their_weights(run):
    found = checkpoints(str(run))
    assert [c.name for c in found] == ["b", "a", "large"]
    assert [c.examples for c in found] == [20, 1000, 20]
    model = EmberTransformer(dim=32, depth=1, heads=2)
    assert found[0].weights == sum(p.numel() for p in model.parameters())


def test_a_branch_opens_by_its_name_and_is_none_of_the_ages(run):
    folder = run / "branches" / "aside"
    shutil.copytree(run / "checkpoints" / "b", folder)
    try:
        assert checkpoint(str(run), "aside").directory == folder
        assert "aside" not in [c.name for c in checkpoints(str(run))]
        with pytest.raises(PhospheneError, match="'asid'; did you mean aside"):
            checkpoint(str(run), "asid")
    finally:
        shutil.rmtree(folder)


def test_an_exported_ember_opens_from_its_directory_and_draws(run):
    from phosphene.request import Request

    backbone = open_backbone(BackboneSpec(checkpoint(str(run), "b").backbone))
    clip = backbone.generate([Request(prompt="solve", steps=1, frames=2)])[0]
    assert clip.frames is not None
    assert clip.frames.shape == (2, 64, 64, 3)


def test_what_is_not_there_is_said_with_a_mend(run, tmp_path):
    with pytest.raises(PhospheneError, match=r"'lagre'.*large"):
        checkpoint(str(run), "lagre")
    with pytest.raises(PhospheneError, match="no checkpoints"):
        checkpoints(str(tmp_path))
    with pytest.raises(PhospheneError, match="checkpoint 'nowhere'"):
        open_backbone("ember/nowhere")
    (run / "checkpoints" / "b" / "training.json").rename(tmp_path / "kept")
    try:
        with pytest.raises(PhospheneError, match="samples"):
            checkpoints(str(run))
    finally:
        (tmp_path / "kept").rename(run / "checkpoints" / "b" / "training.json")


def test_every_checkpoint_is_put_to_the_suite_and_a_second_call_makes_nothing(run, tmp_path):
    made = []
    arguments = (run / "suite.yaml", BackboneSpec(str(run)), tmp_path, Settings(steps=1))
    root, stages = emergence(*arguments, on_checkpoint=lambda c: made.append(c.name))
    assert made == ["b", "a", "large"]
    assert [len(s.bench.results) for s in stages] == [4, 4, 4]
    assert len({s.bench.fingerprint for s in stages}) == 3
    written = {p: p.stat().st_mtime_ns for p in root.glob("*/media/*") if p.is_file()}
    assert written
    emergence(*arguments)
    assert {p: p.stat().st_mtime_ns for p in root.glob("*/media/*") if p.is_file()} == written


def test_the_command_says_each_share_with_its_interval_and_draws_a_page(run, tmp_path, capsys):
    asked = ["bench", str(run / "suite.yaml"), "--backbone", str(run), "--steps", "1"]
    asked += ["--out", str(tmp_path / "out"), "--quiet"]
    assert main([*asked, "--checkpoint", "all", "--json"]) == 0
    rows = json.loads(capsys.readouterr().out)["rows"]
    assert len(rows) == 6
    for row in rows:
        assert 0 <= row["low"] <= row["passed"] <= row["high"] <= 1
        assert row["n"] == 2
    page = (tmp_path / "out" / "emergence.html").read_text()
    assert page.count("<polyline") == 5  # chance, and two splits of two sizes
    assert page.count('class="whisker"') == 2 + 2 * 3
    assert main([*asked, "--checkpoint", "large"]) == 2  # another run's directory


def test_one_checkpoint_is_a_run_like_any_other(run, tmp_path, capsys):
    asked = ["bench", str(run / "suite.yaml"), "--backbone", str(run), "--steps", "1", "--quiet"]
    assert main([*asked, "--out", str(tmp_path), "--checkpoint", "large", "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["backbone"].endswith("checkpoints/large")


def test_names_under_a_crowded_axis_stand_on_two_rows_and_are_whole():
    def rows(n):
        drawn = curve({i: f"{100 + i} k" for i in range(n)}, [], "ages")
        assert all(f">{100 + i} k</tspan>" in drawn for i in range(n))
        names = re.findall(r'text-anchor="middle" y="(\d+)"', drawn)
        assert len(names) == n
        return len(set(names))

    assert (rows(6), rows(13)) == (1, 2)
