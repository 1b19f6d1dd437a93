"""bench, score, export and certify as a user types them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from phosphene.cli import main

SUITE = """
name: small
version: 1
about: three easy patterns
entries:
  - {task: symmetry, fields: {cells: 4, colours: 1}, items: 3}
"""


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SUITE)
    return tmp_path


def test_bench_prints_a_table_and_where_it_lies(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["bench", "small.yaml", "--backbone", "baseline:oracle", "--quiet"]) == 0
    out = capsys.readouterr().out
    assert "100% of 3" in out
    assert "runs/small-oracle" in out


def test_bench_json_and_score(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    asked = ["bench", "small.yaml", "--backbone", "baseline:static", "--out", "run", "--json"]
    assert main([*asked, "--samples", "2", "--quiet"]) == 0
    told = json.loads(capsys.readouterr().out)
    (cell,) = told["cells"]
    assert (cell["samples"], cell["passed"], cell["items"]) == (6, 0, 3)
    assert main(["score", "run", "--again", "--json", "--quiet"]) == 0
    assert json.loads(capsys.readouterr().out)["cells"] == told["cells"]


def test_samples_that_could_not_be_made_exit_with_1(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    (here / "player.py").write_text("def broken(request):\n    raise RuntimeError('no luck')\n")
    assert main(["bench", "small.yaml", "--backbone", "player:broken", "--quiet"]) == 1
    assert "3 of 3 samples could not be made" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("argv", "said"),
    [
        (["bench", "smal"], "unknown suite"),
        (["bench", "none.yaml"], "can't read config file none.yaml"),
        (["bench", "small.yaml", "--backbone", "baseline:orakel"], "did you mean oracle"),
        (["bench", "small.yaml", "--backbone", "nothing:here"], "MODULE:FUNCTION"),
        (["bench", "small.yaml", "--samples", "0"], "samples must be at least 1"),
        (["bench", "small.yaml", "--shard", "3/2"], "1 <= I <= N"),
        (["bench", "small.yaml", "--shard", "x"], "--shard takes I/N"),
        (["bench", "small.yaml", "--size", "8x8"], "at least 32x32"),
        (["bench", "small.yaml", "--from-folder", "nowhere"], "not a directory"),
        (["score", "nowhere"], "no bench"),
        (["export", "small.yaml", "--out", "x", "--samples", "0"], "at least 1"),
        (["certify", "symetry"], "did you mean symmetry"),
        (["certify", "symmetry", "--seeds", "0"], "seeds >= 1"),
    ],
)
def test_bad_input_gets_one_line(
    argv: list[str], said: str, capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    before = sorted(here.iterdir())
    assert main(argv) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert said in err
    assert err.count("\n") == 1
    assert sorted(here.iterdir()) == before


def test_export_tells_how_to_go_on(capsys: pytest.CaptureFixture[str], here: Path) -> None:
    assert main(["export", "small.yaml", "--out", "out", "--size", "96x64"]) == 0
    assert "--from-folder" in capsys.readouterr().out
    folders = [p.parent for p in here.glob("out/*/*/first_frame.png")]
    assert len(folders) == 3
    assert all((f / "prompt.txt").read_text() for f in folders)
    assert not list(here.glob("out/**/final_frame.png"))


def test_certify_prints_a_row_and_keeps_the_certificate(
    capsys: pytest.CaptureFixture[str], here: Path
) -> None:
    assert main(["certify", "symmetry", "--seeds", "2", "--out", "kept", "--quiet"]) == 0
    assert "yes" in capsys.readouterr().out
    kept = json.loads((here / "kept" / "symmetry.json").read_text())
    assert kept["oracle"]["share"] == 1
    assert kept["faults"] == []
